//! Commits, fences, ledgers, idempotence, replays, the sweep: one command at a time.

use super::world::*;
use crate::catalog::command::*;
use crate::catalog::keyspace::*;
use crate::catalog::records::*;
use crate::catalog::{is_orphan, Read, ORPHAN_AGE_US};
use crate::invariants;
use crate::table::*;
use lakewright_proto::*;

/// A run of one commit with 10 good and 2 bad records, merged.
fn merged(w: &mut World) -> (RunId, ShardId, ShardEpoch, ShardEpoch) {
    let (run, shard) = w.start_run();
    let epoch = w.claim(shard);
    let c = w.bronze(shard, epoch, run, 0, 10, 2);
    w.done(Command::CommitBronze(c));
    let bucket = w.claim_bucket();
    let m = w.merge(bucket).unwrap();
    w.done(Command::CommitSilver(m));
    (run, shard, epoch, bucket)
}

#[test]
fn a_run_is_sealed_when_silver_has_consumed_it() {
    let mut w = World::new();
    let (run, shard) = w.start_run();
    let epoch = w.claim(shard);
    let c = w.bronze(shard, epoch, run, 0, 10, 2);
    w.done(Command::CommitBronze(c));
    let position_only = w.bronze(shard, epoch, run, 12, 0, 0);
    assert_eq!(w.done(Command::CommitBronze(position_only)), Reply::Bronze(CommitSeq(0)));
    w.finish(run, RunStatus::Settling);
    assert_eq!(w.run(run).status, RunStatus::Settling);
    let late = w.bronze(shard, epoch, run, 12, 1, 0);
    assert_eq!(w.refused(Command::CommitBronze(late)), ErrorCode::Conflict);
    let bucket = w.claim_bucket();
    let m = w.merge(bucket).unwrap();
    w.done(Command::CommitSilver(m));
    let sealed = w.run(run);
    assert_eq!((sealed.status, sealed.is_exact()), (RunStatus::Succeeded, true));
    invariants::check_all(&w.store.view()).unwrap();
}

#[test]
fn a_run_that_feeds_two_tables_waits_for_both_and_an_empty_one_for_none() {
    let mut w = World::new();
    let mut specs = silver_specs();
    specs.push(spec(0x33, Layer::Silver, "other", Some("other_changes")));
    specs.push(spec(0x34, Layer::Silver, "other_changes", None));
    w.done(Command::PinPack { tenant: tenant(), hash: "p1".into(), tables: specs });
    let (run, shard) = w.start_run();
    let epoch = w.claim(shard);
    let mut c = w.bronze(shard, epoch, run, 0, 4, 0);
    let other = TableId(id(0x33));
    c.entities.push((other, EntityCounts::default()));
    w.done(Command::CommitBronze(c));
    w.finish(run, RunStatus::Settling);
    let bucket = w.claim_bucket();
    let m = w.merge(bucket).unwrap();
    let to = m.to;
    w.done(Command::CommitSilver(m));
    assert_eq!(w.run(run).status, RunStatus::Settling);
    let Reply::Epoch(e) = w.done(Command::ClaimBucket { table: other, bucket: 0, node: NodeId(2) }) else { panic!() };
    let delta = SilverDelta { outcomes: vec![(to, OutcomeCounts::default())], ..Default::default() };
    w.done(Command::CommitSilver(CommitSilver { table: other, bucket: 0, epoch: e, from: CommitSeq(0), to, delta }));
    assert_eq!(w.run(run).status, RunStatus::Succeeded);
    let (empty, _) = w.start_run();
    w.finish(empty, RunStatus::Settling);
    assert_eq!(w.run(empty).status, RunStatus::Succeeded);
    for status in [RunStatus::Failed, RunStatus::Cancelled] {
        let (run, _) = w.start_run();
        w.finish(run, status);
        assert_eq!(w.run(run).status, status);
        assert!(w.run(run).ended_at.is_some());
    }
}

