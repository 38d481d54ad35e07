//! Typed key spaces: the whole catalog is one ordered map, and each space is a prefix of it.

use serde::de::DeserializeOwned;
use serde::Serialize;

use super::codec::{decode_value, encode_value, KeyPart};
use super::records::*;
use crate::error::{Result, StorageError};
use lakewright_proto::{CommandId, CommitSeq, ConnectorId, FileId, Layer, RunId, ShardId, TableId, TenantId, TokenId, UserId};

/// A prefix of the catalog with the types of its keys and values.
pub trait KeySpace {
    /// The first byte of its keys; never reused for another space.
    const PREFIX: u8;
    /// Its name in messages and dumps.
    const NAME: &'static str;
    /// Its keys.
    type Key: KeyPart;
    /// Its values.
    type Value: Serialize + DeserializeOwned;

    /// The whole key.
    fn key(key: &Self::Key) -> Vec<u8> {
        prefix_key::<Self>(key)
    }

    /// Decodes a whole key.
    fn decode_key(bytes: &[u8]) -> Result<Self::Key> {
        let mut rest = bytes.get(1..).unwrap_or_default();
        Self::Key::take(&mut rest)
            .ok_or_else(|| StorageError::corrupt(format!("a key of {}", Self::NAME), format!("its {} bytes cannot be read", bytes.len())))
    }

    /// Encodes a value.
    fn encode(value: &Self::Value) -> Result<Vec<u8>> {
        encode_value(value)
    }

    /// Decodes a value.
    fn decode(bytes: &[u8]) -> Result<Self::Value> {
        decode_value(&format!("a value of {}", Self::NAME), bytes)
    }
}

/// The bytes of a key's leading parts, within a space.
pub fn prefix_key<S: KeySpace + ?Sized>(parts: &impl KeyPart) -> Vec<u8> {
    let mut out = Vec::with_capacity(40);
    out.push(S::PREFIX);
    parts.put(&mut out);
    out
}

macro_rules! spaces {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal $label:literal: $key:ty => $value:ty;)*) => {
        $($(#[$doc])*
        pub struct $name;
        impl KeySpace for $name {
            const PREFIX: u8 = $prefix;
            const NAME: &'static str = $label;
            type Key = $key;
            type Value = $value;
        })*

        /// Every space's prefix and name, for dumps and for the check that no prefix is used twice.
        pub const ALL: &[(u8, &str)] = &[$(($prefix, $label)),*];
    };
}

