//! The decision to take, commit or wait.

use std::time::{Duration, Instant};

use super::state::{next, Next, Pending};

const INTERVAL: Duration = Duration::from_secs(2);

fn pending(commits: usize, last: Option<Instant>) -> Pending {
    Pending { commits, bytes: 10, rows: 10, began: Some(Instant::now()), over: false, last }
}

#[test]
fn an_empty_session_takes_or_waits_and_never_commits() {
    let now = Instant::now();
    assert_eq!(next(&pending(0, None), 1, false, now, INTERVAL, 100), Next::Take);
    assert_eq!(next(&pending(0, None), 0, false, now, INTERVAL, 100), Next::Wait(None));
    assert_eq!(next(&pending(0, None), 3, true, now, INTERVAL, 100), Next::Wait(None), "a stopping merge takes nothing new");
}

#[test]
fn the_first_rows_wait_a_little_and_later_ones_for_the_interval() {
    let now = Instant::now();
    let first = Pending { began: Some(now), ..pending(1, None) };
    assert_eq!(next(&first, 0, false, now, INTERVAL, 100), Next::Wait(Some(now + INTERVAL / 4)));
    assert_eq!(next(&first, 0, false, now + INTERVAL / 4, INTERVAL, 100), Next::Commit);
    assert_eq!(next(&pending(1, Some(now)), 0, false, now, INTERVAL, 100), Next::Wait(Some(now + INTERVAL)));
    assert_eq!(next(&pending(1, Some(now)), 0, false, now + INTERVAL, INTERVAL, 100), Next::Commit);
}

#[test]
fn the_end_of_a_run_is_not_made_to_wait() {
    let now = Instant::now();
    let over = Pending { over: true, ..pending(1, Some(now)) };
    assert_eq!(next(&over, 0, false, now, INTERVAL, 100), Next::Commit);
    assert_eq!(next(&over, 3, false, now, INTERVAL, 100), Next::Take, "another run's records are here already");
}

#[test]
fn a_busy_queue_is_taken_on_but_not_for_ever() {
    let now = Instant::now();
    assert_eq!(next(&pending(1, Some(now)), 5, false, now + INTERVAL, INTERVAL, 100), Next::Take);
    assert_eq!(next(&pending(1, Some(now)), 5, false, now + 2 * INTERVAL, INTERVAL, 100), Next::Commit);
    let full = Pending { bytes: 100, ..pending(9, None) };
    assert_eq!(next(&full, 5, false, now, INTERVAL, 100), Next::Commit);
}

#[test]
fn a_stopping_merge_commits_what_it_has() {
    let now = Instant::now();
    assert_eq!(next(&pending(1, Some(now)), 5, true, now, INTERVAL, 100), Next::Commit);
}