#[test]
fn stale_owners_wrong_offsets_and_broken_counts_are_refused() {
    let mut w = World::new();
    let (run, shard) = w.start_run();
    let old = w.claim(shard);
    let new = w.claim(shard);
    assert!(invariants::may_write(new, new) && !invariants::may_write(new, old));
    let c = w.bronze(shard, old, run, 0, 1, 0);
    assert_eq!(w.refused(Command::CommitBronze(c)), ErrorCode::Fenced);
    let c = w.bronze(shard, new, run, 5, 1, 0);
    assert_eq!(w.refused(Command::CommitBronze(c)), ErrorCode::Conflict);
    let mut c = w.bronze(shard, new, run, 0, 1, 0);
    c.files[0].rows = u64::MAX;
    assert_eq!(w.refused(Command::CommitBronze(c)), ErrorCode::InvalidArgument);
    let mut c = w.bronze(shard, new, run, 0, 1, 0);
    c.files[0].path = c.files[0].path.replace("/entity=t30/", "/entity=t30x/");
    assert_eq!(w.refused(Command::CommitBronze(c)), ErrorCode::InvalidArgument);
    let mut c = w.bronze(shard, new, run, 0, 1, 0);
    c.files[0].created_at -= 13 * 3_600 * 1_000_000;
    assert_eq!(w.refused(Command::CommitBronze(c)), ErrorCode::Conflict);
    let mut c = w.bronze(shard, new, run, 0, 1, 0);
    c.entities.push(c.entities[0]);
    assert_eq!(w.refused(Command::CommitBronze(c)), ErrorCode::InvalidArgument);
    assert_eq!(w.refused(start_command(run, None)), ErrorCode::AlreadyExists);
    let c = w.bronze(shard, new, run, 0, 3, 0);
    w.done(Command::CommitBronze(c));
    let stale = w.claim_bucket();
    let bucket = w.claim_bucket();
    let m = w.merge(stale).unwrap();
    assert_eq!(w.refused(Command::CommitSilver(m)), ErrorCode::Fenced);
    let mut m = w.merge(bucket).unwrap();
    m.delta.outcomes[0].1.inserted += 1;
    assert_eq!(w.refused(Command::CommitSilver(m)), ErrorCode::InvalidArgument);
    let mut m = w.merge(bucket).unwrap();
    m.delta.outcomes.clear();
    assert_eq!(w.refused(Command::CommitSilver(m)), ErrorCode::Conflict);
    let m = w.merge(bucket).unwrap();
    w.done(Command::CommitSilver(m.clone()));
    assert_eq!(w.refused(Command::CommitSilver(m)), ErrorCode::Conflict);
    invariants::check_all(&w.store.view()).unwrap();
}

#[test]
fn deletion_vectors_and_compaction_keep_the_rows() {
    let mut w = World::new();
    let (_, _, _, bucket) = merged(&mut w);
    let old = w.store.view().bucket_state(silver(), 0).unwrap().files[0].clone();
    let vector = |version, cardinality| DeletionVectorRef {
        data_file: old.id,
        version,
        path: format!("{}v{version}.puffin", root(0x31)),
        size: 9,
        offset: 0,
        length: 9,
        cardinality,
    };
    // A delete of four rows, then of one more.
    let (run, shard) = {
        let view = w.store.view();
        let run = view.all::<Runs>().unwrap()[0].1.clone();
        let shard = view.shards(tenant(), connector(), "s").unwrap()[0].id;
        (run.id, shard)
    };
    let mut offset = 12;
    for (version, total, deleted) in [(1, 4, 4), (2, 5, 1)] {
        let epoch = w.claim(shard);
        let c = w.bronze(shard, epoch, run, offset, deleted, 0);
        offset += deleted;
        w.done(Command::CommitBronze(c));
        let mut m = w.merge(bucket).unwrap();
        m.delta.added.clear();
        m.delta.outcomes[0].1 = OutcomeCounts { deleted, ..Default::default() };
        m.delta.deletion_vectors = vec![vector(version, total)];
        let mut wrong = m.clone();
        wrong.delta.deletion_vectors[0].version = 0;
        assert_eq!(w.refused(Command::CommitSilver(wrong)), ErrorCode::Conflict);
        w.done(Command::CommitSilver(m));
        invariants::check_all(&w.store.view()).unwrap();
    }
    let added = w.file(0x31, 5);
    let compaction = |read, rows| {
        let added = DataFile { rows, ..added.clone() };
        let delta = SilverDelta { added: vec![added], removed: vec![old.id], ..Default::default() };
        Command::CommitCompaction(CommitCompaction { table: silver(), bucket: 0, epoch: bucket, inputs: vec![(old.id, read)], delta })
    };
    assert_eq!(w.refused(compaction(1, 5)), ErrorCode::Conflict, "an older vector was read");
    assert_eq!(w.refused(compaction(2, 6)), ErrorCode::InvalidArgument, "a row more than before");
    let before = w.store.view().version().unwrap();
    w.done(compaction(2, 5));
    assert_eq!(w.refused(compaction(2, 5)), ErrorCode::Conflict, "the input is gone");
    let view = w.store.view();
    invariants::check_all(&view).unwrap();
    let table = view.table(silver()).unwrap();
    assert_eq!(table.rows, 5);
    let then = view.table_snapshot(&table, Some(before)).unwrap();
    assert_eq!((then.files[0].file.id, then.files[0].vector.as_ref().unwrap().version), (old.id, 2));
}

