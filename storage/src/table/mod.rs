//! What the catalog knows of a table: its files, and for Silver the buckets with their deletion
//! vectors, key-index runs and watermark. Plain values; no IO.

pub mod evolve;
mod outcome;
pub mod schemas;
mod silver;

pub use outcome::{OutcomeCounts, StreamCounts};
pub use silver::{BucketState, DeletionVectorRef, IndexRun, SilverDelta};

use lakewright_proto::FileId;
use serde::{Deserialize, Serialize};

/// An immutable Parquet file that the catalog names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataFile {
    /// The file's id (UUIDv7); never reused.
    pub id: FileId,
    /// Its key in the object store.
    pub path: String,
    /// Bytes.
    pub size: u64,
    /// Rows, deleted ones included.
    pub rows: u64,
    /// The part of the path between the table's root and the file: `year=2026/month=11`, or "".
    pub partition: String,
    /// Smallest and largest partition or ingest time in it, microseconds since 1970, UTC.
    pub time_range: (i64, i64),
    /// When it was written, microseconds since 1970, by the writer's clock.
    pub created_at: i64,
}
