//! What a shard is told, and how it ends.

use crate::error::WorkError;

/// Messages of a shard.
#[derive(Debug)]
pub enum ShardMsg {
    /// The reading beside it ended.
    Ended(Result<ShardEnd, WorkError>),
    /// Stop fetching, commit what is gathered, end.
    Drain,
}

/// Why a shard's reading ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShardEnd {
    /// A batch run read all there is for now.
    Exhausted,
    /// The source closed the shard for ever.
    Closed,
    /// It was told to stop.
    Stopped,
    /// Another owner has taken over, or the run is over.
    Superseded,
}
