//! Client sessions: options, and the passport of the last query. A session belongs to its connection, and to its cookie
//! once it has set something; it is never shared between users.

use std::collections::HashMap;
use std::ops::Deref;
use std::sync::Arc;
use std::time::{Duration, Instant};

use lakewright_proto::{Error, ErrorCode, TenantId, UserId};
use lakewright_storage::query::Passport;
use parking_lot::Mutex;
use tonic::metadata::{Ascii, MetadataMap, MetadataValue};
use uuid::Uuid;

use crate::auth::Session;
use crate::options::Options;

/// The cookie that Flight SQL drivers know.
const COOKIE: &str = "arrow_flight_session_id";
/// Sessions with a cookie that one tenant may have; the longest unused one gives way.
const MAX_SESSIONS: usize = 1_000;
/// A session that was not used for so long is over.
const IDLE: Duration = Duration::from_secs(24 * 3_600);

/// What a client has set, and asked last.
pub(crate) struct ClientState {
    id: Uuid,
    options: Mutex<Options>,
    last: Mutex<Option<Arc<Passport>>>,
}

impl Default for ClientState {
    fn default() -> Self {
        Self { id: Uuid::new_v4(), options: Mutex::default(), last: Mutex::default() }
    }
}

impl ClientState {
    pub(crate) fn options(&self) -> Options {
        self.options.lock().clone()
    }

    /// Changes the options, all or none.
    pub(crate) fn change<E>(&self, change: impl FnOnce(&mut Options) -> Result<(), E>) -> Result<(), E> {
        let mut options = self.options.lock();
        let mut changed = options.clone();
        change(&mut changed)?;
        *options = changed;
        Ok(())
    }

    pub(crate) fn last(&self) -> Option<Arc<Passport>> {
        self.last.lock().clone()
    }

    /// Remembers the passport of a query that read a table.
    pub(crate) fn asked(&self, passport: &Arc<Passport>) {
        if !passport.tables.is_empty() {
            *self.last.lock() = Some(Arc::clone(passport));
        }
    }
}

/// An authenticated caller with its session.
pub(crate) struct Caller {
    pub(crate) who: Session,
    pub(crate) state: Arc<ClientState>,
}

impl Deref for Caller {
    type Target = Session;
    fn deref(&self) -> &Session {
        &self.who
    }
}

struct Kept {
    tenant: TenantId,
    user: UserId,
    state: Arc<ClientState>,
    used: Instant,
}

/// The sessions that have a cookie.
#[derive(Default)]
pub(crate) struct Sessions(Mutex<HashMap<Uuid, Kept>>);

/// The session that a request's cookies name.
pub(crate) fn named(metadata: &MetadataMap) -> Option<Uuid> {
    let headers = metadata.get_all("cookie").iter().filter_map(|v| v.to_str().ok()).flat_map(|v| v.split(';'));
    let mut pairs = headers.filter_map(|p| p.trim().split_once('='));
    pairs.find(|(name, _)| *name == COOKIE).and_then(|(_, id)| id.trim_matches('"').parse().ok())
}

impl Sessions {
    /// The session that a cookie names. One that is gone is an error: what it had set must not be dropped in silence.
    pub(crate) fn find(&self, id: Uuid, who: &Session) -> Result<Arc<ClientState>, Error> {
        let mut all = self.0.lock();
        let own = all.get_mut(&id).filter(|k| k.tenant == who.tenant_id && k.user == who.user_id && k.used.elapsed() < IDLE);
        let kept = own.ok_or_else(|| {
            let message = "the session is over (the node restarted, or it was closed or idle for a day), and with it what it had set; open a new connection";
            Error::new(ErrorCode::Unmet, message)
        })?;
        kept.used = Instant::now();
        Ok(Arc::clone(&kept.state))
    }

    /// Keeps a session beyond its connection; answers the header that tells the client.
    pub(crate) fn keep(&self, caller: &Caller) -> Option<MetadataValue<Ascii>> {
        let mut all = self.0.lock();
        all.retain(|_, k| k.used.elapsed() < IDLE);
        let tenant = caller.tenant_id;
        if !all.contains_key(&caller.state.id) && all.values().filter(|k| k.tenant == tenant).count() >= MAX_SESSIONS {
            let oldest = all.iter().filter(|(_, k)| k.tenant == tenant).min_by_key(|(_, k)| k.used).map(|(id, _)| *id);
            oldest.map(|id| all.remove(&id));
        }
        let kept = Kept { tenant, user: caller.user_id, state: Arc::clone(&caller.state), used: Instant::now() };
        all.insert(caller.state.id, kept);
        format!("{COOKIE}={}; Path=/; HttpOnly", caller.state.id).parse().ok()
    }

    /// Forgets a session.
    pub(crate) fn close(&self, state: &ClientState) -> Option<MetadataValue<Ascii>> {
        self.0.lock().remove(&state.id);
        *state.options.lock() = Options::default();
        *state.last.lock() = None;
        format!("{COOKIE}=; Path=/; Max-Age=0").parse().ok()
    }
}

#[cfg(test)]
#[path = "sessions_tests.rs"]
mod tests;
