//! Due instants over changes of the clock, what passes unseen, and what is started.
#![expect(clippy::unwrap_used, reason = "tests")]

use lakewright_proto::{ConnectorId, TenantId};
use proptest::prelude::*;

use super::*;

fn us(text: &str) -> i64 {
    DateTime::parse_from_rfc3339(text).unwrap().timestamp_micros()
}

fn next(cron: &str, zone: &str, after: &str) -> String {
    let at = Rule::parse(cron, zone).unwrap().next(us(after)).unwrap();
    DateTime::from_timestamp_micros(at).unwrap().to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
}

#[test]
fn instants_are_those_of_the_zone_over_both_changes_of_the_clock() {
    assert_eq!(next("30 9 * * *", "UTC", "2026-01-01T09:30:00Z"), "2026-01-02T09:30:00Z", "after, not at");
    assert_eq!(next("15 6 * * MON-FRI", "Europe/Berlin", "2026-07-03T05:00:00Z"), "2026-07-06T04:15:00Z", "over a weekend, in summer time");
    assert_eq!(next("15 6 * * MON-FRI", "Europe/Berlin", "2026-01-02T06:00:00Z"), "2026-01-05T05:15:00Z", "in winter time");
    // 02:30 is not there on 29 March; it comes when the hour that is left out ends.
    assert_eq!(next("30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z"), "2026-03-29T01:00:00Z");
    assert_eq!(next("30 2 * * *", "Europe/Berlin", "2026-03-29T02:00:00Z"), "2026-03-30T00:30:00Z");
    // 02:30 is there twice on 25 October, and comes once.
    assert_eq!(next("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z"), "2026-10-25T00:30:00Z");
    assert_eq!(next("30 2 * * *", "Europe/Berlin", "2026-10-25T00:30:00Z"), "2026-10-26T01:30:00Z");
}

#[test]
fn what_is_no_schedule_is_refused_with_the_way_to_write_one() {
    for (cron, zone, said) in [
        ("every day", "UTC", "MON-FRI"),
        ("* * * * * *", "UTC", "MON-FRI"),
        ("61 * * * *", "UTC", "MON-FRI"),
        ("0 0 31 2 *", "UTC", "never comes"),
        ("0 0 * * *", "Mars/Olympus", "Europe/Berlin"),
    ] {
        let refused = Rule::parse(cron, zone).err().unwrap();
        assert!(refused.message.contains(said), "{cron} {zone}: {refused}");
    }
}

#[test]
fn a_stream_that_is_still_read_waits_and_one_that_was_started_is_done() {
    let set = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect::<HashSet<_>>();
    let offered = ["a".to_owned(), "b".to_owned(), "c".to_owned()];
    assert_eq!(starts(&offered, &set(&[]), &set(&[])), (vec!["a", "b", "c"], true));
    assert_eq!(starts(&offered, &set(&["b"]), &set(&["a"])), (vec!["c"], false), "b goes on from before");
    assert_eq!(starts(&offered, &set(&["a", "b", "c"]), &set(&["a", "b", "c"])), (vec![], true), "all were started before a crash");
    assert_eq!(starts(&[], &set(&[]), &set(&[])), (vec![], true));
}

fn schedule(next_at: i64, jitter_us: i64, connector: ConnectorId) -> Schedule {
    Schedule {
        tenant_id: TenantId::generate(),
        connector_id: connector,
        cron: "* * * * *".into(),
        zone: "UTC".into(),
        jitter_us,
        created_at: 0,
        next_at,
        last_at: None,
        missed: 0,
        last_error: None,
        retry_at: 0,
    }
}

proptest! {
    /// However long nobody looked: the next instant is still to come, none lies between, and the missed ones are counted.
    #[test]
    fn nothing_is_made_good_twice(start in 0i64..4_000_000_000_000_000, minutes in 0i64..3_000, every in 1u32..60) {
        let rule = Rule::parse(&format!("*/{every} * * * *"), "America/New_York").unwrap();
        let due = rule.next(start).unwrap();
        let now = due + minutes * 60_000_000;
        let (next, missed) = rule.after(due, now).unwrap();
        prop_assert!(next > now);
        let (mut at, mut passed) = (due, 0);
        while rule.next(at).unwrap() <= now {
            (at, passed) = (rule.next(at).unwrap(), passed + 1);
        }
        prop_assert_eq!((missed, next), (passed, rule.next(at).unwrap()));
    }

    #[test]
    fn a_start_is_put_off_within_its_jitter_always_by_the_same(at: u32, jitter in 0i64..1_000_000_000) {
        let s = schedule(i64::from(at), jitter, ConnectorId::generate());
        let by = put_off(&s);
        prop_assert!((0..jitter.max(1)).contains(&by));
        prop_assert_eq!(by, put_off(&s));
        prop_assert!(is_due(&s, s.next_at + by) && !is_due(&s, s.next_at + by - 1));
    }
}
