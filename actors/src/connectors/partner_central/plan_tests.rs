//! How long a run takes.

use std::time::Duration;

use super::takes;

#[test]
fn a_run_takes_what_its_pace_and_the_days_budget_allow() {
    assert_eq!(takes(3_000, 100_000, 10, 100_000), Duration::from_secs(300));
    assert_eq!(takes(0, 0, 10, 100_000), Duration::ZERO);
    // Half of it tomorrow.
    assert_eq!(takes(100, 50, 10, 100_000), Duration::from_secs(86_400 + 5));
    assert_eq!(takes(250_000, 100_000, 10, 100_000), Duration::from_secs(2 * 86_400 + 5_000));
}
