//! When schedules are due, and what is started then: pure.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use croner::parser::{CronParser, Seconds, Year};
use croner::Cron;
use lakewright_proto::{Error, ErrorCode};
use lakewright_storage::catalog::records::Schedule;

/// Instants counted as missed at most.
const COUNTED: u64 = 10_000;

/// A schedule's rule, parsed.
pub struct Rule {
    cron: Cron,
    zone: Tz,
}

impl Rule {
    /// Five cron fields and an IANA zone. In the hour that a change to summer time leaves out, an instant
    /// comes at its end; in the hour that comes twice, a fixed time comes once.
    pub fn parse(cron: &str, zone: &str) -> Result<Self, Error> {
        let invalid = |m: String| Error::new(ErrorCode::InvalidArgument, m);
        let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build();
        let parsed = parser.parse(cron).map_err(|e| {
            invalid(format!(
                "{cron:?} is no schedule: {e}; write minute, hour, day of the month, month, day of the week, as \"15 6 * * MON-FRI\""
            ))
        })?;
        let zone = zone.parse().map_err(|_| invalid(format!("{zone:?} is no time zone; write an IANA name, as Europe/Berlin or UTC")))?;
        let rule = Self { cron: parsed, zone };
        if rule.next(Utc::now().timestamp_micros()).is_none() {
            return Err(invalid(format!("{cron:?} never comes")));
        }
        Ok(rule)
    }

    /// The first instant after this one, in microseconds since 1970.
    pub fn next(&self, after_us: i64) -> Option<i64> {
        let after = DateTime::from_timestamp_micros(after_us)?.with_timezone(&self.zone);
        let next = self.cron.find_next_occurrence(&after, false).ok()?.timestamp_micros();
        (next > after_us).then_some(next)
    }

    /// What comes after `due` now that it is `now`: the first instant that is still to come, and how many
    /// passed between.
    pub fn after(&self, due: i64, now: i64) -> Option<(i64, u64)> {
        let (mut at, mut missed) = (self.next(due)?, 0);
        while at <= now {
            if missed == COUNTED {
                return Some((self.next(now)?, missed));
            }
            (at, missed) = (self.next(at)?, missed + 1);
        }
        Some((at, missed))
    }
}

/// By how much a start is put off: the same for an instant whoever asks, spread over connectors.
pub fn put_off(s: &Schedule) -> i64 {
    if s.jitter_us <= 0 {
        return 0;
    }
    let mut seed = s.connector_id.as_bytes().to_vec();
    seed.extend_from_slice(&s.next_at.to_be_bytes());
    (xxhash_rust::xxh3::xxh3_64(&seed) % s.jitter_us as u64) as i64
}

/// Whether anything is to be done about it now.
pub fn is_due(s: &Schedule, now: i64) -> bool {
    now >= s.next_at + put_off(s) && now >= s.retry_at
}

/// Streams whose run is to be started for a due instant, and whether that sees to all of them. A
/// stream that is still being read waits for its end; one that was started for this instant is done.
pub fn starts<'a>(offered: &'a [String], open: &HashSet<String>, started: &HashSet<String>) -> (Vec<&'a str>, bool) {
    let wanting = || offered.iter().filter(|s| !started.contains(*s));
    (wanting().filter(|s| !open.contains(*s)).map(String::as_str).collect(), wanting().all(|s| !open.contains(s)))
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
