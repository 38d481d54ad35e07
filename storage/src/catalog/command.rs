//! What can be proposed to the catalog. Commands are values: their effect is decided by `apply`
//! alone, from them, the state and the entry's time.

use lakewright_proto::{
    ClusterId, CommandId, CommitSeq, ConnectorId, Error, FileId, Layer, NodeId, RunId, ShardEpoch, ShardId, SourcePosition, TableId,
    TenantId, TokenId,
};
use serde::{Deserialize, Serialize};

use super::records::*;
use crate::table::{BucketState, DataFile, SilverDelta, StreamCounts};

/// A command with its identity.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Envelope {
    /// A repeat of this id with the same content gets the first answer.
    pub id: CommandId,
    /// Who asks: an e-mail, or `node`.
    pub principal: String,
    /// What is asked.
    pub command: Command,
}

impl Envelope {
    /// A new proposal.
    pub fn new(principal: impl Into<String>, command: Command) -> Self {
        Self { id: CommandId::generate(), principal: principal.into(), command }
    }
}

/// A table as a pack or the engine wants it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableSpec {
    /// The id it gets if it is new.
    pub id: TableId,
    /// Its layer.
    pub layer: Layer,
    /// Its name in SQL.
    pub name: String,
    /// Entity or source.
    pub subject: String,
    /// Key prefix of its files.
    pub root: String,
    /// Its Arrow schema, as an IPC message.
    #[serde(with = "super::records::bytes")]
    pub schema_ipc: Vec<u8>,
    /// Streams that feed it, for Silver.
    pub streams: Vec<String>,
    /// The name of its change table, for Silver; it is in the same layer and list.
    pub changes: Option<String>,
    /// What its columns look up in other tables, for Silver.
    #[serde(default)]
    pub lookups: Option<TableLookups>,
    /// Why its rows are to be made again from Bronze, for Silver; none: they are not.
    #[serde(default)]
    pub rebuild: Option<String>,
}

/// One Bronze commit: data and source position in one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CommitBronze {
    /// The shard.
    pub shard: ShardId,
    /// The writer's token.
    pub epoch: ShardEpoch,
    /// The run.
    pub run: RunId,
    /// The first record's offset; must be the shard's next one.
    pub first_offset: u64,
    /// Records; 0 moves the position alone.
    pub count: u64,
    /// Bronze files, in offset order.
    pub files: Vec<DataFile>,
    /// Quality result files.
    pub quality: Vec<DataFile>,
    /// Dead-letter files.
    pub dead_letters: Vec<DataFile>,
    /// The position after.
    pub position: SourcePosition,
    /// What the checks counted.
    pub counts: StreamCounts,
    /// The same per Silver table.
    pub entities: Vec<(TableId, EntityCounts)>,
    /// What the accepted records look like, per Silver table.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub profiles: Vec<(TableId, EntityProfile)>,
    /// The pack version that checked it.
    pub pack: String,
    /// A column of each row, microseconds since 1970.
    pub ingested_at: i64,
}

/// One replay of dead letters of one shard.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CommitReplay {
    /// The shard whose records they are.
    pub shard: ShardId,
    /// The replaying run.
    pub run: RunId,
    /// Offsets, ascending.
    pub offsets: Vec<u64>,
    /// Quality result files.
    pub quality: Vec<DataFile>,
    /// Dead-letter files: what is rejected again.
    pub dead_letters: Vec<DataFile>,
    /// What the checks counted.
    pub counts: StreamCounts,
    /// The same per Silver table.
    pub entities: Vec<(TableId, EntityCounts)>,
    /// The pack version that checked it.
    pub pack: String,
    /// When, microseconds since 1970.
    pub ingested_at: i64,
}

/// Small Bronze files become one: the same records at the same addresses.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReplaceBronze {
    /// The Bronze table.
    pub table: TableId,
    /// The files it replaces, in offset order, without a gap, of one shard and day.
    pub inputs: Vec<FileId>,
    /// The file in their place.
    pub output: DataFile,
}

/// One merge into a bucket.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CommitSilver {
    /// The Silver table.
    pub table: TableId,
    /// The bucket.
    pub bucket: u32,
    /// The owner's token.
    pub epoch: ShardEpoch,
    /// The watermark that it starts from; must be the current one.
    pub from: CommitSeq,
    /// The watermark after; every commit of the table's queue up to it is in the change.
    pub to: CommitSeq,
    /// The change.
    pub delta: SilverDelta,
}

