//! What is applied, what is refused, and what a stop guarantees.
#![expect(clippy::unwrap_used, reason = "tests")]

use openraft::CommittedLeaderId;

use super::*;
use crate::raft::memory_state::MemoryState;
use crate::raft::types::Proposal;

fn entry(index: u64, commands: &[&[u8]]) -> Entry {
    let commands = commands.iter().map(|c| c.to_vec()).collect();
    Entry {
        log_id: LogId::new(CommittedLeaderId::new(1, 1), index),
        payload: EntryPayload::Normal(Proposal { commands, proposed_at_us: 1 }),
    }
}

fn machine(dir: &std::path::Path) -> (Arc<MemoryState>, StateMachine) {
    let state = MemoryState::shared();
    let snapshots = Arc::new(SnapshotDir::open(dir).unwrap());
    (Arc::clone(&state), StateMachine::new(state, snapshots))
}

#[tokio::test]
async fn each_command_has_its_reply_and_raft_entries_have_none() {
    let dir = tempfile::tempdir().unwrap();
    let (state, mut machine) = machine(dir.path());
    let blank = Entry { log_id: LogId::new(CommittedLeaderId::new(1, 1), 1), ..Entry::default() };
    let replies = machine.apply([blank, entry(2, &[b"a", b"b"])]).await.unwrap();
    assert_eq!(replies[0].replies, Vec::<Vec<u8>>::new());
    assert_eq!(replies[1].replies, [b"a@1".to_vec(), b"b@2".to_vec()]);
    assert_eq!(machine.applied_state().await.unwrap().0.unwrap().index, 2);
    assert_eq!(state.content.lock().last_index, 2);
}

#[tokio::test]
async fn after_close_nothing_is_applied() {
    let dir = tempfile::tempdir().unwrap();
    let (state, mut machine) = machine(dir.path());
    machine.apply([entry(1, &[b"a"])]).await.unwrap();
    machine.clone().close();
    assert!(machine.apply([entry(2, &[b"b"])]).await.is_err());
    assert_eq!(state.commands(), [b"a".to_vec()]);
    assert_eq!(machine.applied_state().await.unwrap().0.unwrap().index, 1);
}
