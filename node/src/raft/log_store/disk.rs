//! How our types stand in the write-ahead log of the `raft-log` crate, which frames each record
//! with a type and a CRC32.

use std::io::{self, Read, Write};
use std::sync::Arc;

use bytes::Bytes;
use lakewright_storage::crash;
use openraft::storage::LogFlushed;
use openraft::{CommittedLeaderId, LeaderId};
use parking_lot::Mutex;
use raft_log::codeq::{Decode, Encode};

use crate::raft::types::{LogId, TypeConfig, Vote};

/// The types that `raft-log` is instantiated with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct LogTypes;

impl raft_log::Types for LogTypes {
    type LogId = DiskLogId;
    type LogPayload = DiskPayload;
    type Vote = DiskVote;
    type Callback = Flushed;
    type UserData = String;

    fn log_index(log_id: &DiskLogId) -> u64 {
        log_id.index
    }

    fn payload_size(payload: &DiskPayload) -> u64 {
        payload.0.len() as u64
    }
}

/// A log position on disk; ordered as openraft orders it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct DiskLogId {
    pub(super) term: u64,
    pub(super) node: u64,
    pub(super) index: u64,
}

impl From<&LogId> for DiskLogId {
    fn from(id: &LogId) -> Self {
        Self { term: id.leader_id.term, node: id.leader_id.node_id, index: id.index }
    }
}

impl From<&DiskLogId> for LogId {
    fn from(id: &DiskLogId) -> Self {
        Self::new(CommittedLeaderId::new(id.term, id.node), id.index)
    }
}

impl Encode for DiskLogId {
    fn encode<W: Write>(&self, mut w: W) -> io::Result<usize> {
        Ok(self.term.encode(&mut w)? + self.node.encode(&mut w)? + self.index.encode(&mut w)?)
    }
}

impl Decode for DiskLogId {
    fn decode<R: Read>(mut r: R) -> io::Result<Self> {
        Ok(Self { term: u64::decode(&mut r)?, node: u64::decode(&mut r)?, index: u64::decode(&mut r)? })
    }
}

/// A vote on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct DiskVote {
    term: u64,
    node: u64,
    committed: bool,
}

impl From<&Vote> for DiskVote {
    fn from(vote: &Vote) -> Self {
        Self { term: vote.leader_id.term, node: vote.leader_id.node_id, committed: vote.committed }
    }
}

impl From<&DiskVote> for Vote {
    fn from(vote: &DiskVote) -> Self {
        Self { leader_id: LeaderId::new(vote.term, vote.node), committed: vote.committed }
    }
}

impl Encode for DiskVote {
    fn encode<W: Write>(&self, mut w: W) -> io::Result<usize> {
        Ok(self.term.encode(&mut w)? + self.node.encode(&mut w)? + u8::from(self.committed).encode(&mut w)?)
    }
}

impl Decode for DiskVote {
    fn decode<R: Read>(mut r: R) -> io::Result<Self> {
        Ok(Self { term: u64::decode(&mut r)?, node: u64::decode(&mut r)?, committed: u8::decode(&mut r)? != 0 })
    }
}

/// An encoded entry payload: kept encoded, so that the cache counts true bytes and a clone is
/// one reference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct DiskPayload(pub(super) Bytes);

impl Encode for DiskPayload {
    fn encode<W: Write>(&self, mut w: W) -> io::Result<usize> {
        let len = u32::try_from(self.0.len()).map_err(io::Error::other)?;
        len.encode(&mut w)?;
        w.write_all(&self.0)?;
        Ok(4 + self.0.len())
    }
}

impl Decode for DiskPayload {
    fn decode<R: Read>(r: R) -> io::Result<Self> {
        Ok(Self(Vec::<u8>::decode(r)?.into()))
    }
}

/// Who waits for a flush. Called on the log's flush thread, after the fsync.
pub(super) enum Flushed {
    /// Raft waits for entries.
    Entries {
        /// Told when the entries are durable, or that they never will be.
        done: LogFlushed<TypeConfig>,
        /// Where a failure is kept for all later calls.
        failed: Arc<Mutex<Option<String>>>,
    },
    /// A vote, truncation, purge or the opening of the log waits.
    Other(tokio::sync::oneshot::Sender<io::Result<()>>),
    /// A blocking caller waits.
    Blocking(std::sync::mpsc::SyncSender<io::Result<()>>),
}

impl raft_log::Callback for Flushed {
    fn send(self, result: io::Result<()>) {
        metrics::counter!("lakewright_catalog_log_fsyncs_total").increment(1);
        match self {
            Self::Entries { done, failed } => {
                crash::point("raft.append.after_sync");
                if let Err(e) = &result {
                    tracing::error!(error = %e, "the Raft log cannot be flushed; this node stops");
                    *failed.lock() = Some(e.to_string());
                }
                done.log_io_completed(result);
            }
            // A receiver that is gone has lost interest in the answer, not in the effect.
            Self::Other(done) => drop(done.send(result)),
            Self::Blocking(done) => done.send(result),
        }
    }
}
