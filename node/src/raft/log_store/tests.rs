//! What a restart, a torn write, rot and a purge leave of the log.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::path::Path;

use openraft::storage::{RaftLogStorage, RaftLogStorageExt};
use openraft::{CommittedLeaderId, EntryPayload, RaftLogReader};
use proptest::prelude::*;

use super::*;
use crate::raft::types::{Entry, Proposal, Vote};

fn id(index: u64) -> LogId {
    LogId::new(CommittedLeaderId::new(1, 1), index)
}

fn entry(index: u64) -> Entry {
    let commands = vec![format!("command {index}").into_bytes(), vec![index as u8; (index as usize * 37) % 300]];
    Entry { log_id: id(index), payload: EntryPayload::Normal(Proposal { commands, proposed_at_us: index as i64 }) }
}

fn open(dir: &Path, options: LogOptions) -> io::Result<LogStore> {
    LogStore::open(dir, 1, options)
}

fn small() -> LogOptions {
    LogOptions { file_bytes: 4096, cache_bytes: 2048, ..LogOptions::default() }
}

/// Appends and commits as a leader of one does; everything is acknowledged on return.
async fn acknowledge(log: &mut LogStore, entries: std::ops::RangeInclusive<u64>) {
    for index in entries {
        log.blocking_append([entry(index)]).await.unwrap();
        log.save_committed(Some(id(index))).await.unwrap();
    }
    log.sync().unwrap();
}

async fn entries(log: &mut LogStore) -> Vec<Entry> {
    log.try_get_log_entries(..).await.unwrap()
}

/// The files as a kill at this instant would leave them.
fn copy(from: &Path) -> tempfile::TempDir {
    let to = tempfile::tempdir().unwrap();
    for file in std::fs::read_dir(from).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), to.path().join(file.file_name())).unwrap();
    }
    to
}

fn block_on<T>(work: impl std::future::Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

#[tokio::test]
async fn what_was_acknowledged_is_there_after_a_kill() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = open(dir.path(), small()).unwrap();
    log.save_vote(&Vote::new(3, 1)).await.unwrap();
    acknowledge(&mut log, 0..=99).await;
    let killed = copy(dir.path());
    let mut again = open(killed.path(), small()).unwrap();
    assert_eq!(entries(&mut again).await, (0..=99).map(entry).collect::<Vec<_>>());
    assert_eq!(again.read_vote().await.unwrap(), Some(Vote::new(3, 1)));
    assert_eq!(again.read_committed().await.unwrap(), Some(id(99)));
    again.truncate(id(100)).await.unwrap();
    acknowledge(&mut again, 100..=101).await;
    assert_eq!(entries(&mut again).await.len(), 102);
}

#[tokio::test]
async fn truncation_and_purge_survive_a_kill() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = open(dir.path(), small()).unwrap();
    acknowledge(&mut log, 0..=40).await;
    log.blocking_append((41..=50).map(entry)).await.unwrap();
    log.truncate(id(45)).await.unwrap();
    log.purge(id(20)).await.unwrap();
    let mut again = open(copy(dir.path()).path(), small()).unwrap();
    assert_eq!(entries(&mut again).await, (21..=44).map(entry).collect::<Vec<_>>());
    assert_eq!(again.last_purged(), Some(id(20)));
}

#[tokio::test]
async fn another_nodes_log_and_a_log_in_use_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path(), small()).unwrap();
    assert!(log.is_pristine());
    assert!(open(dir.path(), small()).err().unwrap().to_string().contains("already locked"));
    drop(log);
    let refused = LogStore::open(dir.path(), 2, small()).err().unwrap();
    assert!(refused.to_string().contains("another node's log"), "{refused}");
}

#[test]
fn what_a_living_process_writes_is_not_cut_by_a_second_start() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path(), small()).unwrap();
    let file = tail::newest_log_file(dir.path()).unwrap().unwrap();
    let mut half_written = std::fs::read(&file).unwrap();
    half_written.extend([0, 0, 0, 1, 0]);
    std::fs::write(&file, &half_written).unwrap();
    assert!(open(dir.path(), small()).is_err());
    assert_eq!(std::fs::read(&file).unwrap(), half_written);
    drop(log);
    open(dir.path(), small()).unwrap();
    assert_eq!(std::fs::metadata(&file).unwrap().len() as usize, half_written.len() - 5);
}

#[tokio::test]
async fn nothing_is_purged_beyond_the_older_snapshot() {
    let dir = tempfile::tempdir().unwrap();
    let (durable, snapshots) = watch::channel(Durable::default());
    let mut log = open(dir.path(), small()).unwrap().purging_below(snapshots);
    acknowledge(&mut log, 0..=30).await;
    log.purge(id(20)).await.unwrap();
    assert_eq!(log.last_purged(), None, "no snapshot, no purge");
    durable.send_replace(Durable { newest: Some(id(28)), oldest: Some(id(10)) });
    log.purge(id(20)).await.unwrap();
    assert_eq!(log.last_purged(), Some(id(10)));
    // Beyond the log: a snapshot is being installed, and must be durable first.
    let mut waiting = log.clone();
    let purge = tokio::spawn(async move { waiting.purge(id(50)).await });
    durable.send_replace(Durable { newest: Some(id(50)), oldest: Some(id(50)) });
    purge.await.unwrap().unwrap();
    assert_eq!(log.last_purged(), Some(id(50)));
    acknowledge(&mut log, 51..=52).await;
}