spaces! {
    /// The cluster's own record, under the empty name.
    Cluster = 0x02 "cluster": String => ClusterRecord;
    /// Tenants.
    Tenants = 0x10 "tenants": TenantId => Tenant;
    /// Slug to tenant.
    TenantSlugs = 0x11 "tenant_slugs": String => TenantId;
    /// Users of a tenant.
    Users = 0x12 "users": (TenantId, UserId) => User;
    /// E-mail to user; one e-mail may be in several tenants.
    UserEmails = 0x13 "user_emails": (String, TenantId) => UserId;
    /// Tokens by the SHA-256 of their secret.
    Tokens = 0x14 "tokens": [u8; 32] => Token;
    /// A tenant's tokens.
    TokenIds = 0x15 "token_ids": (TenantId, TokenId) => [u8; 32];
    /// Connectors of a tenant.
    Connectors = 0x16 "connectors": (TenantId, ConnectorId) => Connector;
    /// Name to connector.
    ConnectorNames = 0x17 "connector_names": (TenantId, String) => ConnectorId;
    /// Sealed secrets of a connector, by field.
    Secrets = 0x18 "secrets": (TenantId, ConnectorId, String) => SealedSecret;
    /// Connectors that the clock starts.
    Schedules = 0x19 "schedules": (TenantId, ConnectorId) => Schedule;
    /// What is used of sources' quotas, by the quota's name.
    Quotas = 0x1a "quotas": String => Quota;
    /// Pack versions by content hash.
    Packs = 0x20 "packs": String => Pack;
    /// The pack versions that a tenant uses, by pack name.
    PackPins = 0x21 "pack_pins": (TenantId, String) => String;
    /// Connector shards.
    Shards = 0x30 "shards": ShardId => Shard;
    /// Source shard to shard.
    SourceShards = 0x31 "source_shards": (TenantId, ConnectorId, String, String) => ShardId;
    /// Runs of a tenant.
    Runs = 0x32 "runs": (TenantId, RunId) => Run;
    /// The run that is open for a connector's stream.
    OpenRuns = 0x33 "open_runs": (TenantId, ConnectorId, String) => RunId;
    /// What an open run's records look like, by entity.
    RunProfiles = 0x34 "run_profiles": (TenantId, RunId, String) => EntityProfile;
    /// What the last runs of a connector brought, by entity.
    Histories = 0x35 "histories": (TenantId, ConnectorId, String) => History;
    /// Tables by layer and name.
    Tables = 0x40 "tables": (TenantId, Layer, String) => Table;
    /// Table id to where it stands.
    TableIds = 0x41 "table_ids": TableId => TableName;
    /// Data files by table and bucket, dropped ones included until they are swept.
    Files = 0x42 "files": (TableId, u32, FileId) => FileEntry;
    /// Deletion vectors by table, bucket, data file and version.
    DeletionVectors = 0x43 "deletion_vectors": (TableId, u32, FileId, u32) => DeletionVectorEntry;
    /// Runs of the key index by table and bucket.
    IndexRuns = 0x44 "index_runs": (TableId, u32, FileId) => IndexRunEntry;
    /// Immutable lists of older files, by table and bucket.
    Manifests = 0x47 "manifests": (TableId, u32, FileId) => Manifest;
    /// Buckets of Silver tables.
    Buckets = 0x45 "buckets": (TableId, u32) => Bucket;
    /// Files no longer named, by the time they were dropped.
    Dropped = 0x46 "dropped": (u64, FileId) => DroppedFile;
    /// Bronze commits, in the order of the cluster.
    BronzeCommits = 0x50 "bronze_commits": CommitSeq => BronzeCommit;
    /// Bronze commits that a Silver table has still to consume.
    Queue = 0x51 "queue": (TableId, CommitSeq) => ();
    /// First offset to commit, per shard: the way from an address to its files.
    Offsets = 0x52 "offsets": (ShardId, u64) => CommitSeq;
    /// Re-packed Bronze files by their first offset: they come before what commits say of their files.
    Packed = 0x56 "packed": (ShardId, u64) => PackedFile;
    /// Silver commits by the watermark they reached: the lineage edge from a commit to a range of commits.
    SilverCommits = 0x53 "silver_commits": (TableId, u32, CommitSeq) => SilverCommit;
    /// Commits of replayed dead letters, per shard.
    Replays = 0x55 "replays": (ShardId, CommitSeq) => ();
    /// What the rows of each day of a Gold table are made of.
    GoldBuilds = 0x57 "gold_builds": (TableId, u32) => GoldBuild;
    /// Rows written with what they look up, by the catalog version.
    LookupCommits = 0x58 "lookup_commits": (TableId, u32, u64) => LookupCommit;
    /// What came last for each Silver table, by the table's name.
    Arrivals = 0x54 "arrivals": (TenantId, String) => Arrival;
    /// How good the records of each Silver table are, by the table's name.
    Standings = 0x5d "standings": (TenantId, String) => Standing;
    /// First answers by command id.
    Answers = 0x70 "answers": CommandId => Answer;
    /// Answers by the time they may be forgotten.
    AnswerExpiry = 0x71 "answer_expiry": (u64, CommandId) => ();
    /// Who did what, by catalog time.
    Audit = 0x80 "audit": u64 => AuditEntry;
    /// Alerts, by catalog time.
    Alerts = 0x81 "alerts": (TenantId, u64) => Alert;
    /// How many alerts a tenant has.
    AlertCounts = 0x82 "alert_counts": TenantId => u64;
    /// Conditions that were raised and have not ended, by kind and subject: since when.
    Conditions = 0x83 "conditions": (TenantId, String, String) => i64;
    /// Where alerts are sent, by name.
    Webhooks = 0x84 "webhooks": (TenantId, String) => Webhook;
}

#[cfg(test)]
mod tests {
    use super::ALL;

    #[test]
    fn no_prefix_is_used_twice() {
        let mut seen: Vec<u8> = ALL.iter().map(|(p, _)| *p).collect();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), ALL.len());
    }
}
