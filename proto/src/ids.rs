//! Validated identities: every id that crosses a crate or a wire is one of these.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::error_code::{Error, ErrorCode};

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl $name {
            /// A new, time-ordered id (UUIDv7). Never call this inside `apply`.
            pub fn generate() -> Self {
                Self(Uuid::now_v7())
            }

            /// The sixteen bytes, in network order.
            pub fn as_bytes(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.0)
            }
        }

        impl FromStr for $name {
            type Err = Error;

            fn from_str(s: &str) -> Result<Self, Error> {
                Uuid::parse_str(s).map(Self).map_err(|_| {
                    Error::new(ErrorCode::InvalidArgument, format!("{s:?} is not a {} (a UUID)", stringify!($name)))
                })
            }
        }
    };
}

uuid_id!(/// The cluster, minted once when its first node starts.
    ClusterId);
uuid_id!(/// A tenant. Paths and positions use this, never the slug.
    TenantId);
uuid_id!(/// A person or program that holds tokens.
    UserId);
uuid_id!(/// One API token of a user.
    TokenId);
uuid_id!(/// A configured source of one tenant.
    ConnectorId);
uuid_id!(/// One ingestion run of one connector and stream.
    RunId);
uuid_id!(/// A table of one tenant and layer.
    TableId);
uuid_id!(/// A data file, index run or deletion vector in the object store.
    FileId);
uuid_id!(/// One proposal to the catalog: repeats of it return the first answer.
    CommandId);

macro_rules! number_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub u64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

number_id!(/// A cluster node.
    NodeId);
number_id!(/// A connector shard: the unit of ordering and ownership. Numbered by the catalog.
    ShardId);
number_id!(/// The fencing token of an assignment; a higher one makes every lower one stale.
    ShardEpoch);
number_id!(/// The number that the catalog gives each Bronze commit, in one sequence for the cluster.
    CommitSeq);

/// Where a Bronze record is for ever: its shard, and its dense offset within it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RecordAddress {
    /// The shard that read the record.
    pub shard: ShardId,
    /// The record's offset within the shard; the first is 0.
    pub offset: u64,
}

impl fmt::Display for RecordAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.shard, self.offset)
    }
}

impl FromStr for RecordAddress {
    type Err = Error;

    fn from_str(s: &str) -> Result<Self, Error> {
        let bad = || Error::new(ErrorCode::InvalidArgument, format!("{s:?} is not a record address (SHARD/OFFSET)"));
        let (shard, offset) = s.split_once('/').ok_or_else(bad)?;
        Ok(Self { shard: ShardId(shard.parse().map_err(|_| bad())?), offset: offset.parse().map_err(|_| bad())? })
    }
}

/// A name that users choose and that stands in SQL: a tenant's slug, a connector's name.
/// Lower-case letters, digits, `_` and `-`; starts with a letter; at most 63 bytes.
pub fn validate_slug(what: &str, s: &str) -> Result<(), Error> {
    let mut bytes = s.bytes();
    let head = bytes.next().is_some_and(|b| b.is_ascii_lowercase());
    if head && s.len() <= 63 && bytes.all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-') {
        return Ok(());
    }
    Err(Error::new(
        ErrorCode::InvalidArgument,
        format!("{what} {s:?} is not valid: use lower-case letters, digits, '_' and '-', starting with a letter, at most 63"),
    ))
}
