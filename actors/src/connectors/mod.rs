//! Sources. One trait fits files, APIs, queues and streams: a stream has shards (which may split),
//! a shard has an opaque position, and reading it yields batches of raw records.

pub mod files;
pub mod host;
pub mod partner_central;
pub mod reach;
pub mod registry;

use std::sync::Arc;
use std::time::Duration;

use arrow_array::{Array as _, BinaryViewArray, Int64Array, StringArray, TimestampMicrosecondArray};
use async_trait::async_trait;
use lakewright_proto::{Error, SourcePosition, TenantId};
use lakewright_storage::catalog::records::RunScope;

use self::reach::SourceReach;

pub use host::{Known, SourceHost};

/// A stream that a source offers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamInfo {
    /// Its name: `[a-z0-9_.-]`, e.g. `opportunity`.
    pub name: String,
    /// What a person should know of it.
    pub description: String,
    /// Estimated records and bytes, where the source can tell.
    pub estimate: Option<(u64, u64)>,
}

/// A part of a stream with its own order and position.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceShard {
    /// The source's own name for it; `0` where it has one only.
    pub key: String,
    /// Shards that must be read to their end before this one starts (streams that split or merge).
    pub parents: Vec<String>,
}

/// How the bytes of a payload are to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PayloadFormat {
    /// One JSON value per record, as received.
    Json,
    /// The raw CSV line; [`RawBatch::csv_header`] names its columns.
    Csv {
        /// Between two cells: an ASCII character.
        delimiter: char,
    },
    /// Canonical JSON of a Parquet row.
    ParquetJson,
}

/// What a record does to its key.
pub const OP_UPSERT: i8 = 0;
/// The record ends its key's row.
pub const OP_DELETE: i8 = 1;
/// The source lists the key no more.
pub const OP_ABSENT: i8 = 2;

/// A record that is too large to keep: rejected with its head, in constant memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OversizeRecord {
    /// Its place among the batch's records: before the row of this index.
    pub before_row: usize,
    /// Its first 64 KiB.
    pub head: Vec<u8>,
    /// Its whole length in bytes.
    pub length: u64,
    /// SHA-256 of all of it.
    pub sha256: [u8; 32],
    /// Where it is in the source.
    pub location: String,
}

/// Something about the source that its people should know, although reading goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceNotice {
    /// A stable word: `file_truncated`, `file_replaced`, `file_vanished`, `bad_compression`.
    pub kind: &'static str,
    /// What happened, to what, and what was done about it.
    pub message: String,
}

/// Raw records in source order, and the position after them. Row i is one record.
#[derive(Clone, Debug)]
pub struct RawBatch {
    /// How to read the payloads.
    pub format: PayloadFormat,
    /// The columns of CSV payloads.
    pub csv_header: Option<Vec<String>>,
    /// The bytes as received. Views into the fetched buffers: nothing is copied per record.
    pub payload: BinaryViewArray,
    /// Where each record came from (`file.ndjson:1234`), dense or absent.
    pub location: Option<StringArray>,
    /// The source's key, where the source rather than the payload tells it.
    pub key: Option<StringArray>,
    /// The source's version, where the source rather than the payload tells it.
    pub version: Option<Int64Array>,
    /// When the record's event happened, microseconds UTC, where the source tells it.
    pub event_time: Option<TimestampMicrosecondArray>,
    /// [`OP_UPSERT`] or [`OP_DELETE`] per row, where the source rather than the payload tells it.
    pub operation: Option<Vec<i8>>,
    /// The source's id of the request that brought each record.
    pub request_id: Option<StringArray>,
    /// Records that were too large to keep.
    pub oversize: Vec<OversizeRecord>,
    /// What the source's people should know.
    pub notices: Vec<SourceNotice>,
    /// The position once these records are durable.
    pub position: SourcePosition,
}

impl RawBatch {
    /// Records in it, those that were too large included: each gets an offset.
    pub fn records(&self) -> u64 {
        (self.payload.len() + self.oversize.len()) as u64
    }
}

