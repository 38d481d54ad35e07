//! A sealed run is compared with the runs before it, once, and no profile outlives its run.

use super::world::*;
use crate::catalog::command::*;
use crate::catalog::keyspace::*;
use crate::catalog::records::*;
use crate::catalog::Read;
use lakewright_proto::*;

/// A run of `rows` records, of which `nulls` have no amount, all in one stage; merged, and ended so.
fn run(w: &mut World, rows: u64, nulls: u64, stage: &str, status: RunStatus) -> RunId {
    let (run, shard) = w.start_run();
    let epoch = w.claim(shard);
    let next = w.store.view().get::<Shards>(&shard).unwrap().unwrap().next_offset;
    if rows > 0 {
        // In two commits: what they look like is added up.
        for (first, n, nulls) in [(next, rows / 2, nulls), (next + rows / 2, rows - rows / 2, 0)] {
            let mut c = w.bronze(shard, epoch, run, first, n, 0);
            let values = Distinct { seen: [stage.to_owned()].into(), many: false };
            let nulls = [("amount".to_owned(), nulls)].into();
            c.profiles = vec![(silver(), EntityProfile { rows: n, nulls, values: [("stage".to_owned(), values)].into() })];
            w.done(Command::CommitBronze(c));
        }
        let bucket = w.claim_bucket();
        let m = w.merge(bucket).unwrap();
        w.done(Command::CommitSilver(m));
    }
    w.finish(run, status);
    run
}

fn alerts(w: &World) -> Vec<Alert> {
    w.store.view().scan::<Alerts>(&tenant()).unwrap().into_iter().map(|(_, a)| a).collect()
}

#[test]
fn an_unlike_run_raises_one_alert_a_kind_and_names_itself() {
    let mut w = World::new();
    for _ in 0..5 {
        run(&mut w, 100, 1, "won", RunStatus::Settling);
    }
    run(&mut w, 120, 2, "won", RunStatus::Settling);
    assert!(alerts(&w).is_empty());
    let odd = run(&mut w, 1_000, 400, "lost", RunStatus::Settling);
    let found = alerts(&w);
    let kinds: Vec<&str> = found.iter().map(|a| a.kind.as_str()).collect();
    assert_eq!(kinds, ["anomaly_volume", "anomaly_nulls", "anomaly_values"]);
    assert!(found.iter().all(|a| (a.run, a.connector, a.subject.as_str()) == (Some(odd), Some(connector()), "c/thing")));
    let told = format!("run {odd} of c/s is unlike the last ones for thing: ");
    let texts: Vec<&str> = found.iter().map(|a| a.message.strip_prefix(&told).unwrap()).collect();
    assert_eq!(
        texts,
        [
            "1000 records; the last 6 runs had 50 to 150 (median 100)",
            "records without a value: amount 40.0% (median 1.0%)",
            "values that no recent run had: stage = \"lost\""
        ]
    );
    assert!(w.store.view().all::<RunProfiles>().unwrap().is_empty());
}

#[test]
fn a_run_that_brings_nothing_is_told_and_one_that_failed_is_compared_with_nothing() {
    let mut w = World::new();
    for _ in 0..5 {
        run(&mut w, 100, 0, "won", RunStatus::Settling);
    }
    run(&mut w, 1_000, 0, "lost", RunStatus::Failed);
    run(&mut w, 1_000, 0, "lost", RunStatus::Cancelled);
    assert!(alerts(&w).is_empty());
    assert!(w.store.view().all::<RunProfiles>().unwrap().is_empty());
    let empty = run(&mut w, 0, 0, "", RunStatus::Settling);
    let found = alerts(&w);
    assert_eq!((found.len(), found[0].kind.as_str(), found[0].run), (1, "anomaly_volume", Some(empty)));
    let history = w.store.view().get::<Histories>(&(tenant(), connector(), "thing".into())).unwrap().unwrap();
    assert_eq!(history.volumes, [100, 100, 100, 100, 100, 0]);
}
