//! The ring of ticket keys: opened from the catalog, rotated daily.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use lakewright_actors::services::now_us;
use lakewright_proto::{Error, ErrorCode};
use lakewright_storage::catalog::command::Command;
use lakewright_storage::catalog::records::RingKey;
use lakewright_storage::catalog::Catalog;
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use crate::secrets::{KeyRing, TicketKey};

/// How often the age of the newest key is looked at.
const LOOK: Duration = Duration::from_secs(600);

/// Signing keys by id.
#[derive(Clone)]
pub struct TicketRing {
    catalog: Catalog,
    keys: Arc<KeyRing>,
    opened: Arc<Mutex<HashMap<u32, TicketKey>>>,
    /// The newest key that could be opened: it signs even while the ring cannot be read.
    newest: Arc<Mutex<TicketKey>>,
}

impl TicketRing {
    /// Over the catalog's ring, whose newest key must open.
    pub fn new(catalog: Catalog, keys: Arc<KeyRing>) -> Result<Self, Error> {
        let sealed = ring(&catalog)?.into_iter().max_by_key(|k| k.id);
        let sealed = sealed.ok_or_else(|| Error::new(ErrorCode::Internal, "the cluster has no ticket key"))?;
        let newest = TicketKey::open(&keys, &sealed)?;
        Ok(Self { catalog, keys, opened: Arc::default(), newest: Arc::new(Mutex::new(newest)) })
    }

    /// The newest key, which signs.
    pub fn newest(&self) -> TicketKey {
        let id = ring(&self.catalog).ok().and_then(|r| r.iter().map(|k| k.id).max());
        let mut newest = self.newest.lock();
        if let Some(id) = id.filter(|id| *id != newest.id) {
            if let Ok(Some(key)) = self.key(id) {
                *newest = key;
            }
        }
        newest.clone()
    }

    /// The key with this id, while it is in the ring.
    pub fn key(&self, id: u32) -> Result<Option<TicketKey>, Error> {
        let ring = ring(&self.catalog)?;
        let mut opened = self.opened.lock();
        opened.retain(|id, _| ring.iter().any(|k| k.id == *id));
        if let Some(key) = opened.get(&id) {
            return Ok(Some(key.clone()));
        }
        let Some(sealed) = ring.iter().find(|k| k.id == id) else { return Ok(None) };
        let key = TicketKey::open(&self.keys, sealed)?;
        opened.insert(id, key.clone());
        Ok(Some(key))
    }
}

fn ring(catalog: &Catalog) -> Result<Vec<RingKey>, Error> {
    Ok(catalog.view().cluster().map_err(Error::from)?.map(|c| c.ticket_keys).unwrap_or_default())
}

/// Makes a new key whenever the newest is older than `life`; the one before stays valid as long again.
pub async fn rotate(ring: TicketRing, life: Duration, stop: CancellationToken) {
    loop {
        if let Err(e) = rotate_if_due(&ring, life.as_micros() as i64).await {
            tracing::warn!(error = %e, "the ticket key could not be rotated; it will be tried again");
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(LOOK) => {}
        }
    }
}

async fn rotate_if_due(ring: &TicketRing, life: i64) -> Result<(), Error> {
    let now = now_us();
    let newest = self::ring(&ring.catalog)?.into_iter().max_by_key(|k| k.id);
    let Some(newest) = newest.filter(|k| k.created_at + life < now) else { return Ok(()) };
    let key = TicketKey::generate(&ring.keys, newest.id + 1, now)?;
    ring.catalog.propose("node", Command::RotateTicketKey { key, keep_after: now - 2 * life }).await?;
    Ok(())
}