#[test]
fn dropped_objects_are_forgotten_with_their_entries() {
    let mut w = World::new();
    deletion_and_compaction(&mut w);
    let now = w.now;
    let view = w.store.view();
    assert!(view.sweep_due(now, ORPHAN_AGE_US).unwrap().is_empty());
    let due = view.sweep_due(now + ORPHAN_AGE_US + 1_000_000, ORPHAN_AGE_US).unwrap();
    let named = view.named_files(silver()).unwrap();
    assert_eq!(due.len(), 2);
    assert!(due.iter().all(|(_, _, path)| named.contains(path)) && !named.contains("elsewhere"));
    drop(view);
    w.done(Command::ForgetFiles { files: due.iter().map(|(at, id, _)| (*at, *id)).collect() });
    w.done(Command::ForgetFiles { files: due.iter().map(|(at, id, _)| (*at, *id)).collect() });
    let view = w.store.view();
    assert!(view.all::<Dropped>().unwrap().is_empty());
    assert!(view.all::<DeletionVectors>().unwrap().is_empty());
    assert_eq!(view.scan::<Files>(&silver()).unwrap().len(), 1);
    let named = view.named_files(silver()).unwrap();
    assert!(due.iter().all(|(_, _, path)| !named.contains(path)));
}

/// One file with one vector, compacted into another.
fn deletion_and_compaction(w: &mut World) {
    let (run, shard, epoch, bucket) = merged(w);
    let old = w.store.view().bucket_state(silver(), 0).unwrap().files[0].clone();
    let c = w.bronze(shard, epoch, run, 12, 1, 0);
    w.done(Command::CommitBronze(c));
    let mut m = w.merge(bucket).unwrap();
    m.delta.added.clear();
    m.delta.outcomes[0].1 = OutcomeCounts { deleted: 1, ..Default::default() };
    let path = format!("{}v.puffin", root(0x31));
    m.delta.deletion_vectors =
        vec![DeletionVectorRef { data_file: old.id, version: 1, path, size: 1, offset: 0, length: 1, cardinality: 1 }];
    w.done(Command::CommitSilver(m));
    let delta = SilverDelta { added: vec![w.file(0x31, 9)], removed: vec![old.id], ..Default::default() };
    w.done(Command::CommitCompaction(CommitCompaction { table: silver(), bucket: 0, epoch: bucket, inputs: vec![(old.id, 1)], delta }));
}

#[test]
fn an_orphan_is_old_unnamed_and_tells_its_time() {
    let file = FileId::generate();
    let (seconds, _) = file.0.get_timestamp().unwrap().to_unix();
    let written = seconds as i64 * 1_000_000;
    let late = written + ORPHAN_AGE_US + 2_000_000;
    assert!(is_orphan(file, false, late));
    assert!(!is_orphan(file, true, late));
    assert!(!is_orphan(file, false, written + ORPHAN_AGE_US - 1_000_000));
    assert!(!is_orphan(FileId(id(7)), false, late));
}

#[test]
fn a_replay_is_a_new_run_over_old_addresses() {
    let mut w = World::new();
    let (run, shard, _, bucket) = merged(&mut w);
    w.finish(run, RunStatus::Settling);
    let sealed = w.run(run);
    let (replay, _) = w.start(Some(run));
    let commit = |run, offsets: Vec<u64>| {
        Command::CommitReplay(CommitReplay {
            shard,
            run,
            counts: StreamCounts { read: offsets.len() as u64, accepted: offsets.len() as u64, ..Default::default() },
            entities: vec![(silver(), EntityCounts { accepted: offsets.len() as u64, ..Default::default() })],
            offsets,
            quality: vec![],
            dead_letters: vec![],
            pack: "p1".into(),
            ingested_at: START,
        })
    };
    assert_eq!(w.refused(commit(replay, vec![5, 5])), ErrorCode::InvalidArgument);
    assert_eq!(w.refused(commit(replay, vec![12])), ErrorCode::InvalidArgument);
    let (ordinary, _) = w.start_run();
    assert_eq!(w.refused(commit(ordinary, vec![3])), ErrorCode::InvalidArgument);
    w.done(commit(replay, vec![3, 7]));
    w.finish(replay, RunStatus::Settling);
    let m = w.merge(bucket).unwrap();
    w.done(Command::CommitSilver(m));
    assert_eq!(w.run(replay).status, RunStatus::Succeeded);
    assert_eq!(w.run(run), sealed);
    invariants::check_all(&w.store.view()).unwrap();
    let (again, _) = w.start(Some(run));
    w.done(commit(again, vec![7, 9]));
    let last = w.store.view().last_replays(shard).unwrap();
    assert_eq!(last, [(3, replay), (7, again), (9, again)].into(), "the last check of a record is the last replay that had it");
}

