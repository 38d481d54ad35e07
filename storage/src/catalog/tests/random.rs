//! Random command sequences: the invariants hold after each, and `apply` is a function of the log.

use proptest::prelude::*;

use super::world::*;
use crate::catalog::command::*;
use crate::catalog::records::*;
use crate::catalog::{manifests, CatalogStore};
use crate::invariants;
use lakewright_proto::*;

#[derive(Clone, Debug)]
enum Step {
    Start,
    Finish(u8),
    Claim(bool),
    ClaimBucket,
    Bronze { accepted: u8, rejected: u8, stale: bool, shift: bool, shard: bool },
    Silver { stale: bool, wrong: bool },
    Repeat,
    Reset,
    Forget,
    Replace { from: u8, n: u8 },
    Fold { removed: bool, n: u8 },
    Sweep,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => Just(Step::Start),
        1 => (0u8..3).prop_map(Step::Finish),
        1 => any::<bool>().prop_map(Step::Claim),
        1 => Just(Step::ClaimBucket),
        6 => (0u8..9, 0u8..4, prop::bool::weighted(0.1), prop::bool::weighted(0.1), any::<bool>())
            .prop_map(|(accepted, rejected, stale, shift, shard)| Step::Bronze { accepted, rejected, stale, shift, shard }),
        4 => (prop::bool::weighted(0.1), prop::bool::weighted(0.1)).prop_map(|(stale, wrong)| Step::Silver { stale, wrong }),
        2 => Just(Step::Repeat),
        1 => Just(Step::Reset),
        1 => Just(Step::Forget),
        2 => (0u8..4, 2u8..5).prop_map(|(from, n)| Step::Replace { from, n }),
        1 => (any::<bool>(), 1u8..4).prop_map(|(removed, n)| Step::Fold { removed, n }),
        1 => Just(Step::Sweep),
    ]
}

/// The next command of a step, if the step makes sense here.
fn command(w: &mut World, step: &Step, run: &mut Option<RunId>, epochs: &[(ShardId, ShardEpoch)], bucket: ShardEpoch) -> Option<Command> {
    Some(match step {
        Step::Start => {
            let id = RunId(w.fresh());
            run.get_or_insert(id);
            start_command(id, None)
        }
        Step::Finish(n) => {
            let status = [RunStatus::Settling, RunStatus::Failed, RunStatus::Cancelled][*n as usize];
            Command::FinishRun { tenant: tenant(), run: run.take()?, status, error: None, breaks: false }
        }
        Step::Claim(second) => Command::ClaimShard { shard: epochs.get(usize::from(*second))?.0, node: NodeId(1) },
        Step::ClaimBucket => Command::ClaimBucket { table: silver(), bucket: 0, node: NodeId(1) },
        Step::Bronze { accepted, rejected, stale, shift, shard } => {
            let (shard, epoch) = *epochs.get(usize::from(*shard))?;
            let epoch = if *stale { ShardEpoch(epoch.0.wrapping_sub(1)) } else { epoch };
            let next = {
                use crate::catalog::Read;
                w.store.view().get::<crate::catalog::keyspace::Shards>(&shard).unwrap().unwrap().next_offset
            };
            let first = next + u64::from(*shift);
            Command::CommitBronze(w.bronze(shard, epoch, (*run)?, first, u64::from(*accepted), u64::from(*rejected)))
        }
        Step::Silver { stale, wrong } => {
            let mut m = w.merge(if *stale { ShardEpoch(bucket.0.wrapping_sub(1)) } else { bucket })?;
            if *wrong {
                m.delta.outcomes.pop();
            }
            Command::CommitSilver(m)
        }
        Step::Reset => Command::ResetStream { tenant: tenant(), connector: connector(), stream: "s".into() },
        Step::Forget => Command::ForgetFiles { files: vec![(w.now as u64, FileId(id(1)))] },
        Step::Replace { from, n } => {
            let mut entries = bronze_entries(w, false);
            entries.sort_by_key(|e| match e.range {
                FileRange::Offsets { shard, first, .. } => (shard, first),
                _ => (ShardId(0), 0),
            });
            let chosen: Vec<FileEntry> = entries.into_iter().skip(usize::from(*from)).take(usize::from(*n)).collect();
            let output = w.file(0x30, chosen.iter().map(|e| e.file.rows).sum());
            Command::ReplaceBronze(ReplaceBronze { table: bronze(), inputs: chosen.iter().map(|e| e.file.id).collect(), output })
        }
        Step::Fold { removed, n } => {
            let entries: Vec<FileEntry> = bronze_entries(w, *removed).into_iter().take(usize::from(*n)).collect();
            let id = FileId(w.fresh());
            let path = format!("_lakewright/manifests/tenant_id={}/{id}", tenant());
            let (manifest, _) = manifests::encode(id, path, bronze(), 0, &entries).ok()?;
            Command::FoldFiles { table: bronze(), bucket: 0, manifest, files: entries.iter().map(|e| e.file.id).collect() }
        }
        Step::Sweep => {
            use crate::catalog::Read;
            let dropped = w.store.view().all::<crate::catalog::keyspace::Dropped>().unwrap();
            Command::ForgetFiles { files: dropped.into_iter().map(|(key, _)| key).collect() }
        }
        Step::Repeat => return None,
    })
}

