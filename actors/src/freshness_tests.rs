//! Tests of freshness: the decision, and a catalog with a clock of the test's own that is closed and opened again.
#![expect(clippy::unwrap_used, reason = "tests")]

use lakewright_storage::catalog::command::*;
use lakewright_storage::catalog::keyspace::Alerts;
use lakewright_storage::catalog::records::Tenant;

use super::*;
use crate::catalog_world::*;

/// At `hours` after the start: the ages in hours.
async fn ages(w: &World, rules: &mut Rules, hours: i64) -> Vec<i64> {
    let found = look(&w.catalog, &w.packs, w.at(hours), rules).await.unwrap();
    // Each command of the same instant is a microsecond later.
    found.iter().map(|a| (a.us + HOUR / 2) / HOUR).collect()
}

fn rule() -> AgeRule {
    AgeRule { table: "order".into(), name: "within_a_day".into(), max_age: 24 * HOUR }
}

#[test]
fn a_table_is_stale_only_past_its_rule_and_only_once() {
    let rule = rule();
    let kind = |rule, arrived, told, now| judge(now, &Known { table: "order", rule, arrived, told }, tenant()).map(|a| a.kind);
    assert_eq!(kind(Some(&rule), Some(START), false, START + 24 * HOUR), None, "just old enough");
    assert_eq!(kind(Some(&rule), Some(START), false, START + 24 * HOUR + 1).as_deref(), Some("freshness"));
    assert_eq!(kind(Some(&rule), Some(START), true, START + 25 * HOUR), None, "told already");
    assert_eq!(kind(Some(&rule), Some(START), true, START + HOUR).as_deref(), Some("freshness_restored"));
    assert_eq!(kind(Some(&rule), None, false, START + 1_000 * HOUR), None, "nothing ever came");
    assert_eq!(kind(None, Some(START), false, START + 1_000 * HOUR), None);
    assert_eq!(kind(None, Some(START), true, START + HOUR).as_deref(), Some("freshness_restored"), "the rule is gone");
}

#[test]
fn an_alert_says_how_long_and_what_to_do() {
    let rule = rule();
    let known = Known { table: "order", rule: Some(&rule), arrived: Some(START), told: false };
    let alert = judge(START + 30 * HOUR, &known, tenant()).unwrap();
    assert_eq!((alert.subject.as_str(), alert.kind.as_str()), ("order", "freshness"));
    assert_eq!(
        alert.message,
        "silver.order got its last record 1d 6h ago, and the rule within_a_day allows 1d 0h: look at its source with `lakewright run list`"
    );
}

#[tokio::test]
async fn silence_and_its_end_are_told_once_across_restarts() {
    let dir = tempfile::tempdir().unwrap();
    let (w, mut rules) = (World::open(dir.path(), START), Rules::new());
    let shard = w.start().await;
    assert!(ages(&w, &mut rules, 1_000).await.is_empty(), "nothing came yet, so nothing has an age");
    w.record(shard, 0, 1_000).await;
    assert_eq!(ages(&w, &mut rules, 1_024).await, [24]);
    assert!(w.kinds().is_empty());
    assert_eq!(ages(&w, &mut rules, 1_025).await, [25], "the strictest of two rules holds");
    ages(&w, &mut rules, 1_026).await;
    assert_eq!(w.kinds(), ["freshness"]);

    w.catalog.store().close().unwrap();
    drop(w);
    let (w, mut rules) = (World::open(dir.path(), START + 1_100 * HOUR), Rules::new());
    assert_eq!(ages(&w, &mut rules, 1_100).await, [100]);
    assert_eq!(w.kinds(), ["freshness"], "a restarted node has told it already");

    w.record(shard, 1, 1_101).await;
    assert_eq!(ages(&w, &mut rules, 1_102).await, [1]);
    ages(&w, &mut rules, 1_103).await;
    assert_eq!(w.kinds(), ["freshness", "freshness_restored"]);
    ages(&w, &mut rules, 1_200).await;
    assert_eq!(w.kinds(), ["freshness", "freshness_restored", "freshness"]);
    assert!(w.catalog.view().all::<Alerts>().unwrap().iter().all(|(_, a)| a.subject == "order"));
}

#[tokio::test]
async fn a_rule_that_is_dropped_ends_its_alert_and_a_suspended_tenant_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let (w, mut rules) = (World::open(dir.path(), START), Rules::new());
    let shard = w.start().await;
    w.record(shard, 0, 0).await;
    ages(&w, &mut rules, 30).await;
    let without: String = PACK.lines().filter(|l| !l.contains("freshness") && !l.contains("rules:")).map(|l| format!("{l}\n")).collect();
    w.pin(&without).await;
    assert!(ages(&w, &mut rules, 31).await.is_empty());
    assert_eq!(w.kinds(), ["freshness", "freshness_restored"]);
    w.pin(PACK).await;
    let record = w.catalog.view().get::<Tenants>(&tenant()).unwrap().unwrap();
    w.done(Command::UpdateTenant(Tenant { status: Status::Suspended, ..record.clone() })).await;
    assert!(ages(&w, &mut rules, 32).await.is_empty());
    w.done(Command::UpdateTenant(record)).await;
    assert_eq!(ages(&w, &mut rules, 33).await, [33]);
    assert_eq!(w.kinds(), ["freshness", "freshness_restored", "freshness"]);
}
