//! Quotas: no limit is ever exceeded, the urgent come first, tenants share.
#![expect(clippy::panic, reason = "tests")]

use lakewright_proto::TenantId;
use proptest::prelude::*;
use uuid::Uuid;

use super::*;

const DAY: i64 = SLOT * SLOTS;
const T0: i64 = 1_790_000_000 * 1_000_000;

fn tenant(n: u128) -> TenantId {
    TenantId(Uuid::from_u128(n))
}

fn ask(who: u128, class: QuotaClass, calls: u32) -> QuotaAsk {
    QuotaAsk { name: "1/s/reads".into(), tenant: tenant(who), class, calls, per_second: 10, per_day: 1_000 }
}

fn granted(grant: QuotaGrant) -> u32 {
    match grant {
        QuotaGrant::Granted { calls, .. } => calls,
        QuotaGrant::Denied { .. } => 0,
    }
}

#[test]
fn live_calls_are_promised_ten_seconds_ahead_and_the_rest_gives_way() {
    let mut q = Quota::default();
    assert_eq!(decide(&mut q, &ask(1, QuotaClass::Live, 100), T0), QuotaGrant::Granted { calls: 100, wait_us: 0, spacing_us: 100_000 });
    assert_eq!(
        decide(&mut q, &ask(2, QuotaClass::Live, 50), T0),
        QuotaGrant::Granted { calls: 50, wait_us: 10 * SECOND, spacing_us: 100_000 }
    );
    assert!(matches!(decide(&mut q, &ask(1, QuotaClass::Live, 1), T0), QuotaGrant::Denied { limit: QuotaLimit::Second, .. }));
    for class in [QuotaClass::Sweep, QuotaClass::Backfill] {
        assert_eq!(granted(decide(&mut q, &ask(1, class, 5), T0 + 14 * SECOND - 500_000)), 0);
    }
    // Nobody urgent asked for a while, and nothing is promised: history goes on in small blocks.
    assert_eq!(granted(decide(&mut q, &ask(1, QuotaClass::Backfill, 500), T0 + 20 * SECOND)), 20);
    // A live call then waits for two seconds at most.
    assert!(
        matches!(decide(&mut q, &ask(1, QuotaClass::Live, 1), T0 + 20 * SECOND), QuotaGrant::Granted { wait_us, .. } if wait_us <= 2 * SECOND)
    );
}

#[test]
fn history_leaves_a_fifth_of_the_day_to_what_is_live() {
    let mut q = Quota::default();
    let (mut now, mut history) = (T0, 0);
    for _ in 0..100 {
        history += granted(decide(&mut q, &ask(1, QuotaClass::Backfill, 20), now));
        now += 3 * SECOND;
    }
    assert_eq!(history, 800);
    let told = decide(&mut q, &ask(1, QuotaClass::Backfill, 20), now);
    let QuotaGrant::Denied { wait_us, limit: QuotaLimit::Day } = told else { panic!("{told:?}") };
    assert_eq!(granted(decide(&mut q, &ask(1, QuotaClass::Live, 20), now)), 20);
    // After the wait there is room.
    assert!(granted(decide(&mut q, &ask(1, QuotaClass::Backfill, 20), now + wait_us)) > 0);
}

#[test]
fn a_greedy_tenant_leaves_others_their_share() {
    let mut q = Quota::default();
    let mut now = T0;
    assert_eq!(granted(decide(&mut q, &ask(2, QuotaClass::Live, 1), now)), 1);
    let mut greedy = 0;
    for _ in 0..200 {
        now += 12 * SECOND;
        greedy += granted(decide(&mut q, &ask(1, QuotaClass::Live, 100), now));
    }
    assert!((740..760).contains(&greedy), "half of the other's unused share is kept: {greedy}");
    let mut other = 0;
    for _ in 0..20 {
        now += 12 * SECOND;
        other += granted(decide(&mut q, &ask(2, QuotaClass::Live, 100), now));
    }
    assert_eq!(u64::from(greedy) + u64::from(other) + 1, 1_000);
    assert_eq!(used(&q, now).get(&tenant(2)), Some(&(u64::from(other) + 1)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn no_second_and_no_day_ever_has_more_calls_than_the_source_allows(
        steps in proptest::collection::vec((0i64..400 * SECOND, 1u128..4, 0u8..3, 1u32..200), 1..400),
    ) {
        let mut q = Quota::default();
        let mut now = T0;
        let mut calls: Vec<i64> = Vec::new();
        for (pause, who, class, n) in steps {
            // Long and short pauses alike.
            now += if pause % 3 == 0 { pause } else { pause % (3 * SECOND) };
            let class = [QuotaClass::Live, QuotaClass::Sweep, QuotaClass::Backfill][class as usize];
            if let QuotaGrant::Granted { calls: n, wait_us, spacing_us } = decide(&mut q, &ask(who, class, n), now) {
                calls.extend((0..i64::from(n)).map(|i| now + wait_us + i * spacing_us));
            }
            prop_assert!(q.slots.len() <= SLOTS as usize + 3);
        }
        prop_assert!(calls.windows(2).all(|w| w[1] - w[0] >= SECOND / 10));
        let mut from = 0;
        for (i, at) in calls.iter().enumerate() {
            while calls[from] <= at - DAY { from += 1; }
            prop_assert!(i - from < 1_000);
        }
    }
}