/// Entries of Bronze files in the catalog, live or removed.
fn bronze_entries(w: &World, removed: bool) -> Vec<FileEntry> {
    use crate::catalog::Read;
    let view = w.store.view();
    let Some(table) = view.all::<crate::catalog::keyspace::TableIds>().unwrap().into_iter().find(|(id, _)| *id == bronze()) else {
        return Vec::new();
    };
    let entries = view.scan::<crate::catalog::keyspace::Files>(&table.0).unwrap().into_iter().map(|(_, e)| e);
    entries.filter(|e| e.removed.is_some() == removed).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
    #[test]
    fn invariants_hold_and_apply_is_a_function_of_the_log(steps in prop::collection::vec(step(), 1..40)) {
        let mut w = World::new();
        let (first, shard) = w.start_run();
        let mut run = Some(first);
        let mut epochs = vec![(shard, w.claim(shard)), (ShardId(shard.0 + 1), w.claim(ShardId(shard.0 + 1)))];
        let mut bucket = w.claim_bucket();
        let mut last: Option<(Envelope, Answered)> = None;
        for step in &steps {
            let Some(command) = command(&mut w, step, &mut run, &epochs, bucket) else {
                if let (Step::Repeat, Some((envelope, answer))) = (step, &last) {
                    prop_assert_eq!(&w.send(envelope), answer);
                }
                continue;
            };
            let envelope = w.envelope(command);
            let answer = w.send(&envelope);
            match (&envelope.command, &answer) {
                (Command::ClaimShard { shard, .. }, Ok(Reply::Epoch(e))) => {
                    for known in epochs.iter_mut().filter(|k| k.0 == *shard) {
                        known.1 = *e;
                    }
                }
                (Command::ClaimBucket { .. }, Ok(Reply::Epoch(e))) => bucket = *e,
                (Command::CommitBronze(c), Ok(_)) => {
                    prop_assert!(invariants::may_write(epochs.iter().find(|k| k.0 == c.shard).unwrap().1, c.epoch));
                }
                (Command::CommitSilver(c), Ok(_)) => prop_assert!(invariants::may_write(bucket, c.epoch)),
                _ => {}
            }
            last = Some((envelope, answer));
            invariants::check_all(&w.store.view()).unwrap();
        }
        let other = tempfile::tempdir().unwrap();
        let (store, _) = CatalogStore::open(other.path(), 1 << 20).unwrap();
        for (i, (now, batch)) in w.log.iter().enumerate() {
            store.apply_entry(&(i as u64 + 1).to_be_bytes(), None, *now, batch).unwrap();
        }
        let (mut a, mut b, mut c) = (Vec::new(), Vec::new(), Vec::new());
        w.store.export(&mut a).unwrap();
        store.export(&mut b).unwrap();
        prop_assert_eq!(&a, &b);
        let third = tempfile::tempdir().unwrap();
        let (copy, _) = CatalogStore::open(third.path(), 1 << 20).unwrap();
        copy.import(&mut a.as_slice()).unwrap();
        copy.export(&mut c).unwrap();
        prop_assert_eq!(&a, &c);
    }
}
