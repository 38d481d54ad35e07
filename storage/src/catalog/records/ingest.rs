//! Shards, runs, and the commits that move them.

use std::collections::BTreeMap;

use lakewright_proto::{CommitSeq, ConnectorId, FileId, NodeId, RunId, ShardEpoch, ShardId, SourcePosition, TableId, TenantId};
use serde::{Deserialize, Serialize};

use crate::table::{OutcomeCounts, StreamCounts};

/// Whether a shard is read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ShardStatus {
    /// It may be read.
    Open,
    /// The source closed it and it is drained.
    Ended,
}

/// A connector shard: the unit of order and ownership.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shard {
    /// Its number.
    pub id: ShardId,
    /// Its tenant.
    pub tenant_id: TenantId,
    /// Its connector.
    pub connector_id: ConnectorId,
    /// Its stream.
    pub stream: String,
    /// The source's name for it.
    pub key: String,
    /// Shards that must end first.
    pub parents: Vec<String>,
    /// Its Bronze table.
    pub bronze_table: TableId,
    /// Who reads it.
    pub owner: Option<NodeId>,
    /// The owner's fencing token.
    pub epoch: ShardEpoch,
    /// How far it is read: everything before is in Bronze.
    pub position: Option<SourcePosition>,
    /// Raised by one with each new position.
    pub position_no: u64,
    /// The offset that the next record gets.
    pub next_offset: u64,
    /// Whether it is read.
    pub status: ShardStatus,
}

/// How a run is triggered and ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunMode {
    /// Ends when the source has nothing more.
    Batch,
    /// Goes on until it is cancelled.
    Streaming,
}

/// What of the source a run reads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunScope {
    /// From where the last run ended.
    #[default]
    Incremental,
    /// From the beginning; what the source no longer has is deleted.
    Full,
    /// From the beginning, behind everything more urgent; nothing is deleted.
    Backfill,
}

/// The source's shards of this name and below it are read by backfills, and by nothing else.
pub const BACKFILL_SHARD: &str = "backfill";

impl RunScope {
    /// The name under which a stream's run of this scope is open: a backfill goes on beside another run.
    pub fn open_name(self, stream: &str) -> String {
        match self {
            Self::Incremental | Self::Full => stream.to_owned(),
            // Names of streams have no such character.
            Self::Backfill => format!("{stream}~{BACKFILL_SHARD}"),
        }
    }

    /// Whether a run of this scope reads the shard of this name.
    pub fn reads(self, shard_key: &str) -> bool {
        (self == Self::Backfill) == shard_key.starts_with(BACKFILL_SHARD)
    }
}

/// Where a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunStatus {
    /// Reading.
    Running,
    /// Read to the end; Silver has still to consume it.
    Settling,
    /// Sealed: every record has its outcome.
    Succeeded,
    /// Ended by a failure; what was committed stays.
    Failed,
    /// Ended by an operator; what was committed stays.
    Cancelled,
}

/// What the checks said of a commit's or run's records, for one entity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntityCounts {
    /// Handed to the merge.
    pub accepted: u64,
    /// In the dead letters.
    pub rejected: u64,
    /// Accepted with a failed format rule.
    pub flagged: u64,
    /// Accepted with a failed business rule.
    pub warned: u64,
}

/// A run's account of one entity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntityLedger {
    /// From the checks.
    pub checked: EntityCounts,
    /// From the merges.
    pub outcomes: OutcomeCounts,
}

impl EntityLedger {
    /// Records accepted that no merge has accounted for; zero in a sealed ledger.
    pub fn residue(&self) -> i64 {
        self.checked.accepted as i64 - self.outcomes.total() as i64
    }
}