/// One compaction of a bucket: the same rows in fewer files.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CommitCompaction {
    /// The Silver table.
    pub table: TableId,
    /// The bucket.
    pub bucket: u32,
    /// The owner's token.
    pub epoch: ShardEpoch,
    /// Data files read, with the version of the deletion vector read (0: none).
    pub inputs: Vec<(FileId, u32)>,
    /// The change.
    pub delta: SilverDelta,
}

/// Rows of a Silver table with what they look up now; the watermark stays.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CommitLookups {
    /// The Silver table.
    pub table: TableId,
    /// The bucket.
    pub bucket: u32,
    /// The owner's token.
    pub epoch: ShardEpoch,
    /// The watermark that was read.
    pub watermark: CommitSeq,
    /// Tables of which all changes up to this catalog version are in the rows now.
    pub sources: Vec<(TableId, u64)>,
    /// The change: rows replaced one for one.
    pub delta: SilverDelta,
}

/// A Silver table that was made again from Bronze, in place of the one before.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CommitRebuild {
    /// The Silver table.
    pub table: TableId,
    /// The bucket.
    pub bucket: u32,
    /// The owner's token.
    pub epoch: ShardEpoch,
    /// The watermark that it was made up to: the table's own.
    pub watermark: CommitSeq,
    /// The table's version that it takes the place of.
    pub version: u64,
    /// The pack version that made it.
    pub pack: String,
    /// The bucket that was made.
    pub made: BucketState,
    /// What changed for those who follow the table.
    pub changes: Vec<DataFile>,
}

/// The rows of a Gold table for one day.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CommitGold {
    /// The tenant.
    pub tenant: TenantId,
    /// The table, made if it is new.
    pub spec: TableSpec,
    /// What the rows are made of.
    pub build: GoldBuild,
    /// The files, those that `build` names.
    pub files: Vec<DataFile>,
}