#[test]
fn a_reset_forgets_the_position_and_fences_the_reader() {
    let mut w = World::new();
    let (run, shard, epoch, _) = merged(&mut w);
    let reset = || Command::ResetStream { tenant: tenant(), connector: connector(), stream: "s".into() };
    assert_eq!(w.refused(reset()), ErrorCode::Conflict);
    w.finish(run, RunStatus::Cancelled);
    w.done(reset());
    let after = w.store.view().get::<Shards>(&shard).unwrap().unwrap();
    assert_eq!((after.position, after.next_offset), (None, 12));
    let (run, _) = w.start_run();
    let c = w.bronze(shard, epoch, run, 12, 1, 0);
    assert_eq!(w.refused(Command::CommitBronze(c)), ErrorCode::Fenced);
}

#[test]
fn a_repeat_gets_the_first_answer_for_a_day() {
    let mut w = World::new();
    let (_, shard) = w.start_run();
    let e = w.envelope(Command::ClaimShard { shard, node: NodeId(1) });
    let first = w.send(&e).unwrap();
    assert_eq!(w.send(&e).unwrap(), first);
    let other = Envelope { command: Command::ClaimShard { shard, node: NodeId(2) }, ..e.clone() };
    assert_eq!(w.send(&other).unwrap_err().code, ErrorCode::Conflict);
    // A refusal is an answer too: a delayed duplicate does not do what was refused.
    let run = RunId(w.fresh());
    let refused = w.envelope(start_command(run, None));
    assert_eq!(w.send(&refused).unwrap_err().code, ErrorCode::AlreadyExists);
    let open = w.store.view().all::<OpenRuns>().unwrap()[0].1;
    w.finish(open, RunStatus::Cancelled);
    assert_eq!(w.send(&refused).unwrap_err().code, ErrorCode::AlreadyExists);
    w.now += 24 * 3_600 * 1_000_000;
    w.done(Command::ClaimShard { shard, node: NodeId(1) });
    assert_ne!(w.send(&e).unwrap(), first);
    assert_eq!(w.store.view().all::<Answers>().unwrap().len(), w.store.view().all::<AnswerExpiry>().unwrap().len());
}

#[test]
fn catalog_time_only_grows() {
    let mut w = World::new();
    let mut last = w.store.clock().unwrap();
    for step in [5_000i64, -1_000_000_000, 0, 7] {
        w.now += step;
        w.done(Command::RaiseAlert(Alert::new(tenant(), "k", "s", "m")));
        let next = w.store.clock().unwrap();
        assert!(next.0 > last.0 && next.1 > last.1);
        last = next;
    }
    assert_eq!(w.store.view().scan::<Alerts>(&tenant()).unwrap().len(), 4);
}

#[test]
fn debug_output_holds_no_secret() {
    let e = Envelope { id: CommandId(id(1)), principal: "p".into(), command: init() };
    let key = RingKey { id: 1, sealed: vec![0xcd; 60], created_at: 0 };
    let answer = Answer { content_hash: [0xee; 32], reply: vec![0xcd; 9] };
    let text = format!("{e:?} {key:?} {:?} {answer:?}", secret());
    for bytes in ["205", "171", "238", "cdcd", "abab", "eeee"] {
        assert!(!text.contains(bytes), "{text}");
    }
}

