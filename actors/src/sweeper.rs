//! Deletes objects that no reader can need any more: dropped files after a day. Objects that were
//! never named are for [`crate::orphans`].

use std::sync::Arc;
use std::time::Duration;

use futures::stream::{self, StreamExt};
use lakewright_proto::FileId;
use lakewright_storage::catalog::command::Command;

use crate::error::WorkError;
use crate::services::Services;

/// A dropped file stays this long: ticket life plus the longest query, with room to spare.
const KEEP_US: i64 = 24 * 3_600 * 1_000_000;
/// How often the sweep looks.
const EVERY: Duration = Duration::from_secs(600);

/// Sweeps until the node stops.
pub async fn sweep(services: Arc<Services>) {
    loop {
        let now = services.catalog.view().store().clock().map(|(now, _)| now).map_err(WorkError::from);
        let swept = match now {
            Ok(now) => sweep_once(&services, now).await,
            Err(e) => Err(e),
        };
        match swept {
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
/// `now` is the catalog's clock, microseconds since 1970.
pub async fn sweep_once(services: &Services, now: i64) -> Result<usize, WorkError> {
    let due = services.catalog.view().sweep_due(now, KEEP_US)?;
    let deleted: Vec<Option<(u64, FileId)>> = stream::iter(due)
        .map(|(at, file, path)| async move {
            match services.store.delete(&path).await {
                Ok(()) => Some((at, file)),
                Err(e) => {
                    tracing::warn!(path, error = %e, "a dropped file could not be deleted and will be tried again");
                    None
                }
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
