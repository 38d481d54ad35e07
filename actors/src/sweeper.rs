//! Deletes objects that no reader can need any more: dropped files after a day. A named file is
//! never deleted; an unnamed one eventually is.

use std::sync::Arc;
use std::time::Duration;

use futures::stream::{self, StreamExt};
use lakewright_proto::{ErrorCode, FileId};
use lakewright_storage::catalog::command::Command;
use lakewright_storage::catalog::keyspace::Dropped;
use lakewright_storage::catalog::Read as _;

use crate::services::Services;

/// A dropped file stays this long: ticket life plus the longest query, with room to spare.
const KEEP_US: i64 = 24 * 3_600 * 1_000_000;
/// How often the sweep looks.
const EVERY: Duration = Duration::from_secs(600);
/// Files deleted in one round.
const ROUND: usize = 1_000;

/// A dropped file's key in the catalog, and its object.
type Due = ((u64, FileId), String);

/// Sweeps until the node stops.
pub async fn sweep(services: Arc<Services>) {
    loop {
        match sweep_once(&services).await {
            Ok(0) => {}
            Ok(n) => tracing::info!(files = n, "dropped files deleted"),
            Err(e) => tracing::warn!(error = %e, "the sweep failed and will be tried again"),
        }
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            () = services.stop_fetching.cancelled() => return,
        }
    }
}

/// One round: objects first, then their names, so that a crash between leaves names to try again.
async fn sweep_once(services: &Services) -> Result<usize, crate::error::WorkError> {
    let (now, due) = {
        let view = services.catalog.view();
        let (now, _) = view.store().clock()?;
        let due: Vec<Due> = view.all::<Dropped>()?.into_iter().take(ROUND).map(|(k, d)| (k, d.path)).collect();
        (now, due)
    };
    let due: Vec<_> = due.into_iter().filter(|((at, _), _)| *at as i64 + KEEP_US < now).collect();
    let deleted: Vec<Option<(u64, FileId)>> = stream::iter(due)
        .map(|(key, path)| async move {
            match services.store.delete(&path).await {
                Ok(()) => Some(key),
                Err(e) if e.code() == ErrorCode::NotFound => Some(key),
                Err(_) => None,
            }
        })
        .buffer_unordered(8)
        .collect()
        .await;
    let files: Vec<_> = deleted.into_iter().flatten().collect();
    let n = files.len();
    if n > 0 {
        services.catalog.propose("node", Command::ForgetFiles { files }).await?;
    }
    Ok(n)
}
