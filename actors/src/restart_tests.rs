//! The policy backs off, stays within its bounds, gives up, and forgives with time.

use proptest::prelude::*;

use super::*;

#[test]
fn it_gives_up_after_too_many_failures_in_the_window() {
    let policy = RestartPolicy { max_restarts: 3, ..RestartPolicy::default() };
    let mut history = History::default();
    let now = Instant::now();
    for _ in 0..3 {
        assert!(matches!(policy.decide(&mut history, now, 0.5), Verdict::Restart(_)));
    }
    assert_eq!(policy.decide(&mut history, now, 0.5), Verdict::Broken);
}

#[test]
fn a_minute_away_is_outlasted_and_more_than_ten_are_not() {
    let policy = RestartPolicy::default();
    for (jitter, at_most) in [(0.0, 600), (1.0, 600)] {
        let (start, mut history) = (Instant::now(), History::default());
        let mut now = start;
        // A dependency that refuses at once is the worst case: all the time is the policy's own waits.
        while let Verdict::Restart(wait) = policy.decide(&mut history, now, jitter) {
            now += wait;
            assert!(now - start < Duration::from_secs(at_most), "it never gives up");
        }
        assert!(now - start > Duration::from_secs(60), "gave up after {:?}", now - start);
    }
}

#[test]
fn old_failures_are_forgiven() {
    let policy = RestartPolicy { max_restarts: 1, window: Duration::from_secs(10), ..RestartPolicy::default() };
    let mut history = History::default();
    let now = Instant::now();
    assert!(matches!(policy.decide(&mut history, now, 0.0), Verdict::Restart(_)));
    assert!(matches!(policy.decide(&mut history, now + Duration::from_secs(11), 0.0), Verdict::Restart(_)));
}

proptest! {
    #[test]
    fn waits_stay_within_bounds(n in 1usize..60, jitter in 0.0f64..1.0) {
        let policy = RestartPolicy { max_restarts: 100, ..RestartPolicy::default() };
        let mut history = History::default();
        let now = Instant::now();
        for _ in 0..n {
            match policy.decide(&mut history, now, jitter) {
                Verdict::Restart(wait) => {
                    prop_assert!(wait >= policy.backoff_min / 2);
                    prop_assert!(wait <= policy.backoff_max);
                }
                Verdict::Broken => prop_assert!(false, "100 restarts are allowed"),
            }
        }
    }
}
