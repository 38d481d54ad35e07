//! Tables and their files.

use std::collections::BTreeMap;

use lakewright_proto::{CommitSeq, FileId, Layer, NodeId, ShardEpoch, ShardId, TableId, TenantId};
use serde::{Deserialize, Serialize};

use super::cluster::serde_bytes_vec;
use crate::table::{DataFile, DeletionVectorRef, IndexRun};

/// A table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Table {
    /// Its id.
    pub id: TableId,
    /// Its tenant.
    pub tenant_id: TenantId,
    /// Its layer, which is its schema in SQL.
    pub layer: Layer,
    /// Its name in SQL.
    pub name: String,
    /// The entity, for Silver and change tables; the source (`files.opportunity`), for Bronze.
    pub subject: String,
    /// Key prefix of its files.
    pub root: String,
    /// Its Arrow schema, as an IPC message.
    #[serde(with = "serde_bytes_vec")]
    pub schema_ipc: Vec<u8>,
    /// The last id that a column of it was given: ids are never used again.
    #[serde(default)]
    pub last_field_id: i32,
    /// The pack version its schema is of, for Silver.
    pub pack: Option<String>,
    /// Streams that feed it, for Silver.
    pub streams: Vec<String>,
    /// Its change table, for Silver.
    pub changes: Option<TableId>,
    /// Buckets, for Silver.
    pub buckets: u32,
    /// The catalog version of its newest commit.
    pub version: u64,
    /// When it was made, microseconds since 1970.
    pub created_at: i64,
    /// When it was last committed to, microseconds since 1970.
    pub updated_at: i64,
    /// Live files.
    pub files: u64,
    /// Live rows (for Silver: less deleted ones).
    pub rows: u64,
    /// Bytes of live files.
    pub bytes: u64,
    /// What its columns look up in other tables, for Silver.
    #[serde(default)]
    pub lookups: Option<TableLookups>,
    /// It is to be made again from Bronze.
    #[serde(default)]
    pub rebuild: Option<RebuildWanted>,
    /// It was made again from Bronze.
    #[serde(default)]
    pub rebuilt: Option<Rebuilt>,
}

/// A Silver table that is to be made again from Bronze.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RebuildWanted {
    /// The pack version that makes it.
    pub pack: String,
    /// Why.
    pub reason: String,
    /// When it was asked for, microseconds since 1970, catalog time.
    pub requested_at: i64,
}

/// How a Silver table was made again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rebuilt {
    /// The pack version that checked all Bronze commits up to `upto`, whichever checked them before.
    pub pack: String,
    /// The last of them.
    pub upto: CommitSeq,
    /// Live rows then.
    pub live_rows: u64,
    /// When, microseconds since 1970, catalog time.
    pub at: i64,
}

/// What a Silver table looks up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableLookups {
    /// The tables that it looks into, by name.
    pub tables: Vec<String>,
    /// A digest of how: under another one all rows are looked up anew.
    pub definition: String,
}

/// Where a table stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableName {
    /// Its tenant.
    pub tenant_id: TenantId,
    /// Its layer.
    pub layer: Layer,
    /// Its name.
    pub name: String,
}

/// What a file holds, in the terms of its layer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FileRange {
    /// Bronze: dense offsets of one shard.
    Offsets {
        /// The shard.
        shard: ShardId,
        /// The first offset.
        first: u64,
        /// How many.
        count: u64,
    },
    /// Quality results, dead letters: those of one Bronze commit.
    Commit(CommitSeq),
    /// Silver and changes: the watermark of the commit that added it.
    Watermark(CommitSeq),
}

/// A data file and the catalog versions that see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileEntry {
    /// The file.
    pub file: DataFile,
    /// What it holds.
    pub range: FileRange,
    /// The first catalog version that sees it.
    pub added: u64,
    /// The first catalog version that no longer sees it.
    pub removed: Option<u64>,
}

impl FileEntry {
    /// Whether a reader of this catalog version sees the file.
    pub fn is_live_at(&self, version: u64) -> bool {
        self.added <= version && self.removed.is_none_or(|r| version < r)
    }
}

/// A deletion vector and the catalog versions that see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeletionVectorEntry {
    /// Where it is.
    pub vector: DeletionVectorRef,
    /// The first catalog version that sees it.
    pub added: u64,
    /// The first catalog version that no longer sees it.
    pub removed: Option<u64>,
}

impl DeletionVectorEntry {
    /// Whether a reader of this catalog version sees it.
    pub fn is_live_at(&self, version: u64) -> bool {
        self.added <= version && self.removed.is_none_or(|r| version < r)
    }
}

/// A run of the key index; only the owner reads it, always the current one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IndexRunEntry {
    /// Where it is.
    pub run: IndexRun,
    /// The catalog version that added it.
    pub added: u64,
}

/// A bucket of a Silver table.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bucket {
    /// Who merges into it.
    pub owner: Option<NodeId>,
    /// The owner's fencing token.
    pub epoch: ShardEpoch,
    /// Every Bronze commit up to and with this one is in it.
    pub watermark: CommitSeq,
    /// Live rows.
    pub live_rows: u64,
    /// Of each table that is looked into, the catalog version up to which its changes are in the rows.
    #[serde(default)]
    pub looked_up: BTreeMap<TableId, u64>,
}

/// A Bronze file that holds the records of several commits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackedFile {
    /// The file.
    pub file: FileId,
    /// Its records.
    pub count: u64,
}

/// An object that no current version names: deleted once no reader can need it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DroppedFile {
    /// Its key.
    pub path: String,
    /// The table, if its entry is to be forgotten with it.
    pub table: TableId,
    /// The bucket.
    pub bucket: u32,
    /// The data file and version, if it is a deletion vector.
    #[serde(default)]
    pub vector: Option<(FileId, u32)>,
}

/// An immutable list of older files of a table, in the object store: their entries are there and
/// no longer in the catalog.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Its id (UUIDv7).
    pub id: FileId,
    /// Its table.
    pub table: TableId,
    /// The bucket.
    pub bucket: u32,
    /// Its key.
    pub path: String,
    /// Bytes of the object.
    pub size: u64,
    /// CRC-32 of the object.
    pub crc: u32,
    /// SHA-256 of the entries as they are encoded in it: `apply` compares it with what it folds.
    pub content: [u8; 32],
    /// Files in it.
    pub files: u64,
    /// Rows in them.
    pub rows: u64,
    /// The first catalog version that added one of them.
    pub min_added: u64,
    /// The last.
    pub max_added: u64,
    /// Where all of them are removed: the first catalog version that sees none of them.
    #[serde(default)]
    pub ended: Option<u64>,
}

impl Manifest {
    /// Whether a reader of this catalog version may find a file in it.
    pub fn is_seen_at(&self, version: u64) -> bool {
        self.min_added <= version && self.ended.is_none_or(|e| version < e)
    }
}
