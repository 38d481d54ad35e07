//! Each way a node may find its disk, and what it does.
#![expect(clippy::unwrap_used, reason = "tests")]

use openraft::storage::{RaftLogStorage, RaftLogStorageExt};
use openraft::CommittedLeaderId;

use super::*;
use crate::raft::log_store::LogOptions;
use crate::raft::memory_state::MemoryState;
use crate::raft::state::ApplyMark;
use crate::raft::types::Entry;

struct Disk {
    dir: tempfile::TempDir,
    log: LogStore,
    snapshots: SnapshotDir,
    state: MemoryState,
}

fn id(index: u64) -> LogId {
    LogId::new(CommittedLeaderId::new(1, 1), index)
}

/// A log of 0..=20 purged up to `purged`, a state applied up to 20, snapshots at `snapshots_at`.
async fn disk(purged: Option<u64>, snapshots_at: &[u64]) -> Disk {
    let dir = tempfile::tempdir().unwrap();
    let snapshots = SnapshotDir::open(&dir.path().join("snapshots")).unwrap();
    let mut log = LogStore::open(&dir.path().join("log"), 1, LogOptions::default()).unwrap();
    let state = MemoryState::default();
    for index in 0..=20 {
        log.blocking_append([Entry { log_id: id(index), ..Entry::default() }]).await.unwrap();
        state.apply(&ApplyMark { log_id: &codec::encode_log_id(&id(index)), membership: None, index, term: 1 }, None).unwrap();
        if snapshots_at.contains(&index) {
            snapshots.create(&state).unwrap();
        }
    }
    if let Some(purged) = purged {
        log.purge(id(purged)).await.unwrap();
    }
    Disk { dir, log, snapshots, state }
}

#[tokio::test]
async fn a_clean_state_is_kept_and_a_new_node_begins() {
    let d = disk(Some(10), &[10]).await;
    assert_eq!(recover(&d.state, true, &d.snapshots, &d.log).unwrap(), Recovery::Kept);
    let log = LogStore::open(&d.dir.path().join("fresh"), 1, LogOptions::default()).unwrap();
    let none = SnapshotDir::open(&d.dir.path().join("none")).unwrap();
    assert_eq!(recover(&MemoryState::default(), false, &none, &log).unwrap(), Recovery::Fresh);
}

#[tokio::test]
async fn an_untrusted_state_is_loaded_or_replayed() {
    let d = disk(Some(10), &[10, 15]).await;
    let empty = MemoryState::default();
    assert_eq!(recover(&empty, false, &d.snapshots, &d.log).unwrap(), Recovery::Loaded);
    assert_eq!(empty.content.lock().last_index, 15);

    let whole = disk(None, &[]).await;
    assert_eq!(recover(&MemoryState::default(), false, &whole.snapshots, &whole.log).unwrap(), Recovery::Replayed);
}

#[tokio::test]
async fn a_damaged_newest_snapshot_gives_way_to_the_older() {
    let d = disk(Some(10), &[10, 15]).await;
    let (newest, _) = d.snapshots.newest().unwrap();
    let mut bytes = std::fs::read(&newest).unwrap();
    bytes[12] ^= 1;
    std::fs::write(&newest, bytes).unwrap();
    let empty = MemoryState::default();
    assert_eq!(recover(&empty, false, &d.snapshots, &d.log).unwrap(), Recovery::Loaded);
    assert_eq!(empty.content.lock().last_index, 10);
}

#[tokio::test]
async fn a_purged_log_without_a_snapshot_that_reaches_it_is_refused() {
    for snapshots in [&[][..], &[8][..]] {
        let d = disk(Some(10), snapshots).await;
        let e = recover(&MemoryState::default(), false, &d.snapshots, &d.log).unwrap_err();
        assert_eq!(e.code, ErrorCode::DataLoss);
        assert!(e.message.contains("begins at entry 11") && e.message.contains("replace this node"), "{e}");
    }
}

#[tokio::test]
async fn a_trusted_state_that_was_lost_is_loaded() {
    let d = disk(Some(10), &[15]).await;
    assert_eq!(recover(&MemoryState::default(), true, &d.snapshots, &d.log).unwrap(), Recovery::Loaded);
}

#[tokio::test]
async fn a_lost_log_and_an_untrusted_full_state_are_refused() {
    let d = disk(None, &[]).await;
    let log = LogStore::open(&d.dir.path().join("new-log"), 1, LogOptions::default()).unwrap();
    let e = recover(&d.state, true, &d.snapshots, &log).unwrap_err();
    assert!(e.message.contains("log is missing"), "{e}");
    let e = recover(&d.state, false, &d.snapshots, &d.log).unwrap_err();
    assert_eq!(e.code, ErrorCode::Internal);
}
