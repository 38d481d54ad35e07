//! Restart is policy, not reflex: back off with jitter, and give up loudly when it keeps failing.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// When to restart a failed child, and when to stop trying.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RestartPolicy {
    /// More failures than this within `window` break the child.
    pub max_restarts: u32,
    /// The time in which failures are counted.
    pub window: Duration,
    /// The first wait.
    pub backoff_min: Duration,
    /// The longest wait.
    pub backoff_max: Duration,
}

impl Default for RestartPolicy {
    fn default() -> Self {
        Self {
            max_restarts: 12,
            window: Duration::from_secs(600),
            backoff_min: Duration::from_millis(200),
            backoff_max: Duration::from_secs(30),
        }
    }
}

/// What to do about a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Start it again after this long.
    Restart(Duration),
    /// Leave it: an operator has to look.
    Broken,
}

/// A child's failures so far.
#[derive(Clone, Debug, Default)]
pub struct History {
    failures: VecDeque<Instant>,
}

impl RestartPolicy {
    /// Decides about a failure at `now`. `jitter` is in 0..1: it spreads children that failed together.
    pub fn decide(&self, history: &mut History, now: Instant, jitter: f64) -> Verdict {
        while history.failures.front().is_some_and(|t| now.duration_since(*t) > self.window) {
            history.failures.pop_front();
        }
        history.failures.push_back(now);
        let n = history.failures.len() as u32;
        if n > self.max_restarts {
            return Verdict::Broken;
        }
        let wait = self.backoff_min.saturating_mul(1 << (n - 1).min(16)).min(self.backoff_max);
        Verdict::Restart(wait.mul_f64(0.5 + jitter.clamp(0.0, 1.0) / 2.0))
    }
}

#[cfg(test)]
#[path = "restart_tests.rs"]
mod tests;
