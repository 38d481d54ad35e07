//! Gold: a day's rows are swapped as one, an older state never takes the place of a newer one.

use super::world::*;
use crate::catalog::command::{Command, Reply};
use crate::catalog::keyspace::{Files, GoldBuilds};
use crate::catalog::{LineageNode, Read as _};
use lakewright_proto::{ErrorCode, Layer, TableId};

fn live(w: &World, table: TableId) -> Vec<u64> {
    let files = w.store.view().scan::<Files>(&table).unwrap();
    files.into_iter().filter(|(_, f)| f.removed.is_none()).map(|(_, f)| f.file.rows).collect()
}

fn rows(w: &World) -> u64 {
    w.store.view().table_by_name(tenant(), Layer::Gold, "funnel").unwrap().unwrap().rows
}

#[test]
fn a_days_rows_take_the_place_of_those_before_and_earlier_days_stay() {
    let mut w = World::new();
    let first = w.gold(100, 5, 10);
    let Reply::Gold(table) = w.done(Command::CommitGold(first)) else { panic!("no table") };
    let second = w.gold(100, 9, 20);
    w.done(Command::CommitGold(second));
    assert_eq!((live(&w, table), rows(&w)), (vec![20], 20));
    let next_day = w.gold(101, 9, 30);
    w.done(Command::CommitGold(next_day));
    let mut all = live(&w, table);
    all.sort_unstable();
    assert_eq!((all, rows(&w)), (vec![20, 30], 50));
    assert_eq!(w.store.view().scan::<GoldBuilds>(&table).unwrap().len(), 2);
    crate::invariants::check_all(&w.store.view()).unwrap();
}

#[test]
fn an_older_snapshot_an_earlier_day_and_foreign_files_are_refused() {
    let mut w = World::new();
    let newer = w.gold(100, 9, 10);
    let Reply::Gold(table) = w.done(Command::CommitGold(newer)) else { panic!("no table") };
    let older = w.gold(100, 8, 11);
    assert_eq!(w.refused(Command::CommitGold(older)), ErrorCode::Conflict);
    let earlier = w.gold(99, 12, 11);
    assert_eq!(w.refused(Command::CommitGold(earlier)), ErrorCode::Conflict);
    let mut foreign = w.gold(100, 12, 11);
    foreign.build.files = vec![foreign.files[0].id, foreign.files[0].id];
    assert_eq!(w.refused(Command::CommitGold(foreign)), ErrorCode::InvalidArgument);
    let mut silver = w.gold(100, 12, 11);
    silver.spec.layer = Layer::Silver;
    assert_eq!(w.refused(Command::CommitGold(silver)), ErrorCode::InvalidArgument);
    assert_eq!(live(&w, table), vec![10]);
}

#[test]
fn lineage_goes_from_silver_to_the_first_day_that_has_it() {
    let mut w = World::new();
    let (run, shard) = w.start_run();
    let epoch = w.claim(shard);
    let bronze = w.bronze(shard, epoch, run, 0, 3, 0);
    w.done(Command::CommitBronze(bronze));
    let owner = w.claim_bucket();
    let merged = w.merge(owner).unwrap();
    w.done(Command::CommitSilver(merged));
    let (bucket, commit) = w.store.view().silver_commits(silver(), 1).unwrap().pop().unwrap();
    for day in [100, 101] {
        let build = w.gold(day, commit.to.0, 1);
        w.done(Command::CommitGold(build));
    }
    let view = w.store.view();
    let out = view.silver_outputs(silver(), bucket, &commit).unwrap();
    let [edge] = out.as_slice() else { panic!("{out:?}") };
    let LineageNode::Gold { table, date } = edge.to else { panic!("{edge:?}") };
    assert_eq!(date, 100);
    assert_eq!(view.gold_inputs(table, 100).unwrap(), out);
    assert!(view.gold_inputs(table, 101).unwrap().is_empty());
}