#[tokio::test]
async fn a_snapshot_is_due_by_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = open(dir.path(), LogOptions { snapshot_after_bytes: 1000, ..small() }).unwrap();
    let growth = log.growth();
    let due = tokio::spawn(async move { growth.due().await });
    acknowledge(&mut log, 0..=20).await;
    due.await.unwrap();
}

#[test]
fn the_bytes_of_the_log_are_frozen() {
    let dir = tempfile::tempdir().unwrap();
    block_on(async {
        let mut log = open(dir.path(), small()).unwrap();
        log.save_vote(&Vote::new(1, 1)).await.unwrap();
        let proposal = Proposal { commands: vec![b"x".to_vec()], proposed_at_us: 9 };
        log.blocking_append([Entry { log_id: id(0), payload: EntryPayload::Normal(proposal) }]).await.unwrap();
        log.save_committed(Some(id(0))).await.unwrap();
        log.truncate(id(1)).await.unwrap();
        log.purge(id(0)).await.unwrap();
        log.sync().unwrap();
    });
    let file = tail::newest_log_file(dir.path()).unwrap().unwrap();
    assert_eq!(file.file_name().unwrap(), "r-00_000_000_000_000_000_000.wal");
    // Checkpoint, checkpoint with the owner's marker, vote, append, commit, purge.
    let records = [
        "00000005010000000000000000007aee9474",
        "000000050100000000010000001d6c616b657772696768742d726166742d6c6f67207631206e6f6465203100000000428b9eb8",
        "00000000000000000000000100000000000000010000000000b7dd9ff4",
        "000000010000000000000001000000000000000100000000000000000000001301010000000000000009000000010000000178000000004c6eced5",
        "000000020000000000000001000000000000000100000000000000000000000080cb8eb4",
        "0000000400000000000000010000000000000001000000000000000000000000eb10e212",
    ];
    assert_eq!(hex::encode(std::fs::read(file).unwrap()), records.concat());
}

#[derive(Clone, Debug)]
enum Harm {
    Cut,
    Zero(usize),
    Garble(Vec<u8>),
}

fn harm() -> impl Strategy<Value = Harm> {
    prop_oneof![Just(Harm::Cut), (1usize..200).prop_map(Harm::Zero), prop::collection::vec(any::<u8>(), 1..200).prop_map(Harm::Garble),]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// A write that was cut, holed or scrambled before it was acknowledged costs only itself.
    #[test]
    fn a_torn_tail_costs_nothing_acknowledged(acked in 1u64..30, torn in 1u64..6, at in 0.0f64..1.0, harm in harm()) {
        block_on(async {
            let dir = tempfile::tempdir().unwrap();
            // One file: the harm below is in the newest one.
            let options = LogOptions::default();
            let mut log = open(dir.path(), options).unwrap();
            acknowledge(&mut log, 0..=acked).await;
            let file = tail::newest_log_file(dir.path()).unwrap().unwrap();
            let safe = std::fs::metadata(&file).unwrap().len() as usize;
            log.blocking_append((acked + 1..=acked + torn).map(entry)).await.unwrap();
            let mut bytes = std::fs::read(&file).unwrap();
            let at = safe + ((bytes.len() - safe) as f64 * at) as usize;
            match &harm {
                Harm::Cut => bytes.truncate(at),
                Harm::Zero(n) => bytes.iter_mut().skip(at).take(*n).for_each(|b| *b = 0),
                Harm::Garble(with) => bytes.iter_mut().skip(at).zip(with).for_each(|(b, w)| *b = *w),
            }
            let killed = copy(dir.path());
            std::fs::write(killed.path().join(file.file_name().unwrap()), &bytes).unwrap();

            let mut again = open(killed.path(), options).unwrap();
            let found = entries(&mut again).await;
            assert!(found.len() as u64 > acked, "{} of {} acknowledged entries", found.len(), acked + 1);
            assert_eq!(found, (0..found.len() as u64).map(entry).collect::<Vec<_>>());
            let next = found.len() as u64;
            acknowledge(&mut again, next..=next + 2).await;
            drop(again);
            assert_eq!(entries(&mut open(killed.path(), options).unwrap()).await.len() as u64, next + 3);
        });
    }

    /// One rotten byte among acknowledged entries, in any file, is refused or harmless: the log is
    /// never silently shorter.
    #[test]
    fn rot_never_shortens_the_log(which in 0.0f64..1.0, at in 0.0f64..1.0, flip in 1u8..=255) {
        block_on(async {
            let dir = tempfile::tempdir().unwrap();
            let mut log = open(dir.path(), small()).unwrap();
            log.save_vote(&Vote::new(1, 1)).await.unwrap();
            acknowledge(&mut log, 0..=60).await;
            let killed = copy(dir.path());
            let mut files: Vec<_> = std::fs::read_dir(killed.path()).unwrap().map(|f| f.unwrap().path()).collect();
            files.retain(|f| f.extension().is_some_and(|e| e == "wal"));
            files.sort();
            assert!(files.len() > 2, "{files:?}");
            let file = &files[(files.len() as f64 * which) as usize];
            let mut bytes = std::fs::read(file).unwrap();
            let at = (bytes.len() as f64 * at) as usize;
            bytes[at] ^= flip;
            std::fs::write(file, &bytes).unwrap();
            if let Ok(mut again) = open(killed.path(), small()) {
                assert_eq!(entries(&mut again).await, (0..=60).map(entry).collect::<Vec<_>>());
            }
        });
    }
}
