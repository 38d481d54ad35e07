//! The log as openraft asks for it.

use std::fmt::Debug;
use std::io;
use std::ops::{Bound, RangeBounds};

use lakewright_storage::crash;
use openraft::storage::{LogFlushed, RaftLogStorage};
use openraft::{LogState, OptionalSend, RaftLogReader, StorageIOError};
use raft_log::api::raft_log_writer::RaftLogWriter;

use super::disk::{DiskLogId, DiskPayload, DiskVote, Flushed};
use super::LogStore;
use crate::raft::codec;
use crate::raft::types::{Entry, LogId, RaftStorageError, TypeConfig, Vote};

/// Replication reads about so many bytes of entries at a time.
const READ_BYTES: usize = 4 << 20;

fn read_error(e: &io::Error) -> RaftStorageError {
    StorageIOError::read_logs(e).into()
}

fn write_error(e: &io::Error) -> RaftStorageError {
    StorageIOError::write_logs(e).into()
}

impl LogStore {
    /// Entries of `from..to`, ending early once `max_bytes` are gathered (never before the first).
    fn read(&self, from: u64, to: u64, max_bytes: usize) -> io::Result<Vec<Entry>> {
        let log = self.log.lock();
        let mut entries = Vec::new();
        let mut bytes = 0;
        for found in log.read(from, to.max(from)) {
            let (id, DiskPayload(payload)) = found?;
            entries.push(Entry { log_id: LogId::from(&id), payload: codec::decode_payload(&payload)? });
            bytes += payload.len();
            if bytes >= max_bytes {
                break;
            }
        }
        Ok(entries)
    }
}

impl RaftLogReader<TypeConfig> for LogStore {
    async fn try_get_log_entries<RB: RangeBounds<u64> + Clone + Debug + OptionalSend>(
        &mut self,
        range: RB,
    ) -> Result<Vec<Entry>, RaftStorageError> {
        let from = match range.start_bound() {
            Bound::Included(&i) => i,
            Bound::Excluded(&i) => i + 1,
            Bound::Unbounded => 0,
        };
        let to = match range.end_bound() {
            Bound::Included(&i) => i.saturating_add(1),
            Bound::Excluded(&i) => i,
            Bound::Unbounded => u64::MAX,
        };
        self.read(from, to, usize::MAX).map_err(|e| read_error(&e))
    }

    async fn limited_get_log_entries(&mut self, start: u64, end: u64) -> Result<Vec<Entry>, RaftStorageError> {
        self.read(start, end, READ_BYTES).map_err(|e| read_error(&e))
    }
}

impl RaftLogStorage<TypeConfig> for LogStore {
    type LogReader = Self;

    async fn get_log_state(&mut self) -> Result<LogState<TypeConfig>, RaftStorageError> {
        let log = self.log.lock();
        let state = log.log_state();
        let last_purged_log_id = state.purged().map(LogId::from);
        Ok(LogState { last_purged_log_id, last_log_id: state.last().map(LogId::from).or(last_purged_log_id) })
    }

    async fn get_log_reader(&mut self) -> Self {
        self.clone()
    }

    async fn save_vote(&mut self, vote: &Vote) -> Result<(), RaftStorageError> {
        let vote = DiskVote::from(vote);
        self.write_synced(|log| log.save_vote(vote).map(drop)).await.map_err(|e| StorageIOError::write_vote(&e).into())
    }

    async fn read_vote(&mut self) -> Result<Option<Vote>, RaftStorageError> {
        Ok(self.log.lock().log_state().vote().map(Vote::from))
    }

    async fn save_committed(&mut self, committed: Option<LogId>) -> Result<(), RaftStorageError> {
        let Some(committed) = committed else { return Ok(()) };
        let id = DiskLogId::from(&committed);
        let save = || {
            self.check()?;
            let mut log = self.log.lock();
            // A position outside the log says nothing that replay could use.
            if log.log_state().last() < Some(&id) || log.log_state().committed() >= Some(&id) {
                return Ok(());
            }
            log.commit(id)?;
            log.flush(false, None)
        };
        save().map_err(|e: io::Error| write_error(&e))
    }

    async fn read_committed(&mut self) -> Result<Option<LogId>, RaftStorageError> {
        Ok(self.log.lock().log_state().committed().map(LogId::from))
    }

    async fn append<I>(&mut self, entries: I, callback: LogFlushed<TypeConfig>) -> Result<(), RaftStorageError>
    where
        I: IntoIterator<Item = Entry> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let encoded = entries
            .into_iter()
            .map(|entry| Ok((DiskLogId::from(&entry.log_id), DiskPayload(codec::encode_payload(&entry.payload)?))))
            .collect::<io::Result<Vec<_>>>()
            .map_err(|e| write_error(&e))?;
        let bytes: u64 = encoded.iter().map(|(_, payload)| payload.0.len() as u64).sum();
        let append = || {
            self.check()?;
            let mut log = self.log.lock();
            // What lies at or below the purge point is in a snapshot already.
            let purged = log.log_state().purged().map(|id| id.index);
            log.append(encoded.into_iter().filter(|(id, _)| Some(id.index) > purged))?;
            crash::point("raft.append.before_sync");
            log.flush(true, Some(Flushed::Entries { done: callback, failed: self.failed.clone() }))
        };
        append().map_err(|e: io::Error| write_error(&e))?;
        self.growth.add(bytes);
        Ok(())
    }

    async fn truncate(&mut self, log_id: LogId) -> Result<(), RaftStorageError> {
        self.write_synced(|log| {
            if log.log_state().last().is_none_or(|last| last.index < log_id.index) {
                return Ok(());
            }
            log.truncate(log_id.index).map(drop)
        })
        .await
        .map_err(|e| write_error(&e))
    }

    async fn purge(&mut self, log_id: LogId) -> Result<(), RaftStorageError> {
        let upto = self.purgeable(log_id).await.map_err(|e| write_error(&e))?;
        let Some(upto) = upto else { return Ok(()) };
        self.write_synced(|log| log.purge(DiskLogId::from(&upto)).map(drop)).await.map_err(|e| write_error(&e))
    }
}
