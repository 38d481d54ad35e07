//! When a mart is built again: pure.

use std::time::Duration;

use lakewright_storage::catalog::records::{GoldBuild, GoldInput};

/// A day, microseconds.
pub const DAY: i64 = 86_400 * 1_000_000;
/// Changes that keep coming put a build off by so many pauses at most.
const PATIENCE: i64 = 6;
/// Of each machine's time a mart takes one part in so many.
const SHARE: i64 = 10;

/// What a mart is made of, and was made of last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// The tables that it reads and that have had rows, as they are.
    pub inputs: Vec<GoldInput>,
    /// When one of them changed last, microseconds since 1970.
    pub changed_at: i64,
    /// The pack version.
    pub pack: String,
    /// Its newest build.
    pub last: Option<GoldBuild>,
}

/// When to build.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// Not before something changes.
    Never,
    /// At this instant, microseconds since 1970.
    At(i64),
    /// Now.
    Now,
}

/// The UTC day of an instant, in days since 1970.
pub fn day(now: i64) -> u32 {
    u32::try_from(now.div_euclid(DAY)).unwrap_or_default()
}

/// Decides. A burst of changes gives one build at its end, a stream of them one each so often; a new day and a new pack
/// version one each.
pub fn when(state: &State, debounce: Duration, now: i64) -> When {
    if state.inputs.is_empty() {
        return When::Never;
    }
    let debounce = i64::try_from(debounce.as_micros()).unwrap_or(i64::MAX / 16);
    let at = match &state.last {
        None => state.changed_at + debounce,
        Some(last) if last.date < day(now) || last.pack != state.pack => last.built_at + last.took_us * SHARE,
        Some(last) if last.inputs == state.inputs => return When::Never,
        Some(last) => {
            let quiet = state.changed_at + debounce;
            let patience = last.built_at + debounce * PATIENCE;
            quiet.min(patience).max(last.built_at + last.took_us * SHARE)
        }
    };
    if at <= now {
        When::Now
    } else {
        When::At(at)
    }
}
