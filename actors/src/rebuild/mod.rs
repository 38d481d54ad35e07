//! Silver tables made again from Bronze, beside the live ones, and swapped in: after a pack named a column whose
//! history Bronze has, made one otherwise or named a new entity, and on request.
//!
//! - [`job`] makes one. [`Rebuilds`] is what it shares with the merges and with those who ask how far it is.

mod job;

pub(crate) use job::{is_of, read};

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use lakewright_proto::{CommitSeq, Error, TableId};
use lakewright_storage::catalog::command::Command;
use lakewright_storage::catalog::keyspace::Tables;
use lakewright_storage::catalog::records::{Alert, Table};
use lakewright_storage::catalog::Read as _;
use parking_lot::Mutex;
use tokio::sync::OwnedMutexGuard;

use crate::error::WorkError;
use crate::services::Services;

/// After a rebuild that failed.
const AGAIN: Duration = Duration::from_secs(60);
/// How often it is looked where something changed.
const EVERY: Duration = Duration::from_secs(1);

/// How far a rebuild is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// The last Bronze commit that was merged.
    pub commit: CommitSeq,
    /// The table's watermark.
    pub watermark: CommitSeq,
    /// Records merged.
    pub records: u64,
}

/// Rebuilds under way on this node.
#[derive(Default)]
pub struct Rebuilds {
    locks: Mutex<HashMap<TableId, Arc<tokio::sync::Mutex<()>>>>,
    progress: Mutex<HashMap<TableId, Progress>>,
}

impl Rebuilds {
    /// Holds a table: its bucket is changed by whoever holds it, for as long as that takes one session of a merge.
    pub async fn hold(&self, table: TableId) -> OwnedMutexGuard<()> {
        let lock = Arc::clone(self.locks.lock().entry(table).or_default());
        lock.lock_owned().await
    }

    /// How far a table's rebuild is; none: none is under way.
    pub fn progress(&self, table: TableId) -> Option<Progress> {
        self.progress.lock().get(&table).copied()
    }

    fn tell(&self, table: TableId, progress: Option<Progress>) {
        let mut all = self.progress.lock();
        match progress {
            Some(progress) => drop(all.insert(table, progress)),
            None => drop(all.remove(&table)),
        }
    }
}

/// Makes tables again that are to be, one after the other, until the node stops.
pub async fn watch(services: Arc<Services>) {
    let mut changed = services.catalog.store().subscribe();
    let mut failed: HashMap<TableId, (tokio::time::Instant, i64)> = HashMap::new();
    loop {
        changed.borrow_and_update();
        let wanted = match wanted(&services) {
            Ok(wanted) => wanted,
            Err(e) => {
                tracing::warn!(error = %e, "the catalog could not be asked which tables are to be made again");
                Vec::new()
            }
        };
        failed.retain(|id, _| wanted.iter().any(|t| t.id == *id));
        let now = tokio::time::Instant::now();
        for table in &wanted {
            if failed.get(&table.id).is_some_and(|(until, _)| *until > now) {
                continue;
            }
            let requested = table.rebuild.as_ref().map_or(0, |r| r.requested_at);
            let outcome = tokio::select! {
                () = services.stop_merging.cancelled() => return,
                outcome = Box::pin(job::rebuild(&services, table.id)) => outcome,
            };
            services.rebuilds.tell(table.id, None);
            match outcome {
                Ok(()) => {}
                Err(WorkError::Superseded(why)) => tracing::info!(table = table.name, why, "a rebuild begins again"),
                Err(e) => {
                    tracing::warn!(table = table.name, error = %e, "a table could not be made again and will be tried again");
                    let told = failed.insert(table.id, (tokio::time::Instant::now() + AGAIN, requested));
                    if told.is_none_or(|(_, of)| of != requested) {
                        tell(&services, table, &e).await;
                    }
                }
            }
        }
        let wait = if failed.is_empty() { Duration::from_secs(3_600) } else { AGAIN };
        tokio::select! {
            () = services.stop_merging.cancelled() => return,
            () = tokio::time::sleep(wait) => {}
            _ = changed.changed() => {}
        }
        tokio::select! {
            () = services.stop_merging.cancelled() => return,
            () = tokio::time::sleep(EVERY) => {}
        }
    }
}

fn wanted(services: &Services) -> Result<Vec<Table>, WorkError> {
    let all = services.catalog.view().all::<Tables>()?;
    Ok(all.into_iter().map(|(_, t)| t).filter(|t| t.rebuild.is_some()).collect())
}

async fn tell(services: &Services, table: &Table, e: &WorkError) {
    let message = format!("silver.{} could not be made again from Bronze and is tried again each minute: {e}", table.name);
    let alert = Alert::new(table.tenant_id, "rebuild_failed", table.name.as_str(), message);
    if let Err(e) = services.catalog.propose("node", Command::RaiseAlert(alert)).await {
        tracing::warn!(error = %Error::from(e), "an alert could not be raised");
    }
}
