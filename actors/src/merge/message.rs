//! How a merge ends.

use crate::error::WorkError;

/// Messages of a merge.
#[derive(Debug)]
pub enum MergeMsg {
    /// The merging beside it ended.
    Ended(Result<MergeEnd, WorkError>),
}

/// Why merging ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MergeEnd {
    /// Nothing was left to do.
    Idle,
    /// The node stops.
    Stopped,
}
