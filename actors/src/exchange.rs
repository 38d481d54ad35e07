//! The hand-over from shards to merges. What it holds is a cache of Bronze: a batch that is
//! missing is read again from Bronze, one that is not asked for is dropped.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use lakewright_proto::{CommitSeq, ShardId, TableId};
use lakewright_storage::catalog::records::{BronzeCommit, BronzeSource};
use parking_lot::Mutex;
use tokio::sync::Notify;

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
    inner: Mutex<Inner>,
    moved: Notify,
}

#[derive(Default)]
struct Inner {
    held: BTreeMap<(TableId, CommitSeq), HandOver>,
    /// Batches whose commit is under way, by shard and first offset: their number is not known yet.
    coming: HashSet<(ShardId, u64)>,
}

/// A batch that will be offered once its commit has a number. Dropped: it will not come.
pub struct Coming<'a> {
    exchange: &'a Exchange,
    from: (ShardId, u64),
}

impl Drop for Coming<'_> {
    fn drop(&mut self) {
        self.exchange.inner.lock().coming.remove(&self.from);
        self.exchange.moved.notify_waiters();
    }
}

impl Exchange {
    /// Says that a batch comes when its commit is done: a merge sees a commit in the catalog
    /// before the committer hears of it, and must not read Bronze again for a batch at hand.
    pub fn announce(&self, shard: ShardId, first_offset: u64) -> Coming<'_> {
        self.inner.lock().coming.insert((shard, first_offset));
        Coming { exchange: self, from: (shard, first_offset) }
    }

    /// Offers a committed batch. Its size is bounded by the credit that it holds.
    pub fn offer(&self, table: TableId, seq: CommitSeq, batch: HandOver) {
        self.inner.lock().held.insert((table, seq), batch);
    }

    /// Takes a commit's batch, if it is here or about to be.
    pub async fn take(&self, table: TableId, commit: &BronzeCommit) -> Option<HandOver> {
        let from = match &commit.source {
            BronzeSource::Read { first_offset, .. } => Some((commit.shard, *first_offset)),
            BronzeSource::Replay { .. } => None,
        };
        loop {
            let moved = self.moved.notified();
            {
                let mut inner = self.inner.lock();
                if let Some(found) = inner.held.remove(&(table, commit.seq)) {
                    return Some(found);
                }
                if !from.is_some_and(|from| inner.coming.contains(&from)) {
                    return None;
                }
            }
            moved.await;
        }
    }

    /// Drops what a table has consumed by other ways, so that no credit is held for ever.
    pub fn drop_up_to(&self, table: TableId, watermark: CommitSeq) {
        let held = &mut self.inner.lock().held;
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

#[cfg(test)]
#[path = "exchange_tests.rs"]
mod tests;
