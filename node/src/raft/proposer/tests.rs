//! Group commit: each command its own reply, few entries, order kept, failures told apart.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::io;
use std::sync::atomic::AtomicBool;

use futures::future::join_all;

use super::*;
use crate::raft::memory_state::MemoryState;
use crate::raft::{Applied, ApplyMark, RaftNode, RaftOptions, RaftRuntime, ReplicatedState};

async fn start(dir: &std::path::Path, state: Arc<dyn ReplicatedState>) -> RaftRuntime {
    RaftRuntime::start(dir, 1, RaftNode::default(), state, RaftOptions::default()).await.unwrap()
}

#[tokio::test]
async fn a_thousand_callers_share_few_entries_and_get_their_own_replies() {
    let dir = tempfile::tempdir().unwrap();
    let state = MemoryState::shared();
    let raft = start(dir.path(), Arc::clone(&state) as Arc<dyn ReplicatedState>).await;
    let before = state.content.lock().last_index;
    let meta = raft.meta_log();
    let outcomes = join_all((0..1000).map(|i| {
        let meta = meta.clone();
        async move { (i, meta.propose(format!("c{i}").into_bytes()).await) }
    }))
    .await;
    for (i, outcome) in outcomes {
        let Outcome::Done(reply) = outcome else { unreachable!("{i}: {outcome:?}") };
        let reply = String::from_utf8(reply).unwrap();
        let (command, place) = reply.split_once('@').unwrap();
        assert_eq!(command, format!("c{i}"));
        assert_eq!(state.commands()[place.parse::<usize>().unwrap() - 1], command.as_bytes());
    }
    assert_eq!(state.commands().len(), 1000, "each was applied once");
    let entries = state.content.lock().last_index - before;
    assert!(entries <= 200, "{entries} entries for 1000 commands");
    raft.shutdown().await.unwrap();
}

#[tokio::test]
async fn batches_keep_to_their_limits() {
    let (tx, mut rx) = mpsc::channel(QUEUE_COMMANDS);
    let put = |bytes: usize| {
        let (reply, _) = oneshot::channel();
        tx.try_send(Waiting { command: vec![0; bytes], reply }).unwrap_or_else(|_| unreachable!("room"));
    };
    (0..BATCH_COMMANDS + 3).for_each(|_| put(1));
    let mut left = None;
    assert_eq!(next_batch(&mut rx, &mut left).await.unwrap().len(), BATCH_COMMANDS);
    assert_eq!(next_batch(&mut rx, &mut left).await.unwrap().len(), 3);
    [BATCH_BYTES - 1, 1, 1, BATCH_BYTES * 2, 5].into_iter().for_each(put);
    let mut sizes = Vec::new();
    drop(tx);
    while let Some(batch) = next_batch(&mut rx, &mut left).await {
        sizes.push(batch.iter().map(|w| w.command.len()).collect::<Vec<_>>());
    }
    assert_eq!(sizes, [vec![BATCH_BYTES - 1, 1], vec![1], vec![BATCH_BYTES * 2], vec![5]]);
}

#[tokio::test]
async fn a_command_that_is_too_large_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let raft = start(dir.path(), MemoryState::shared()).await;
    let refused = raft.meta_log().propose(vec![0; MAX_COMMAND_BYTES + 1]).await;
    assert!(matches!(refused, Outcome::NotDone(e) if e.code == ErrorCode::InvalidArgument));
    raft.shutdown().await.unwrap();
}

/// A state whose disk fails on demand.
#[derive(Default)]
struct Failing {
    inner: MemoryState,
    broken: AtomicBool,
}

impl ReplicatedState for Failing {
    fn apply(&self, mark: &ApplyMark<'_>, proposal: Option<&Proposal>) -> io::Result<Vec<Vec<u8>>> {
        if self.broken.load(Ordering::SeqCst) {
            return Err(io::Error::other("no space left"));
        }
        self.inner.apply(mark, proposal)
    }

    fn applied(&self) -> io::Result<Applied> {
        self.inner.applied()
    }

    fn export(&self, writer: &mut dyn io::Write) -> io::Result<Applied> {
        self.inner.export(writer)
    }

    fn import(&self, reader: &mut dyn io::Read) -> io::Result<()> {
        self.inner.import(reader)
    }
}

#[tokio::test]
async fn a_state_that_fails_leaves_the_outcome_unknown_and_stops_raft() {
    let dir = tempfile::tempdir().unwrap();
    let state = Arc::new(Failing::default());
    let raft = start(dir.path(), Arc::clone(&state) as Arc<dyn ReplicatedState>).await;
    assert!(matches!(raft.meta_log().propose(b"a".to_vec()).await, Outcome::Done(_)));
    state.broken.store(true, Ordering::SeqCst);
    let lost = raft.meta_log().propose(b"b".to_vec()).await;
    assert!(matches!(&lost, Outcome::Unknown(e) if e.code == ErrorCode::UnknownOutcome), "{lost:?}");
    let why = raft.failed().await;
    assert!(why.message.contains("no space left"), "{why}");
    let after = raft.meta_log().propose(b"c".to_vec()).await;
    assert!(matches!(&after, Outcome::NotDone(e) if e.code == ErrorCode::Unavailable), "{after:?}");
    assert!(raft.meta_log().read_index().await.is_err());
    drop(raft.shutdown().await);

    // The entry was durable: a restart with a sound disk applies it.
    let sound = MemoryState::shared();
    let again = start(dir.path(), Arc::clone(&sound) as Arc<dyn ReplicatedState>).await;
    assert_eq!(sound.commands(), [b"a".to_vec(), b"b".to_vec()]);
    again.shutdown().await.unwrap();
}