/// What can be proposed.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub enum Command {
    /// The first command of a cluster.
    InitCluster {
        /// The cluster's id.
        id: ClusterId,
        /// Fingerprint of the sealing key.
        key_fingerprint: String,
        /// The reserved tenant `system`.
        system: Tenant,
        /// Its first administrator.
        admin: User,
        /// The administrator's first token.
        token: Token,
        /// The token's hash.
        token_hash: [u8; 32],
        /// The first signing key of tickets, sealed.
        ticket_key: RingKey,
    },
    /// Adds a signing key; keys older than `keep_after` go.
    RotateTicketKey {
        /// The new key.
        key: RingKey,
        /// Microseconds since 1970.
        keep_after: i64,
    },
    /// A new tenant with its system tables.
    CreateTenant {
        /// The tenant.
        tenant: Tenant,
        /// Its quality-result and dead-letter tables.
        tables: Vec<TableSpec>,
    },
    /// Changes a tenant's name, plan or status.
    UpdateTenant(Tenant),
    /// A new user.
    CreateUser(User),
    /// Changes a user's name, roles or status.
    UpdateUser(User),
    /// A new token.
    CreateToken {
        /// The token.
        token: Token,
        /// Its hash.
        hash: [u8; 32],
    },
    /// Ends a token.
    RevokeToken {
        /// Its tenant.
        tenant: TenantId,
        /// Its id.
        token: TokenId,
    },
    /// A new connector with its sealed secrets.
    CreateConnector {
        /// The connector.
        connector: Connector,
        /// Field and ciphertext.
        secrets: Vec<(String, SealedSecret)>,
    },
    /// Changes a connector; its version must be the current one.
    UpdateConnector {
        /// The connector as it should be.
        connector: Connector,
        /// Secrets to replace.
        secrets: Vec<(String, SealedSecret)>,
    },
    /// Pauses, resumes, breaks or clears a connector.
    SetConnectorStatus {
        /// Its tenant.
        tenant: TenantId,
        /// Its id.
        connector: ConnectorId,
        /// The status.
        status: ConnectorStatus,
    },
    /// Forgets how far a stream was read; what is in Bronze stays.
    ResetStream {
        /// Its tenant.
        tenant: TenantId,
        /// Its connector.
        connector: ConnectorId,
        /// The stream.
        stream: String,
    },
    /// Stores a pack version.
    PutPack(Pack),
    /// Makes a tenant use a pack version; its tables are made or widened.
    PinPack {
        /// The tenant.
        tenant: TenantId,
        /// The pack version.
        hash: String,
        /// Silver tables and their change tables.
        tables: Vec<TableSpec>,
    },
    /// Opens a run of a connector's stream, and knows its shards and Bronze table from then on.
    StartRun {
        /// The run's id.
        run: RunId,
        /// Its tenant.
        tenant: TenantId,
        /// Its connector.
        connector: ConnectorId,
        /// Its stream.
        stream: String,
        /// Batch or streaming.
        mode: RunMode,
        /// `manual`, `schedule`, `replay`.
        trigger: String,
        /// The run whose dead letters it replays.
        replay_of: Option<RunId>,
        /// The Bronze table, made if it is new.
        bronze: TableSpec,
        /// The source's shards: name and parents.
        shards: Vec<(String, Vec<String>)>,
        /// What of the source it reads.
        #[serde(default)]
        scope: RunScope,
    },
    /// Reading is over: the run settles, or ends as failed or cancelled.
    FinishRun {
        /// Its tenant.
        tenant: TenantId,
        /// The run.
        run: RunId,
        /// `Settling`, `Failed` or `Cancelled`.
        status: RunStatus,
        /// Why it failed.
        error: Option<String>,
        /// Its connector is given up with it, in one step: nobody sees the one without the other.
        #[serde(default)]
        breaks: bool,
    },
    /// Takes a shard: everybody else's writes to it are refused from now on.
    ClaimShard {
        /// The shard.
        shard: ShardId,
        /// The new owner.
        node: NodeId,
    },
    /// Takes a bucket of a Silver table.
    ClaimBucket {
        /// The table.
        table: TableId,
        /// The bucket.
        bucket: u32,
        /// The new owner.
        node: NodeId,
    },
    /// The source closed a shard and it is drained.
    EndShard {
        /// The shard.
        shard: ShardId,
        /// The owner's token.
        epoch: ShardEpoch,
    },
    /// Records in.
    CommitBronze(CommitBronze),
    /// Dead letters checked again.
    CommitReplay(CommitReplay),
    /// Rows merged.
    CommitSilver(CommitSilver),
    /// Files merged.
    CommitCompaction(CommitCompaction),
    /// Objects that were deleted from the store.
    ForgetFiles {
        /// Keys of `Dropped`.
        files: Vec<(u64, FileId)>,
    },
    /// Moves older file entries of an append-only table to a manifest in the object store.
    FoldFiles {
        /// The table.
        table: TableId,
        /// The bucket.
        bucket: u32,
        /// The manifest, written already.
        manifest: Manifest,
        /// The files in it, in its order.
        files: Vec<FileId>,
    },
    /// Bronze files re-packed.
    ReplaceBronze(ReplaceBronze),
    /// Something that people should look at.
    RaiseAlert(Alert),
    /// The clock starts a connector's runs from now on.
    SetSchedule(Schedule),
    /// ... and no more.
    ClearSchedule {
        /// Whose.
        tenant: TenantId,
        /// The connector.
        connector: ConnectorId,
    },
    /// A due instant was seen to, or could not be.
    MoveSchedule {
        /// Whose.
        tenant: TenantId,
        /// The connector.
        connector: ConnectorId,
        /// The instant.
        due: i64,
        /// What became of it.
        fired: Fired,
    },
    /// Alerts are sent to an address from now on.
    CreateWebhook(Webhook),
    /// ... and no more.
    DeleteWebhook {
        /// Whose.
        tenant: TenantId,
        /// Its name.
        name: String,
    },
    /// A mart built.
    CommitGold(CommitGold),
    /// Rows with what they look up now.
    CommitLookups(CommitLookups),
    /// A Silver table is to be made again from Bronze.
    RequestRebuild {
        /// The tenant.
        tenant: TenantId,
        /// The table.
        table: TableId,
        /// Why.
        reason: String,
    },
    /// A Silver table made again.
    CommitRebuild(CommitRebuild),
    /// Calls to a source, charged before they are made.
    TakeQuota(QuotaAsk),
    /// A webhook's next alert, or several that it does not want, are settled or to be tried again.
    SettleAlerts {
        /// Whose.
        tenant: TenantId,
        /// The webhook's name.
        webhook: String,
        /// Its next alert as it was seen.
        from: u64,
        /// Its next alert after this.
        to: u64,
        /// What became of it.
        delivery: Delivery,
    },
}

/// What a command answers when it is done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reply {
    /// Done.
    Done,
    /// A run is open; its shards.
    Run {
        /// Shards of the stream.
        shards: Vec<ShardId>,
        /// The scan number.
        scan: u64,
    },
    /// A shard or bucket is owned.
    Epoch(ShardEpoch),
    /// Bronze is committed; 0 where only the position moved.
    Bronze(CommitSeq),
    /// Silver is committed, as this catalog version.
    Silver(u64),
    /// A pack is pinned; its Silver tables.
    Tables(Vec<TableId>),
    /// Gold is committed; its table.
    Gold(TableId),
    /// Calls that may be made, or that none may be yet.
    Quota(QuotaGrant),
}

/// A command's answer.
pub type Answered = Result<Reply, Error>;
