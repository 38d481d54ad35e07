//! Tests of the rule that tells an unusual run.

use super::*;
use crate::catalog::records::{Distinct, MAX_ENUMS, MAX_VALUES};

fn profile(rows: u64, nulls: u64, values: &[&str]) -> EntityProfile {
    let distinct = Distinct { seen: values.iter().map(|v| (*v).to_owned()).collect(), many: false };
    EntityProfile { rows, nulls: [("amount".to_owned(), nulls)].into(), values: [("stage".to_owned(), distinct)].into() }
}

fn after(runs: &[(u64, EntityProfile)]) -> History {
    let mut history = History::default();
    runs.iter().for_each(|(volume, p)| remember(&mut history, *volume, p));
    history
}

fn kinds(history: &History, volume: u64, p: &EntityProfile) -> Vec<&'static str> {
    judge(history, volume, p).into_iter().map(|f| f.kind).collect()
}

#[test]
fn usual_is_the_median_and_six_mads_or_half_of_it_or_the_floor() {
    assert_eq!(usual(&[1_000; 4], 20), None);
    assert_eq!(usual(&[1_000; 5], 20), Some(Usual { median: 1_000, low: 500, high: 1_500 }));
    assert_eq!(usual(&[10; 5], 20), Some(Usual { median: 10, low: 0, high: 30 }));
    // Distances 0, 100, 100, 200, 200: six times 100 is more than half of the median.
    assert_eq!(usual(&[800, 900, 1_000, 1_100, 1_200], 20), Some(Usual { median: 1_000, low: 400, high: 1_600 }));
    // One run that went wrong does not widen what is usual.
    assert_eq!(usual(&[1_000, 1_000, 1_000, 1_000, 90_000], 20), Some(Usual { median: 1_000, low: 500, high: 1_500 }));
    assert_eq!(usual(&[0, 10, 20, 30, 40, 50], 0).map(|u| u.median), Some(25));
    assert_eq!(usual(&[u64::MAX; 5], 0).map(|u| u.high), Some(u64::MAX));
}

#[test]
fn a_run_with_much_more_less_or_nothing_is_told_from_the_sixth_on() {
    let same = |n| (1_000, profile(1_000, n, &["won"]));
    let four = after(&[same(0), same(0), same(0), same(0)]);
    assert!(kinds(&four, 0, &EntityProfile::default()).is_empty());
    let five = after(&[same(0), same(0), same(0), same(0), same(0)]);
    assert!(kinds(&five, 1_400, &profile(1_400, 0, &["won"])).is_empty());
    assert_eq!(kinds(&five, 1_600, &profile(1_600, 0, &["won"])), ["anomaly_volume"]);
    assert_eq!(judge(&five, 0, &EntityProfile::default())[0].text, "0 records; the last 5 runs had 500 to 1500 (median 1000)");
}

#[test]
fn a_source_that_mostly_has_nothing_new_has_no_usual_volume() {
    let nothing = || (0, EntityProfile::default());
    let history = after(&[(9_000, profile(9_000, 0, &[])), nothing(), nothing(), nothing(), nothing(), nothing()]);
    assert!(kinds(&history, 5_000, &profile(5_000, 0, &[])).is_empty());
}

#[test]
fn a_column_that_empties_is_told_with_its_share() {
    let history = after(&vec![(1_000, profile(1_000, 20, &[])); 6]);
    assert!(kinds(&history, 1_000, &profile(1_000, 60, &[])).is_empty(), "within five points");
    let found = judge(&history, 1_000, &profile(1_000, 305, &[]));
    assert_eq!((found.len(), found[0].kind), (1, "anomaly_nulls"));
    assert_eq!(found[0].text, "records without a value: amount 30.5% (median 2.0%)");
    assert!(kinds(&history, 10, &profile(10, 10, &[])).iter().all(|k| *k == "anomaly_volume"), "ten records say nothing of shares");
}

#[test]
fn a_value_is_new_until_a_run_had_it_and_again_after_fourteen_without() {
    let run = |values: &[&str]| (100, profile(100, 0, values));
    let mut history = after(&vec![run(&["won", "lost"]); 5]);
    let new = profile(100, 0, &["won", "lsot"]);
    let found = judge(&history, 100, &new);
    assert_eq!((found[0].kind, found[0].text.as_str()), ("anomaly_values", "values that no recent run had: stage = \"lsot\""));
    remember(&mut history, 100, &new);
    assert!(kinds(&history, 100, &new).is_empty());
    for _ in 0..13 {
        remember(&mut history, 100, &profile(100, 0, &["won"]));
    }
    assert!(kinds(&history, 100, &new).is_empty(), "fourteen runs are looked back upon");
    remember(&mut history, 100, &profile(100, 0, &["won"]));
    assert_eq!(kinds(&history, 100, &new), ["anomaly_values"]);
}

#[test]
fn a_level_that_lasts_becomes_usual() {
    let mut history = after(&vec![(1_000, profile(1_000, 0, &[])); 14]);
    let told = (0..14).filter(|_| {
        let found = kinds(&history, 4_000, &EntityProfile::default());
        remember(&mut history, 4_000, &EntityProfile::default());
        !found.is_empty()
    });
    assert_eq!(told.count(), 7);
}

#[test]
fn profiles_and_histories_stay_small() {
    let mut p = EntityProfile::default();
    for n in 0..1_000u64 {
        let column = format!("{n:063}");
        let values = (0..20).map(|v| format!("{v:020}")).collect();
        let values = [(column.clone(), Distinct { seen: values, many: false })].into();
        p.add(&EntityProfile { rows: 1, nulls: [(column, n)].into(), values });
    }
    let mut history = History::default();
    for _ in 0..40 {
        remember(&mut history, 1, &p);
    }
    let size = |bytes: usize| bytes / 1_024;
    assert_eq!(p.values.len(), MAX_ENUMS);
    assert!(size(serde_json::to_vec(&p).map_or(0, |b| b.len())) < 32);
    assert!(size(serde_json::to_vec(&history).map_or(0, |b| b.len())) < 64);
    let mut many = Distinct::default();
    (0..=MAX_VALUES).for_each(|n| many.insert(&n.to_string()));
    assert!(many.many && many.seen.is_empty());
    let mut sum = profile(1, 0, &["won"]);
    sum.add(&EntityProfile { values: [("stage".to_owned(), many)].into(), ..EntityProfile::default() });
    assert!(sum.values["stage"].many);
}