/// One ingestion run of a connector's stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// Its id.
    pub id: RunId,
    /// Its tenant.
    pub tenant_id: TenantId,
    /// Its connector.
    pub connector_id: ConnectorId,
    /// Its stream (the document's `entity`).
    pub entity: String,
    /// Batch or streaming.
    pub mode: RunMode,
    /// Where it stands.
    pub status: RunStatus,
    /// `manual`, `schedule`, `replay`.
    pub trigger: String,
    /// The run whose dead letters it replays.
    pub replay_of: Option<RunId>,
    /// Microseconds since 1970.
    pub started_at: i64,
    /// Microseconds since 1970, once it is sealed, failed or cancelled.
    pub ended_at: Option<i64>,
    /// The number that stands for a version where the source gives none.
    pub scan: u64,
    /// Bronze commits made.
    pub commits: u64,
    /// The last of them.
    pub last_commit: CommitSeq,
    /// Read, unmapped, bytes.
    pub counts: StreamCounts,
    /// Per Silver table.
    pub ledger: BTreeMap<String, EntityLedger>,
    /// Silver tables it feeds, with what they must reach.
    pub feeds: Vec<TableId>,
    /// Why it failed.
    pub error: Option<String>,
    /// What of the source it reads.
    #[serde(default)]
    pub scope: RunScope,
}

impl Run {
    /// Nothing more will be read in it.
    pub fn is_over(&self) -> bool {
        !matches!(self.status, RunStatus::Running)
    }

    /// Every read record has one outcome per entity: read = accepted + rejected + unmapped, and no residue.
    pub fn is_exact(&self) -> bool {
        let outcomes = self.ledger.values().all(|l| l.residue() == 0);
        let one_entity = self.ledger.len() <= 1;
        let sums = !one_entity || self.counts.read == self.counts.accepted + self.counts.rejected + self.counts.unmapped;
        outcomes && sums
    }
}

/// Where a Bronze commit's records come from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BronzeSource {
    /// Read from the source: offsets `[first, first + count)` of the shard, in these files.
    Read {
        /// The first record's offset.
        first_offset: u64,
        /// Records.
        count: u64,
        /// Bronze files.
        files: Vec<FileId>,
        /// The position before.
        previous: Option<SourcePosition>,
        /// The position after.
        position: SourcePosition,
    },
    /// Dead letters checked again: these offsets of the shard, whose Bronze rows exist already.
    Replay {
        /// Offsets, ascending.
        offsets: Vec<u64>,
    },
}

/// A Bronze commit: the unit that Silver consumes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BronzeCommit {
    /// Its number.
    pub seq: CommitSeq,
    /// Its tenant.
    pub tenant_id: TenantId,
    /// Its connector.
    pub connector_id: ConnectorId,
    /// Its stream.
    pub stream: String,
    /// Its shard.
    pub shard: ShardId,
    /// Its run.
    pub run: RunId,
    /// The pack version that checked it; every later merge of it uses the same.
    pub pack: String,
    /// Its records.
    pub source: BronzeSource,
    /// When its records were taken in, microseconds since 1970: a column of each of its rows.
    pub ingested_at: i64,
    /// Silver tables that consume it.
    pub feeds: Vec<TableId>,
    /// Read, rejected, bytes.
    pub counts: StreamCounts,
    /// When it was applied, microseconds since 1970, catalog time.
    pub committed_at: i64,
}

/// When accepted records of the source last came for a Silver table; replayed dead letters are not news of the source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Arrival {
    /// The Bronze commit that brought them.
    pub seq: CommitSeq,
    /// When it was applied, microseconds since 1970, catalog time.
    pub at: i64,
}

/// A Silver commit: which Bronze commits went into which files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SilverCommit {
    /// The watermark before: the first consumed commit is a later one.
    pub from: CommitSeq,
    /// The watermark after: the last consumed commit.
    pub to: CommitSeq,
    /// The catalog version it made.
    pub version: u64,
    /// Files added.
    pub added: Vec<FileId>,
    /// Change files.
    pub changes: Vec<FileId>,
    /// The job: `merge` or `rebuild`, with its owner's epoch.
    pub job: String,
    /// Outcomes of all of it.
    pub outcomes: OutcomeCounts,
    /// Microseconds since 1970, catalog time.
    pub committed_at: i64,
}

/// Rows of a Silver table that were written anew with what they look up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LookupCommit {
    /// The tables whose changes they have now: from which catalog version on, and to which.
    pub sources: Vec<(TableId, u64, u64)>,
    /// The watermark at which it was.
    pub watermark: CommitSeq,
    /// Files added.
    pub added: Vec<FileId>,
    /// Change files.
    pub changes: Vec<FileId>,
    /// Rows.
    pub rows: u64,
    /// Microseconds since 1970, catalog time.
    pub committed_at: i64,
}
