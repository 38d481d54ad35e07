//! One entry of the index, of fixed width.

use lakewright_proto::{CommitSeq, FileId, RecordAddress, ShardId};
use uuid::Uuid;

use crate::error::{Result, StorageError};

/// A record's id.
pub type Key = [u8; 16];

/// Bytes of an encoded entry.
pub const ENTRY_BYTES: usize = 96;

/// Whether the key has a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It has: this row of this file.
    Live {
        /// The data file.
        file: FileId,
        /// The row in it.
        row: u32,
    },
    /// It was deleted.
    Tombstone,
}

/// What is known of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The key.
    pub key: Key,
    /// The source's version.
    pub version: i64,
    /// The Bronze commit that brought it.
    pub commit: CommitSeq,
    /// The record.
    pub address: RecordAddress,
    /// Hash of the typed content.
    pub hash: u128,
    /// The instant that partitions the key, of its first accepted version.
    pub partition_at: i64,
    /// Its row, or that it has none.
    pub state: State,
}

impl Entry {
    /// Appends the encoding.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let start = out.len();
        out.extend_from_slice(&self.key);
        out.extend_from_slice(&self.version.to_le_bytes());
        out.extend_from_slice(&self.commit.0.to_le_bytes());
        out.extend_from_slice(&self.address.shard.0.to_le_bytes());
        out.extend_from_slice(&self.address.offset.to_le_bytes());
        out.extend_from_slice(&self.hash.to_le_bytes());
        out.extend_from_slice(&self.partition_at.to_le_bytes());
        let (flag, file, row) = match self.state {
            State::Live { file, row } => (1u8, file, row),
            State::Tombstone => (0, FileId(Uuid::nil()), 0),
        };
        out.extend_from_slice(file.as_bytes());
        out.extend_from_slice(&row.to_le_bytes());
        out.push(flag);
        out.resize(start + ENTRY_BYTES, 0);
    }

    /// Decodes an entry.
    pub fn decode(path: &str, bytes: &[u8]) -> Result<Self> {
        let short = || StorageError::corrupt(path, "an entry is cut short");
        let mut rest = bytes;
        fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
            let (head, tail) = rest.split_first_chunk::<N>()?;
            *rest = tail;
            Some(*head)
        }
        let mut read = || -> Option<Self> {
            let key = take::<16>(&mut rest)?;
            let version = i64::from_le_bytes(take(&mut rest)?);
            let commit = CommitSeq(u64::from_le_bytes(take(&mut rest)?));
            let shard = ShardId(u64::from_le_bytes(take(&mut rest)?));
            let offset = u64::from_le_bytes(take(&mut rest)?);
            let hash = u128::from_le_bytes(take(&mut rest)?);
            let partition_at = i64::from_le_bytes(take(&mut rest)?);
            let file = FileId(Uuid::from_bytes(take(&mut rest)?));
            let row = u32::from_le_bytes(take(&mut rest)?);
            let state = match take::<1>(&mut rest)? {
                [1] => State::Live { file, row },
                [0] => State::Tombstone,
                _ => return None,
            };
            Some(Self { key, version, commit, address: RecordAddress { shard, offset }, hash, partition_at, state })
        };
        read().ok_or_else(short)
    }
}
