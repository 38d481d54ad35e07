//! The decision to commit.

use std::time::{Duration, Instant};

use super::state::{is_due, Gathered, Pressure};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn commits_are_due_by_bytes_by_time_and_by_pressure_and_never_when_empty() {
    let now = Instant::now();
    let some = Gathered { records: 3, bytes: 100, since: Some(now) };
    assert!(!is_due(&some, Pressure::Flowing, now, 1_000, 50, SECOND));
    assert!(is_due(&some, Pressure::Flowing, now, 1_000, 3, SECOND));
    assert!(is_due(&some, Pressure::Flush, now, 1_000, 50, SECOND));
    assert!(is_due(&some, Pressure::Flowing, now, 100, 50, SECOND));
    assert!(is_due(&some, Pressure::Flowing, now + SECOND, 1_000, 50, SECOND));
    assert!(!is_due(&Gathered::default(), Pressure::Flush, now, 0, 50, SECOND));
}
