//! The hand-over from shards to merges. What it holds is a cache of Bronze: a batch that is
//! missing is read again from Bronze, one that is not asked for is dropped.

use std::collections::BTreeMap;
use std::sync::Arc;

use lakewright_proto::{CommitSeq, TableId};
use parking_lot::Mutex;

use crate::credit::Permit;
use crate::pipeline::EntityBatch;

/// A committed batch on its way to a merge, with the credit it holds.
pub struct HandOver {
    /// Accepted rows of one table, in offset order.
    pub batches: Vec<EntityBatch>,
    /// Returned when the merge has taken the rows.
    pub permits: Vec<Arc<Permit>>,
}

/// Moves batches to the owner of the key's bucket; in process, since one node owns them all.
#[derive(Default)]
pub struct Exchange {
    held: Mutex<BTreeMap<(TableId, CommitSeq), HandOver>>,
}

impl Exchange {
    /// Offers a committed batch. Its size is bounded by the credit that it holds.
    pub fn offer(&self, table: TableId, seq: CommitSeq, batch: HandOver) {
        self.held.lock().insert((table, seq), batch);
    }

    /// Takes a batch, if it is here.
    pub fn take(&self, table: TableId, seq: CommitSeq) -> Option<HandOver> {
        self.held.lock().remove(&(table, seq))
    }

    /// Drops what a table has consumed by other ways, so that no credit is held for ever.
    pub fn drop_up_to(&self, table: TableId, watermark: CommitSeq) {
        let mut held = self.held.lock();
        let stale: Vec<_> = held.range((table, CommitSeq(0))..=(table, watermark)).map(|(k, _)| *k).collect();
        for key in stale {
            held.remove(&key);
        }
    }

    /// Drops all batches of a table: its merge cannot go on, and credit must not wait for it.
    pub fn drop_table(&self, table: TableId) {
        self.drop_up_to(table, CommitSeq(u64::MAX));
    }
}
