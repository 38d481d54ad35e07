//! When merged rows are committed: pure.

use std::time::{Duration, Instant};

/// Rows of one merge: each key that it touches costs some hundred bytes until it is committed.
const MAX_ROWS: u64 = 250_000;

/// A merge session under way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pending {
    /// Bronze commits taken.
    pub commits: usize,
    /// Payload bytes taken.
    pub bytes: u64,
    /// Accepted rows taken.
    pub rows: u64,
    /// The last Silver commit of the table, if one was made since this owner began.
    pub last: Option<Instant>,
}

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Take more from the queue.
    Take,
    /// Commit.
    Commit,
    /// Wait for the queue, at most until then.
    Wait(Option<Instant>),
}

/// Decides with `queued` commits waiting. At most one Silver commit per `interval` and table:
/// until then rows gather in files that are being written, so waiting costs no memory.
pub(super) fn next(pending: &Pending, queued: usize, stopping: bool, now: Instant, interval: Duration, max_bytes: u64) -> Next {
    if pending.commits == 0 {
        return if queued > 0 && !stopping { Next::Take } else { Next::Wait(None) };
    }
    if stopping || pending.bytes >= max_bytes || pending.rows >= MAX_ROWS {
        return Next::Commit;
    }
    let due = pending.last.map(|last| last + interval);
    match due {
        _ if queued > 0 && due.is_none_or(|d| now < d + interval) => Next::Take,
        Some(due) if now < due => Next::Wait(Some(due)),
        _ => Next::Commit,
    }
}
