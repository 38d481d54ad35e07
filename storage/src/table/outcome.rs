//! The ledger's numbers: what became of each record.

use serde::{Deserialize, Serialize};

/// What applying records to one entity did. Each record has exactly one outcome per entity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutcomeCounts {
    /// Its key had no live row.
    pub inserted: u64,
    /// It replaced a live row.
    pub updated: u64,
    /// It ended a live row.
    pub deleted: u64,
    /// Same version and content as what is there, or a delete of what is not there.
    pub unchanged: u64,
    /// An older version than what is there.
    pub stale: u64,
}

impl OutcomeCounts {
    /// All of them.
    pub fn total(&self) -> u64 {
        self.inserted + self.updated + self.deleted + self.unchanged + self.stale
    }

    /// Adds another count.
    pub fn add(&mut self, o: &Self) {
        self.inserted += o.inserted;
        self.updated += o.updated;
        self.deleted += o.deleted;
        self.unchanged += o.unchanged;
        self.stale += o.stale;
    }
}

/// What the shard's owner knows of a Bronze commit's records before any merge.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamCounts {
    /// Bronze rows, counted by the decoder before writing.
    pub read: u64,
    /// Accepted for the entity, and so handed to its merge.
    pub accepted: u64,
    /// In the dead letters.
    pub rejected: u64,
    /// Records that no entity takes.
    pub unmapped: u64,
    /// Accepted with a failed format rule.
    pub flagged: u64,
    /// Accepted with a failed business rule.
    pub warned: u64,
    /// Payload bytes.
    pub bytes: u64,
}

impl StreamCounts {
    /// Adds another count.
    pub fn add(&mut self, o: &Self) {
        self.read += o.read;
        self.accepted += o.accepted;
        self.rejected += o.rejected;
        self.unmapped += o.unmapped;
        self.flagged += o.flagged;
        self.warned += o.warned;
        self.bytes += o.bytes;
    }
}
