//! The state as openraft drives it: apply, snapshots, installation.

use std::io;
use std::sync::Arc;

use openraft::storage::RaftStateMachine;
use openraft::{EntryPayload, OptionalSend, RaftSnapshotBuilder, Snapshot, StorageIOError};
use parking_lot::Mutex;
use tokio::fs::File;

use super::codec;
use super::snapshot::SnapshotDir;
use super::state::{ApplyMark, ReplicatedState};
use super::types::{Entry, LogId, ProposalReply, RaftStorageError, SnapshotMeta, StoredMembership, TypeConfig};

/// Joins a [`ReplicatedState`] and its snapshots to Raft. Clones share both.
#[derive(Clone)]
pub struct StateMachine {
    state: Arc<dyn ReplicatedState>,
    snapshots: Arc<SnapshotDir>,
    /// Held while applying; true once nothing may be applied any more.
    closed: Arc<Mutex<bool>>,
}

impl StateMachine {
    /// Joins them. The state must already stand at or above the log's purge point.
    pub fn new(state: Arc<dyn ReplicatedState>, snapshots: Arc<SnapshotDir>) -> Self {
        Self { state, snapshots, closed: Arc::default() }
    }

    /// Waits for the entry that is being applied; after it none is applied any more, so that the
    /// state can be closed. Blocks.
    pub fn close(&self) {
        *self.closed.lock() = true;
    }

    fn apply_one(&self, entry: &Entry) -> io::Result<ProposalReply> {
        let log_id = codec::encode_log_id(&entry.log_id);
        let (membership, proposal) = match &entry.payload {
            EntryPayload::Blank => (None, None),
            EntryPayload::Normal(proposal) => (None, Some(proposal)),
            EntryPayload::Membership(m) => {
                let stored = StoredMembership::new(Some(entry.log_id), m.clone());
                (Some(codec::encode_membership(&stored)?), None)
            }
        };
        let mark =
            ApplyMark { log_id: &log_id, membership: membership.as_deref(), index: entry.log_id.index, term: entry.log_id.leader_id.term };
        let closed = self.closed.lock();
        if *closed {
            return Err(io::Error::other("the node is stopping; the entry stays in the log"));
        }
        let replies = self.state.apply(&mark, proposal)?;
        drop(closed);
        let expected = proposal.map_or(0, |p| p.commands.len());
        if replies.len() != expected {
            return Err(io::Error::other(format!("entry {} holds {expected} commands and got {} replies", entry.log_id, replies.len())));
        }
        Ok(ProposalReply { replies })
    }

    /// Runs blocking disk work off the runtime's threads.
    async fn blocking<T: Send + 'static>(&self, work: impl FnOnce(&Self) -> io::Result<T> + Send + 'static) -> io::Result<T> {
        let me = self.clone();
        tokio::task::spawn_blocking(move || work(&me)).await.map_err(io::Error::other)?
    }
}

impl RaftSnapshotBuilder<TypeConfig> for StateMachine {
    async fn build_snapshot(&mut self) -> Result<Snapshot<TypeConfig>, RaftStorageError> {
        let begun = std::time::Instant::now();
        let built = self
            .blocking(|me| {
                let meta = me.snapshots.create(me.state.as_ref())?;
                let (path, _) = me.snapshots.newest().ok_or_else(|| io::Error::other("the snapshot just written is gone"))?;
                Ok((meta, std::fs::File::open(path)?))
            })
            .await;
        let (meta, file) = built.map_err(|e| StorageIOError::write_snapshot(None, &e))?;
        metrics::histogram!("lakewright_catalog_snapshot_seconds").record(begun.elapsed().as_secs_f64());
        Ok(Snapshot { meta, snapshot: Box::new(File::from_std(file)) })
    }
}

impl RaftStateMachine<TypeConfig> for StateMachine {
    type SnapshotBuilder = Self;

    async fn applied_state(&mut self) -> Result<(Option<LogId>, StoredMembership), RaftStorageError> {
        let read = || {
            let applied = self.state.applied()?;
            let log_id = applied.log_id.as_deref().map(codec::decode_log_id).transpose()?;
            Ok((log_id, codec::decode_membership(&applied.membership)?))
        };
        read().map_err(|e: io::Error| StorageIOError::read_state_machine(&e).into())
    }

    async fn apply<I>(&mut self, entries: I) -> Result<Vec<ProposalReply>, RaftStorageError>
    where
        I: IntoIterator<Item = Entry> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        // On Raft's own runtime, whose other threads keep the protocol going.
        let mut replies = Vec::new();
        for entry in entries {
            replies.push(self.apply_one(&entry).map_err(|e| StorageIOError::apply(entry.log_id, &e))?);
        }
        Ok(replies)
    }

    async fn get_snapshot_builder(&mut self) -> Self {
        self.clone()
    }

    async fn begin_receiving_snapshot(&mut self) -> Result<Box<File>, RaftStorageError> {
        let file = self.blocking(|me| me.snapshots.receive()).await.map_err(|e| StorageIOError::write_snapshot(None, &e))?;
        Ok(Box::new(File::from_std(file)))
    }

    async fn install_snapshot(&mut self, meta: &SnapshotMeta, snapshot: Box<File>) -> Result<(), RaftStorageError> {
        let mut file = snapshot.into_std().await;
        let wanted = meta.clone();
        self.blocking(move |me| me.snapshots.install(&mut file, &wanted, me.state.as_ref()))
            .await
            .map_err(|e| StorageIOError::write_snapshot(Some(meta.signature()), &e).into())
    }

    async fn get_current_snapshot(&mut self) -> Result<Option<Snapshot<TypeConfig>>, RaftStorageError> {
        let open = |me: &Self| {
            let Some((path, meta)) = me.snapshots.newest() else { return Ok(None) };
            Ok(Some((meta, std::fs::File::open(path)?)))
        };
        let found = self.blocking(open).await.map_err(|e| StorageIOError::read_snapshot(None, &e))?;
        Ok(found.map(|(meta, file)| Snapshot { meta, snapshot: Box::new(File::from_std(file)) }))
    }
}

#[cfg(test)]
mod tests;
