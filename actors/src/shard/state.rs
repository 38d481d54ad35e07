//! When gathered records are committed: pure.

use std::time::{Duration, Instant};

/// What waits for the next Bronze commit.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Gathered {
    /// Records.
    pub records: u64,
    /// Payload bytes.
    pub bytes: usize,
    /// When the first of them came.
    pub since: Option<Instant>,
}

/// What the reader says after each step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pressure {
    /// More is coming.
    Flowing,
    /// Nothing comes for now, the reader waits for credit, or reading ends: commit what is here.
    Flush,
}

/// Whether to commit now.
pub(super) fn is_due(
    gathered: &Gathered,
    pressure: Pressure,
    now: Instant,
    commit_bytes: usize,
    commit_rows: u64,
    interval: Duration,
) -> bool {
    if gathered.records == 0 {
        return false;
    }
    pressure == Pressure::Flush
        || gathered.bytes >= commit_bytes
        || gathered.records >= commit_rows
        || gathered.since.is_some_and(|since| now.duration_since(since) >= interval)
}
