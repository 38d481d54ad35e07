//! The cluster itself: its identity, keys, answers, audit.

use std::fmt;

use lakewright_proto::{ClusterId, CommandId, ConnectorId, Error, RunId, TenantId};
use serde::{Deserialize, Serialize};

/// The cluster's identity and counters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterRecord {
    /// Minted at the first start.
    pub id: ClusterId,
    /// Raised by each restore from a backup; part of every epoch.
    pub incarnation: u32,
    /// The reserved tenant `system`, whose users administrate.
    pub system_tenant: TenantId,
    /// Fingerprint of the key that seals secrets.
    pub key_fingerprint: String,
    /// Signing keys of tickets, sealed; the newest is last.
    pub ticket_keys: Vec<RingKey>,
    /// When it was made, microseconds since 1970.
    pub created_at: i64,
    /// The last number given, to a shard.
    pub last_shard: u64,
    /// The last number given, to a Bronze commit.
    pub last_commit_seq: u64,
    /// The last number given, to an assignment.
    pub last_epoch: u64,
    /// The last number given, to a scan of a source without versions.
    pub last_scan: u64,
}

/// A sealed signing key.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RingKey {
    /// Its id, as in tickets.
    pub id: u32,
    /// Sealed with the cluster key.
    #[serde(with = "serde_bytes_vec")]
    pub sealed: Vec<u8>,
    /// When it was made, microseconds since 1970.
    pub created_at: i64,
}

/// A sealed secret of a connector.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealedSecret {
    /// Only ciphertext.
    #[serde(with = "serde_bytes_vec")]
    pub sealed: Vec<u8>,
    /// The secret's version, part of the associated data.
    pub version: u32,
}

/// The first answer to a command, kept for a day so that a repeat gets the same.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// SHA-256 of the command.
    pub content_hash: [u8; 32],
    /// The encoded reply.
    #[serde(with = "serde_bytes_vec")]
    pub reply: Vec<u8>,
}

// Logs and panics show these records: never their bytes.
impl fmt::Debug for RingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RingKey {{ id: {}, created_at: {}, sealed: {} bytes }}", self.id, self.created_at, self.sealed.len())
    }
}

impl fmt::Debug for SealedSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealedSecret {{ version: {}, sealed: {} bytes }}", self.version, self.sealed.len())
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Answer {{ reply: {} bytes }}", self.reply.len())
    }
}

/// One act of a person or program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEntry {
    /// Microseconds since 1970, catalog time.
    pub at: i64,
    /// The command's id.
    pub command: CommandId,
    /// The tenant it concerns, if one.
    pub tenant: Option<TenantId>,
    /// Who asked: an e-mail, or `node`.
    pub principal: String,
    /// What was asked, without secrets.
    pub action: String,
    /// Why it was refused, if it was.
    pub refused: Option<Error>,
}

/// Something that a person should look at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alert {
    /// Microseconds since 1970, catalog time.
    pub at: i64,
    /// The tenant.
    pub tenant: TenantId,
    /// A stable word: `ledger_residue`, `freshness`, `connector_broken`, `anomaly_volume`, or a source's own.
    pub kind: String,
    /// What it is about: a run, a connector, a table.
    pub subject: String,
    /// What happened and what to do.
    pub message: String,
    /// The run that it is about, where it is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<RunId>,
    /// The connector that it is about, likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connector: Option<ConnectorId>,
}

impl Alert {
    /// An alert about no run and no connector; the catalog gives it its time.
    pub fn new(tenant: TenantId, kind: impl Into<String>, subject: impl Into<String>, message: impl Into<String>) -> Self {
        Self { at: 0, tenant, kind: kind.into(), subject: subject.into(), message: message.into(), run: None, connector: None }
    }
}

/// Byte strings as MessagePack binary, not as arrays of numbers.
pub(crate) mod serde_bytes_vec {
    use serde::de::{Deserializer, Error, SeqAccess, Visitor};
    use serde::Serializer;

    /// Writes binary.
    pub fn serialize<S: Serializer>(v: &[u8], s: S) -> Result<S::Ok, S::Error> {
        s.serialize_bytes(v)
    }

    /// Reads binary.
    pub fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Vec<u8>, D::Error> {
        struct Bytes;
        impl<'de> Visitor<'de> for Bytes {
            type Value = Vec<u8>;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("bytes")
            }
            fn visit_bytes<E: Error>(self, v: &[u8]) -> Result<Vec<u8>, E> {
                Ok(v.to_vec())
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Vec<u8>, A::Error> {
                let mut out = Vec::new();
                while let Some(b) = seq.next_element()? {
                    out.push(b);
                }
                Ok(out)
            }
        }
        d.deserialize_bytes(Bytes)
    }
}
