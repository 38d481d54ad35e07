//! Backoff: it grows, it is bounded, it is spread.

use std::time::Duration;

use super::{backoff, refuses_all, Ended, BACKOFF_MAX};
use crate::connectors::SourceError;

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

#[test]
fn several_refusals_and_nothing_else_are_a_matter_of_permissions() {
    let refused = || Err(Ended::Refused("AccessDenied".into()));
    assert!(matches!(refuses_all([refused(), refused(), refused()].iter()), Some(Ended::Failed(SourceError::Retry { .. }))));
    assert!(refuses_all([refused(), refused()].iter()).is_none(), "a record or two may be refused by themselves");
    assert!(refuses_all([refused(), refused(), Err(Ended::Gone), refused()].iter()).is_none());
    assert!(refuses_all(std::iter::empty()).is_none());
}
