//! Alerts: the newest are kept, a condition is told once, and a broken connector is told with it.

use super::world::*;
use crate::catalog::command::*;
use crate::catalog::keyspace::*;
use crate::catalog::records::*;
use crate::catalog::{encode_command, Read};
use lakewright_proto::*;

fn kinds(w: &World) -> Vec<String> {
    w.store.view().scan::<Alerts>(&tenant()).unwrap().into_iter().map(|(_, a)| a.kind).collect()
}

fn raise(w: &mut World, kind: &str, subject: &str) {
    w.done(Command::RaiseAlert(Alert::new(tenant(), kind, subject, "m")));
}

#[test]
fn a_tenant_keeps_its_newest_ten_thousand_alerts() {
    let mut w = World::new();
    let other = TenantId(id(0x99));
    w.done(Command::RaiseAlert(Alert::new(other, "k", "of another tenant", "m")));
    for entry in 0..10 {
        let one = |n: u32| Envelope::new("node", Command::RaiseAlert(Alert::new(tenant(), "k", n.to_string(), "m")));
        w.apply((0..1_005).map(|n| encode_command(&one(entry * 1_005 + n)).unwrap()).collect());
    }
    let view = w.store.view();
    let kept = view.scan::<Alerts>(&tenant()).unwrap();
    assert_eq!((kept.len(), kept[0].1.subject.as_str(), kept[9_999].1.subject.as_str()), (10_000, "50", "10049"));
    assert_eq!(view.get::<AlertCounts>(&tenant()).unwrap(), Some(10_000));
    assert_eq!(view.scan::<Alerts>(&other).unwrap().len(), 1);
}

#[test]
fn a_condition_is_raised_once_and_ended_once() {
    let mut w = World::new();
    raise(&mut w, "freshness_restored", "thing");
    assert!(kinds(&w).is_empty(), "what has not begun does not end");
    raise(&mut w, "freshness", "thing");
    raise(&mut w, "freshness", "thing");
    raise(&mut w, "freshness", "other");
    assert_eq!(kinds(&w), ["freshness", "freshness"]);
    raise(&mut w, "freshness_restored", "thing");
    raise(&mut w, "freshness_restored", "thing");
    raise(&mut w, "freshness", "thing");
    assert_eq!(kinds(&w), ["freshness", "freshness", "freshness_restored", "freshness"]);
}

#[test]
fn a_connector_that_breaks_is_told_once_with_the_reason_and_the_way_out() {
    let mut w = World::new();
    let set = |status| Command::SetConnectorStatus { tenant: tenant(), connector: connector(), status };
    let broken = || ConnectorStatus::Broken { reason: "no such directory: /data".into(), since: 0 };
    w.done(set(broken()));
    w.done(set(broken()));
    let found: Vec<Alert> = w.store.view().scan::<Alerts>(&tenant()).unwrap().into_iter().map(|(_, a)| a).collect();
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].kind.as_str(), found[0].connector, found[0].at), ("connector_broken", Some(connector()), w.now - 1_000));
    assert_eq!(
        found[0].message,
        "connector \"c\" is broken and does not run: no such directory: /data. Mend the cause, then `lakewright connector clear-broken c`"
    );
    w.done(set(ConnectorStatus::Active));
    w.done(set(broken()));
    assert_eq!(kinds(&w), ["connector_broken", "connector_broken"]);
}

#[test]
fn a_run_that_gives_its_connector_up_does_so_in_one_step() {
    let mut w = World::new();
    let (run, _) = w.start_run();
    let (status, error) = (RunStatus::Failed, Some("the source is gone".to_owned()));
    w.done(Command::FinishRun { tenant: tenant(), run, status, error, breaks: true });
    let record = w.store.view().get::<Connectors>(&(tenant(), connector())).unwrap().unwrap();
    assert_eq!(record.status, ConnectorStatus::Broken { reason: "the source is gone".into(), since: w.now });
    let found: Vec<Alert> = w.store.view().scan::<Alerts>(&tenant()).unwrap().into_iter().map(|(_, a)| a).collect();
    assert_eq!((found.len(), found[0].kind.as_str(), found[0].run), (1, "connector_broken", Some(run)));
}

#[test]
fn an_arrival_is_a_read_that_brought_accepted_records() {
    let mut w = World::new();
    let (run, shard) = w.start_run();
    let epoch = w.claim(shard);
    let arrival = |w: &World| w.store.view().get::<Arrivals>(&(tenant(), "thing".into())).unwrap();
    let c = w.bronze(shard, epoch, run, 0, 0, 3);
    w.done(Command::CommitBronze(c));
    assert_eq!(arrival(&w), None, "all were rejected");
    let c = w.bronze(shard, epoch, run, 3, 2, 0);
    w.done(Command::CommitBronze(c));
    let first = arrival(&w).unwrap();
    assert_eq!(first, Arrival { seq: CommitSeq(2), at: w.now });
    let c = w.bronze(shard, epoch, run, 5, 0, 0);
    w.done(Command::CommitBronze(c));
    let (replay, _) = w.start(Some(run));
    let counts = EntityCounts { accepted: 1, ..Default::default() };
    w.done(Command::CommitReplay(CommitReplay {
        shard,
        run: replay,
        offsets: vec![0],
        quality: vec![],
        dead_letters: vec![],
        counts: crate::table::StreamCounts { read: 1, accepted: 1, ..Default::default() },
        entities: vec![(silver(), counts)],
        pack: "p1".into(),
        ingested_at: w.now,
    }));
    assert_eq!(arrival(&w), Some(first), "neither a position alone nor a replay is news of the source");
}
