//! What keeps a table's list of files short, every minute and in this order: small Bronze files are
//! re-packed, then older entries are folded. What stands in a manifest is not re-packed any more.

use std::sync::Arc;
use std::time::Duration;

use crate::error::WorkError;
use crate::folder::fold_once;
use crate::repack::repack_once;
use crate::services::Services;

/// How often it looks.
const EVERY: Duration = Duration::from_secs(60);
/// Rounds of re-packing before the fold gets its turn.
const ROUNDS: usize = 8;

/// Keeps lists short until the node stops.
pub async fn keep(services: Arc<Services>) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            () = services.stop_fetching.cancelled() => return,
        }
        match keep_once(&services).await {
            Ok((0, 0)) => {}
            Ok((repacked, folded)) => tracing::info!(repacked, folded, "lists of files shortened"),
            Err(e) => tracing::warn!(error = %e, "shortening lists of files failed and will be tried again"),
        }
    }
}

/// One turn; answers how many files were replaced and how many entries folded.
pub async fn keep_once(services: &Arc<Services>) -> Result<(u64, u64), WorkError> {
    let mut repacked = 0;
    for _ in 0..ROUNDS {
        let now = services.catalog.view().store().clock()?.0;
        match repack_once(services, now).await? {
            0 => break,
            n => repacked += n,
        }
    }
    Ok((repacked, fold_once(services).await?))
}

#[cfg(test)]
#[path = "housekeeping_tests.rs"]
mod tests;
