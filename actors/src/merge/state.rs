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
    /// When the first of them was taken.
    pub began: Option<Instant>,
    /// The runs that they belong to are over: nothing more comes from them.
    pub over: bool,
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

/// Decides with `queued` commits waiting. At most one Silver commit per `interval` and table while
/// runs go on: until then rows gather in files that are being written, so waiting costs no memory.
/// A run that is over is not made to wait for its end.
pub(super) fn next(pending: &Pending, queued: usize, stopping: bool, now: Instant, interval: Duration, max_bytes: u64) -> Next {
    if pending.commits == 0 {
        return if queued > 0 && !stopping { Next::Take } else { Next::Wait(None) };
    }
    if stopping || pending.bytes >= max_bytes || pending.rows >= MAX_ROWS {
        return Next::Commit;
    }
    let due = match (pending.last, pending.began) {
        (Some(last), _) => last + interval,
        (None, Some(began)) => began + interval / 4,
        (None, None) => now,
    };
    match queued {
        1.. if now < due + interval => Next::Take,
        0 if !pending.over && now < due => Next::Wait(Some(due)),
        _ => Next::Commit,
    }
}
