//! Silver's state per bucket, and the change that one merge makes to it.

use lakewright_proto::{CommitSeq, FileId, ShardEpoch};
use serde::{Deserialize, Serialize};

use super::{DataFile, OutcomeCounts};
use crate::error::{Result, StorageError};

/// The deletion vector of one data file: a Puffin file with one `deletion-vector-v1` blob.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeletionVectorRef {
    /// The data file whose rows it deletes.
    pub data_file: FileId,
    /// Raised by one at each replacement; compaction names the version it read.
    pub version: u32,
    /// The Puffin file's key.
    pub path: String,
    /// Bytes of the Puffin file.
    pub size: u64,
    /// Where the blob is in it.
    pub offset: u64,
    /// The blob's length.
    pub length: u64,
    /// Rows deleted.
    pub cardinality: u64,
}

/// One immutable sorted run of the key index.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IndexRun {
    /// The run's id.
    pub id: FileId,
    /// Its key in the object store.
    pub path: String,
    /// Bytes.
    pub size: u64,
    /// Entries.
    pub entries: u64,
    /// Newer runs have higher numbers and hide older entries of the same key.
    pub level_order: u64,
}

/// A bucket of a Silver table as the catalog has it: all that its owner needs to go on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BucketState {
    /// The bucket's number within the table.
    pub bucket: u32,
    /// Buckets that the table has; a key belongs to one of them by its hash.
    pub buckets: u32,
    /// The current owner's epoch.
    pub epoch: ShardEpoch,
    /// Every Bronze commit up to and with this one is in it.
    pub watermark: CommitSeq,
    /// Live data files.
    pub files: Vec<DataFile>,
    /// At most one per data file.
    pub deletion_vectors: Vec<DeletionVectorRef>,
    /// Newest last.
    pub index: Vec<IndexRun>,
    /// Live rows.
    pub live_rows: u64,
}

/// What one merge or compaction changes in a bucket. Applied whole or not at all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SilverDelta {
    /// New data files.
    pub added: Vec<DataFile>,
    /// Data files that are no longer live (compaction only).
    pub removed: Vec<FileId>,
    /// New or replaced deletion vectors, for old or added files.
    pub deletion_vectors: Vec<DeletionVectorRef>,
    /// New index runs.
    pub index_added: Vec<IndexRun>,
    /// Index runs that the new ones replace.
    pub index_removed: Vec<FileId>,
    /// The change rows of this commit.
    pub changes: Vec<DataFile>,
    /// Outcomes per Bronze commit, in commit order.
    pub outcomes: Vec<(CommitSeq, OutcomeCounts)>,
}

impl BucketState {
    /// The state after a change, as the catalog makes it of both.
    pub fn advance(&mut self, delta: &SilverDelta) -> Result<()> {
        self.files.retain(|f| !delta.removed.contains(&f.id));
        self.deletion_vectors.retain(|v| !delta.removed.contains(&v.data_file));
        self.files.extend(delta.added.iter().cloned());
        for vector in &delta.deletion_vectors {
            self.deletion_vectors.retain(|o| o.data_file != vector.data_file);
            self.deletion_vectors.push(vector.clone());
        }
        self.index.retain(|r| !delta.index_removed.contains(&r.id));
        self.index.extend(delta.index_added.iter().cloned());
        self.index.sort_by_key(|r| r.level_order);
        let live = self.live_rows.checked_add_signed(delta.live_rows_delta());
        self.live_rows = live.ok_or_else(|| StorageError::corrupt("a merge", "it ends more rows than there are"))?;
        if let Some((to, _)) = delta.outcomes.last() {
            self.watermark = *to;
        }
        Ok(())
    }
}

impl SilverDelta {
    /// Inserted minus deleted.
    pub fn live_rows_delta(&self) -> i64 {
        self.outcomes.iter().map(|(_, o)| o.inserted as i64 - o.deleted as i64).sum()
    }
}
