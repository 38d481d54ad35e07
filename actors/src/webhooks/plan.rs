//! When a failed delivery is tried again: pure.

const SECOND: i64 = 1_000_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;

/// Waits before each further attempt, about a day in all.
const WAITS: [i64; 11] =
    [5 * SECOND, 30 * SECOND, 2 * MINUTE, 10 * MINUTE, 30 * MINUTE, HOUR, 2 * HOUR, 3 * HOUR, 4 * HOUR, 6 * HOUR, 8 * HOUR];

/// Attempts before an alert is given up.
pub const ATTEMPTS: u32 = WAITS.len() as u32 + 1;

/// When to try again after `failed` earlier failures and one more now (microseconds since 1970), or not
/// at all. `salt` spreads those who failed together, by up to a fifth of the wait.
pub fn next_attempt(failed: u32, now: i64, salt: u64) -> Option<i64> {
    let wait = WAITS.get(failed as usize)?;
    let spread = salt.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 44; // 20 bits
    Some(now + wait + (wait / 5) * spread as i64 / (1 << 20))
}
