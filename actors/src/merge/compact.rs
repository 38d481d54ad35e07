//! Compaction of a bucket by its owner, between two merges, under the same epoch.

use std::sync::Arc;

use lakewright_proto::{ShardEpoch, TableId};
use lakewright_storage::catalog::command::{Command, CommitCompaction, Reply};
use lakewright_storage::silver::compact;

use crate::error::WorkError;
use crate::services::Services;
use crate::silver_context::silver_context;

/// Compactions between two merges: months of which each gets a file from every merge must not wait for each other.
const ROUNDS: usize = 4;

/// Merges files of a bucket while there is a reason to, a few at a time.
pub(super) async fn compact_if_due(services: &Arc<Services>, table: TableId, bucket: u32, epoch: ShardEpoch) -> Result<(), WorkError> {
    for _ in 0..ROUNDS {
        if !compact_once(services, table, bucket, epoch).await? {
            return Ok(());
        }
    }
    Ok(())
}

/// The most urgent compaction, if one is due; answers whether it was.
async fn compact_once(services: &Arc<Services>, table: TableId, bucket: u32, epoch: ShardEpoch) -> Result<bool, WorkError> {
    let (record, state) = {
        let view = services.catalog.view();
        (view.table(table)?, view.bucket_state(table, bucket)?)
    };
    let Some(plan) = compact::plan(&state) else { return Ok(false) };
    tracing::debug!(table = record.name, inputs = plan.inputs().len(), "compacting");
    let context = silver_context(services, &record, bucket, epoch)?;
    let (delta, inputs) = compact::execute(context, &state, &plan).await?;
    let command = CommitCompaction { table, bucket, epoch, inputs, delta };
    services.catalog.propose("node", Command::CommitCompaction(command)).await?;
    Ok(true)
}

/// Compacts a bucket now. It takes the bucket over for that: a merge under way is superseded, and
/// begins again from the catalog when its queue asks for it.
pub async fn compact_now(services: &Arc<Services>, table: TableId, bucket: u32) -> Result<(), WorkError> {
    let _held = services.rebuilds.hold(table).await;
    let claim = Command::ClaimBucket { table, bucket, node: services.node };
    let Reply::Epoch(epoch) = services.catalog.propose("node", claim).await? else {
        return Err(WorkError::Restart("the catalog answered a claim with something else".into()));
    };
    compact_if_due(services, table, bucket, epoch).await
}
