//! A node of one: start, kill, stop, restart, snapshots and purge under load.
#![expect(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::raft::memory_state::MemoryState;
use crate::raft::meta_log::{MetaLog, Outcome};

fn node() -> RaftNode {
    RaftNode { rpc_addr: "127.0.0.1:1".into(), flight_addr: "127.0.0.1:2".into(), zone: String::new() }
}

async fn start(dir: &Path, state: &Arc<MemoryState>, options: RaftOptions) -> Result<RaftRuntime, Error> {
    RaftRuntime::start(dir, 1, node(), Arc::clone(state) as Arc<dyn ReplicatedState>, options).await
}

async fn propose(raft: &RaftRuntime, range: std::ops::Range<u32>) {
    for i in range {
        let done = raft.meta_log().propose(i.to_be_bytes().to_vec()).await;
        assert!(matches!(done, Outcome::Done(_)), "{done:?}");
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for file in std::fs::read_dir(from).unwrap() {
        let file = file.unwrap();
        let target = to.join(file.file_name());
        if file.file_type().unwrap().is_dir() {
            copy(&file.path(), &target);
        } else {
            std::fs::copy(file.path(), target).unwrap();
        }
    }
}

#[tokio::test]
async fn what_was_acknowledged_is_replayed_after_a_kill() {
    let dir = tempfile::tempdir().unwrap();
    let state = MemoryState::shared();
    let raft = start(dir.path(), &state, RaftOptions::default()).await.unwrap();
    assert_eq!(raft.recovery(), Recovery::Fresh);
    propose(&raft, 0..50).await;
    let killed = tempfile::tempdir().unwrap();
    copy(dir.path(), killed.path());
    raft.shutdown().await.unwrap();

    let empty = MemoryState::shared();
    let again = start(killed.path(), &empty, RaftOptions::default()).await.unwrap();
    assert_eq!(again.recovery(), Recovery::Replayed);
    again.meta_log().read_index().await.unwrap();
    assert_eq!(empty.commands(), state.commands());
    let members = again.meta_log().members();
    assert_eq!(members.len(), 1);
    assert_eq!((members[0].id, &members[0].node, members[0].voter, members[0].leader), (1, &node(), true, true));
    again.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_clean_stop_keeps_the_state_and_starts_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let state = MemoryState::shared();
    let raft = start(dir.path(), &state, RaftOptions::default()).await.unwrap();
    propose(&raft, 0..5).await;
    let meta = raft.meta_log();
    raft.shutdown().await.unwrap();
    assert!(matches!(meta.propose(vec![1]).await, Outcome::NotDone(e) if e.code == ErrorCode::Unavailable));

    let trusted = RaftOptions { state_is_trusted: true, ..RaftOptions::default() };
    let begun = std::time::Instant::now();
    let again = start(dir.path(), &state, trusted).await.unwrap();
    assert!(begun.elapsed() < Duration::from_millis(1_400), "it waited for an election: {:?}", begun.elapsed());
    assert_eq!(again.recovery(), Recovery::Kept);
    propose(&again, 5..8).await;
    assert_eq!(state.commands().len(), 8, "nothing was applied twice");
    again.shutdown().await.unwrap();
}

#[tokio::test]
async fn snapshots_are_cut_the_log_is_purged_and_the_rest_replayed() {
    let dir = tempfile::tempdir().unwrap();
    let state = MemoryState::shared();
    let options = RaftOptions { snapshot_after_entries: 20, keep_entries: 5, ..RaftOptions::default() };
    let raft = start(dir.path(), &state, options.clone()).await.unwrap();
    propose(&raft, 0..200).await;
    // Snapshots are cut beside the load; wait until the log was really shortened.
    for i in 200..5_000 {
        if raft.log.last_purged().is_some() {
            break;
        }
        propose(&raft, i..i + 1).await;
    }
    assert!(raft.log.last_purged().is_some());
    raft.shutdown().await.unwrap();

    let empty = MemoryState::shared();
    let again = start(dir.path(), &empty, options.clone()).await.unwrap();
    assert_eq!(again.recovery(), Recovery::Loaded);
    assert_eq!(empty.commands(), state.commands());
    again.shutdown().await.unwrap();

    std::fs::remove_dir_all(dir.path().join("snapshots")).unwrap();
    let refused = start(dir.path(), &MemoryState::shared(), options).await.err().unwrap();
    assert_eq!(refused.code, ErrorCode::DataLoss, "{refused}");
}

#[tokio::test]
async fn a_snapshot_is_cut_by_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let state = MemoryState::shared();
    let log = LogOptions { snapshot_after_bytes: 50_000, ..LogOptions::default() };
    let raft = start(dir.path(), &state, RaftOptions { log, ..RaftOptions::default() }).await.unwrap();
    for _ in 0..8 {
        assert!(matches!(raft.meta_log().propose(vec![7; 10_000]).await, Outcome::Done(_)));
    }
    raft.raft().wait(Some(Duration::from_secs(20))).metrics(|m| m.snapshot.is_some(), "a snapshot").await.unwrap();
    raft.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_data_directory_in_use_is_refused_with_its_path() {
    let dir = tempfile::tempdir().unwrap();
    let raft = start(dir.path(), &MemoryState::shared(), RaftOptions::default()).await.unwrap();
    let e = start(dir.path(), &MemoryState::shared(), RaftOptions::default()).await.err().unwrap();
    assert!(e.message.contains("already locked") && e.message.contains(&dir.path().display().to_string()), "{e}");
    raft.shutdown().await.unwrap();
}
