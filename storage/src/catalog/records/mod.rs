//! What the catalog holds, one plain type a record. Added fields need a serde default: stored
//! values of older versions stay readable.

mod cluster;
mod control;
mod gold;
mod ingest;
mod profile;
mod quota;
mod schedule;
mod standing;
mod tables;
mod webhook;

pub(crate) use cluster::serde_bytes_vec as bytes;
pub use cluster::{Alert, Answer, AuditEntry, ClusterRecord, RingKey, SealedSecret};
pub use control::{Connector, ConnectorStatus, Pack, PackFile, Role, Status, Tenant, Token, User};
pub use gold::{GoldBuild, GoldInput};
pub use ingest::{
    Arrival, BronzeCommit, BronzeSource, EntityCounts, EntityLedger, LookupCommit, Run, RunMode, RunScope, RunStatus, Shard, ShardStatus,
    SilverCommit, BACKFILL_SHARD,
};
pub use profile::{Distinct, EntityProfile, History, KnownValues, MAX_COLUMNS, MAX_ENUMS, MAX_VALUES, MAX_VALUE_BYTES};
pub use quota::{Quota, QuotaAsk, QuotaClass, QuotaGrant, QuotaLimit, QuotaSlot};
pub use schedule::{Fired, Schedule};
pub use standing::{valid_of, Standing};
pub use tables::{
    Bucket, DeletionVectorEntry, DroppedFile, FileEntry, FileRange, IndexRunEntry, Manifest, PackedFile, RebuildWanted, Rebuilt, Table,
    TableLookups, TableName,
};
pub use webhook::{Delivery, Webhook};
