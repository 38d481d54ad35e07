//! What a connector is told.

use lakewright_proto::{RunId, ShardId};
use lakewright_storage::catalog::records::{Run, Shard};

use crate::error::WorkError;
use crate::shard::ShardEnd;

/// Messages of a connector.
#[derive(Debug)]
pub enum ConnectorMsg {
    /// The runs that should be open, with their shards.
    Desired(Vec<(Run, Vec<Shard>)>),
    /// A shard's reading ended.
    ShardEnded {
        /// The run.
        run: RunId,
        /// The shard.
        shard: ShardId,
        /// How.
        end: ShardEnd,
    },
    /// A failed shard's wait is over.
    Restart(RunId, ShardId),
    /// The end of a run was proposed.
    Finished(RunId, Result<(), WorkError>),
    /// A failed proposal's wait is over.
    FinishAgain(RunId),
}