/// One answer of a shard.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "one lives at a time, for megabytes of records")]
pub enum Fetch {
    /// Records.
    Batch(RawBatch),
    /// The position moved and there are no records (an empty file was skipped).
    Progress(SourcePosition, Vec<SourceNotice>),
    /// Nothing new; ask again after this long (batch runs treat it as the end).
    Idle(Duration),
    /// The source cannot be read now, by its quota for example; go on after this long. Batch runs wait too.
    Wait(Duration, String),
    /// The shard is closed and drained for ever.
    End,
}

/// Why a source could not be read.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// Trying again later can help (throttling, a broken connection, a missing directory).
    #[error("{message}")]
    Retry {
        /// What happened, to what.
        message: String,
        /// The source's own wish, if it told one.
        after: Option<Duration>,
    },
    /// A person must change something first (credentials, configuration).
    #[error("{0}")]
    Fatal(String),
}

/// What is to be read, and from where.
#[derive(Clone, Debug)]
pub struct OpenShard {
    /// The stream.
    pub stream: String,
    /// The shard.
    pub shard: SourceShard,
    /// Everything up to it is durable; none: the beginning.
    pub position: Option<SourcePosition>,
    /// What the run reads.
    pub scope: RunScope,
    /// The number that the catalog gave the run: higher for a later one.
    pub scan: u64,
}

/// What a run would cost.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StreamPlan {
    /// The stream.
    pub stream: String,
    /// Records it would read, where that can be told.
    pub records: Option<u64>,
    /// Whether there may be more than that.
    pub at_least: bool,
    /// Requests it would make; none: the source does not count them.
    pub requests: Option<u64>,
    /// How long it would take at the source's limits.
    pub takes: Option<Duration>,
    /// How that was found, and what would be read, in words.
    pub detail: String,
}

/// A source of one tenant, configured and able to read.
#[async_trait]
pub trait Connector: Send + Sync + 'static {
    /// Checks that the source can be reached and read; the sentence says what was found.
    async fn test(&self) -> Result<String, SourceError>;
    /// The streams it offers.
    async fn discover(&self) -> Result<Vec<StreamInfo>, SourceError>;
    /// The shards of a stream as they are now, for a run of this scope. Known ones may be named again.
    async fn shards(&self, stream: &str, scope: RunScope) -> Result<Vec<SourceShard>, SourceError>;
    /// Starts reading a shard.
    async fn open(&self, shard: OpenShard) -> Result<Box<dyn ShardReader>, SourceError>;
    /// What a run from `position` on would cost. Asks the source little.
    async fn plan(&self, stream: &str, position: Option<&SourcePosition>, scope: RunScope) -> Result<StreamPlan, SourceError>;
    /// Whether a stream that cannot be read says that no other can: then the connector is given up with it.
    fn streams_share_fate(&self) -> bool {
        true
    }
}

/// Reads one shard, in order.
#[async_trait]
pub trait ShardReader: Send {
    /// The next records, at most about `max_bytes` of payload.
    async fn next(&mut self, max_bytes: usize) -> Result<Fetch, SourceError>;
    /// Everything up to `position` is durable (a queue may now delete its messages).
    async fn acknowledge(&mut self, position: &SourcePosition) -> Result<(), SourceError>;
}

/// A kind of connector: checks a configuration, and makes connectors of it.
#[async_trait]
pub trait ConnectorKind: Send + Sync + 'static {
    /// The kind's name in `Connector.kind`.
    fn name(&self) -> &'static str;
    /// Every fault of a configuration, as sentences that name the key. Empty: it is good.
    fn check(&self, config: &serde_json::Value) -> Vec<String>;
    /// Why a checked configuration, its secrets in place, must not be used by this tenant on this node. Empty: it may be.
    fn out_of_reach(&self, config: &serde_json::Value, tenant: TenantId, reach: &SourceReach) -> Vec<String>;
    /// Names of the configuration keys whose values are secrets (sealed before they are stored).
    fn secret_keys(&self) -> &'static [&'static str];
    /// Adds to a checked configuration what the source alone can tell, before it is stored for good.
    async fn complete(&self, config: serde_json::Value) -> Result<serde_json::Value, SourceError> {
        Ok(config)
    }
    /// The connector of a checked configuration, its secrets put back in place.
    fn build(&self, config: &serde_json::Value, host: Arc<dyn SourceHost>) -> Result<Box<dyn Connector>, Error>;
}
