//! Builds of Gold tables: which Silver state a day's rows are made of.

use lakewright_proto::{CommitSeq, FileId, TableId};
use serde::{Deserialize, Serialize};

/// A table that a mart reads, and how far it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GoldInput {
    /// The Silver table; of a change table, the table whose changes it has.
    pub table: TableId,
    /// What it had consumed.
    pub watermark: CommitSeq,
    /// The newest catalog version that changed what its rows look up; 0: none has.
    #[serde(default)]
    pub looked_up: u64,
}

/// The rows of a mart for one day, made at once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GoldBuild {
    /// The UTC day, in days since 1970.
    pub date: u32,
    /// The catalog version that its query read.
    pub snapshot: u64,
    /// What it read.
    pub inputs: Vec<GoldInput>,
    /// Its files.
    pub files: Vec<FileId>,
    /// Its rows.
    pub rows: u64,
    /// The pack version whose SQL it is.
    pub pack: String,
    /// How long making it took, microseconds.
    pub took_us: i64,
    /// When it was committed, microseconds since 1970, catalog time.
    pub built_at: i64,
}
