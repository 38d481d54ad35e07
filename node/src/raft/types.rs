//! What Raft replicates: the openraft type configuration and its payload types.

use serde::{Deserialize, Serialize};

openraft::declare_raft_types!(
    /// The types that openraft is instantiated with.
    pub TypeConfig:
        D = Proposal,
        R = ProposalReply,
        NodeId = u64,
        Node = RaftNode,
        SnapshotData = tokio::fs::File,
);

/// One Raft entry's commands: the unit of replication, fsync and apply (group commit).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proposal {
    /// Encoded commands, in the order in which they are applied.
    pub commands: Vec<Vec<u8>>,
    /// The proposer's wall clock, microseconds since 1970: the input of catalog time.
    pub proposed_at_us: i64,
}

/// What applying an entry answered: one reply per command, none for Raft's own entries.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProposalReply {
    /// Encoded replies, in the order of the commands.
    pub replies: Vec<Vec<u8>>,
}

/// Where a member of the cluster is reached.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RaftNode {
    /// Host and port of the internal service.
    pub rpc_addr: String,
    /// Host and port of Flight SQL.
    pub flight_addr: String,
    /// Failure domain, free text, empty if unknown.
    pub zone: String,
}

/// The handle of the running protocol.
pub type Raft = openraft::Raft<TypeConfig>;
/// A log position: leader and index.
pub type LogId = openraft::LogId<u64>;
/// A vote.
pub type Vote = openraft::Vote<u64>;
/// A log entry.
pub type Entry = openraft::Entry<TypeConfig>;
/// What an entry carries.
pub type EntryPayload = openraft::EntryPayload<TypeConfig>;
/// Voters and learners.
pub type Membership = openraft::Membership<u64, RaftNode>;
/// A membership and the entry that set it.
pub type StoredMembership = openraft::StoredMembership<u64, RaftNode>;
/// What a snapshot covers.
pub type SnapshotMeta = openraft::SnapshotMeta<u64, RaftNode>;
/// What storage answers openraft when it fails.
pub type RaftStorageError = openraft::StorageError<u64>;