#[test]
fn rows_that_are_looked_up_anew_replace_as_many_and_move_no_watermark() {
    let mut w = World::new();
    let (_, _, _, bucket) = merged(&mut w);
    let before = w.store.view().bucket_state(silver(), 0).unwrap();
    let looked_up = |w: &World| w.store.view().looked_up(silver(), 0).unwrap();
    let good = w.lookups(bucket, before.files[0].id);
    let wrong = |change: &dyn Fn(&mut CommitLookups)| {
        let mut c = good.clone();
        change(&mut c);
        Command::CommitLookups(c)
    };
    assert_eq!(w.refused(wrong(&|c| c.epoch = ShardEpoch(0))), ErrorCode::Fenced);
    assert_eq!(w.refused(wrong(&|c| c.watermark = CommitSeq(0))), ErrorCode::Conflict);
    assert_eq!(w.refused(wrong(&|c| c.delta.added[0].rows += 1)), ErrorCode::InvalidArgument, "a row more");
    assert_eq!(w.refused(wrong(&|c| c.delta.outcomes.push((CommitSeq(1), OutcomeCounts::default())))), ErrorCode::InvalidArgument);
    assert_eq!(w.refused(wrong(&|c| c.sources[0].1 = u64::MAX)), ErrorCode::Conflict, "a version to come");
    w.done(Command::CommitLookups(good.clone()));
    let at = w.store.view().version().unwrap();
    assert_eq!(w.refused(Command::CommitLookups(good.clone())), ErrorCode::Conflict, "the file is there already");
    let view = w.store.view();
    let after = view.bucket_state(silver(), 0).unwrap();
    assert_eq!((after.watermark, after.live_rows), (before.watermark, before.live_rows));
    assert_eq!(view.last_lookup(&view.table(silver()).unwrap()).unwrap(), at);
    invariants::check_all(&view).unwrap();
    drop(view);
    assert_eq!(looked_up(&w).get(&good.sources[0].0), Some(&good.sources[0].1));
    // The same definition changes nothing; under another one all is looked up anew.
    w.pin_with_lookups("a");
    assert!(looked_up(&w).is_empty(), "there was none");
    let position = CommitLookups { delta: SilverDelta::default(), sources: good.sources.clone(), ..good };
    w.done(Command::CommitLookups(position));
    w.pin_with_lookups("a");
    assert!(!looked_up(&w).is_empty());
    w.pin_with_lookups("b");
    assert!(looked_up(&w).is_empty());
}

#[test]
fn a_table_made_again_takes_the_place_of_the_one_before_and_counts_from_there() {
    let mut w = World::new();
    let (run, shard, epoch, bucket) = merged(&mut w);
    let table = |w: &World| w.store.view().table(silver()).unwrap();
    let state = w.store.view().bucket_state(silver(), 0).unwrap();
    let watermark = state.watermark;
    let mut made = BucketState { files: vec![w.file(0x31, 11)], index: vec![], deletion_vectors: vec![], live_rows: 11, ..state };
    let command = |w: &World, made: &BucketState| CommitRebuild {
        table: silver(),
        bucket: 0,
        epoch: bucket,
        watermark,
        version: table(w).version,
        pack: "p1".into(),
        made: made.clone(),
        changes: vec![],
    };
    let c = command(&w, &made);
    assert_eq!(w.refused(Command::CommitRebuild(c)), ErrorCode::Conflict, "nobody asked for it");
    let bronze = Command::RequestRebuild { tenant: tenant(), table: TableId(id(0x30)), reason: "r".into() };
    assert_eq!(w.refused(bronze), ErrorCode::InvalidArgument);
    w.done(Command::RequestRebuild { tenant: tenant(), table: silver(), reason: "r".into() });
    let good = command(&w, &made);
    let wrong = |change: &dyn Fn(&mut CommitRebuild)| {
        let mut c = good.clone();
        change(&mut c);
        Command::CommitRebuild(c)
    };
    assert_eq!(w.refused(wrong(&|c| c.epoch = ShardEpoch(0))), ErrorCode::Fenced);
    assert_eq!(w.refused(wrong(&|c| c.version -= 1)), ErrorCode::Conflict);
    assert_eq!(w.refused(wrong(&|c| c.pack = "p0".into())), ErrorCode::Conflict);
    assert_eq!(w.refused(wrong(&|c| c.made.live_rows = 12)), ErrorCode::InvalidArgument);
    w.done(Command::CommitRebuild(good));
    let view = w.store.view();
    let after = view.bucket_state(silver(), 0).unwrap();
    made.epoch = after.epoch;
    assert_eq!((after.files, after.live_rows, after.watermark), (made.files, 11, watermark));
    let rebuilt = view.table(silver()).unwrap().rebuilt.unwrap();
    assert_eq!((rebuilt.upto, rebuilt.live_rows), (watermark, 11));
    invariants::check_all(&view).unwrap();
    drop(view);
    let c = w.bronze(shard, epoch, run, 12, 5, 0);
    w.done(Command::CommitBronze(c));
    let m = w.merge(bucket).unwrap();
    w.done(Command::CommitSilver(m));
    assert_eq!(table(&w).rows, 16);
    assert_eq!(table(&w).rebuild, None);
    // A reader that was still at an earlier version: it is made once more.
    let late = CommitBronze { pack: "p0".into(), ..w.bronze(shard, epoch, run, 17, 1, 0) };
    w.done(Command::CommitBronze(late));
    assert_eq!(table(&w).rebuild.unwrap().pack, "p1");
    invariants::check_all(&w.store.view()).unwrap();
}
