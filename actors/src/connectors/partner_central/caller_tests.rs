//! Backoff: it grows, it is bounded, it is spread.

use std::time::Duration;

use super::{backoff, BACKOFF_MAX};

#[test]
fn waits_grow_to_a_bound_and_are_spread() {
    assert_eq!(backoff(1, 0.0), Duration::from_millis(200));
    assert_eq!(backoff(1, 1.0), Duration::from_millis(400));
    let mut last = Duration::ZERO;
    for failures in 1..40 {
        let wait = backoff(failures, 1.0);
        assert!(wait >= last && wait <= BACKOFF_MAX);
        last = wait;
    }
    assert_eq!(last, BACKOFF_MAX);
}
