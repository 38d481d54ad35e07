//! What a run needs next: pure.

use std::collections::{HashMap, HashSet};

use lakewright_proto::ShardId;
use lakewright_storage::catalog::records::{Run, RunMode, Shard, ShardStatus};

use crate::shard::ShardEnd;

/// A run as its connector knows it.
#[derive(Debug)]
pub(super) struct OpenRun {
    /// The run.
    pub run: Run,
    /// Its shards.
    pub shards: HashMap<ShardId, Shard>,
    /// Shards whose reading ended in this run.
    pub ends: HashMap<ShardId, ShardEnd>,
    /// Its end was proposed.
    pub finishing: bool,
    /// Why it cannot be read to its end.
    pub failure: Option<String>,
}

impl OpenRun {
    pub fn new(run: Run, shards: Vec<Shard>) -> Self {
        let shards = shards.into_iter().map(|s| (s.id, s)).collect();
        Self { run, shards, ends: HashMap::new(), finishing: false, failure: None }
    }

    /// Takes the catalog's word for what its shards are now.
    pub fn refresh(&mut self, shards: Vec<Shard>) {
        for shard in shards {
            self.shards.insert(shard.id, shard);
        }
    }

    /// Shards that may be read now: not ended, and all their parents are.
    pub fn ready(&self) -> Vec<ShardId> {
        let closed: HashSet<&str> = self
            .shards
            .values()
            .filter(|s| s.status == ShardStatus::Ended || self.ends.get(&s.id) == Some(&ShardEnd::Closed))
            .map(|s| s.key.as_str())
            .collect();
        let known: HashSet<&str> = self.shards.values().map(|s| s.key.as_str()).collect();
        let may = |s: &&Shard| {
            s.status == ShardStatus::Open
                && !self.ends.contains_key(&s.id)
                // A parent that the source has forgotten counts as ended.
                && s.parents.iter().all(|p| closed.contains(p.as_str()) || !known.contains(p.as_str()))
        };
        let mut ready: Vec<ShardId> = self.shards.values().filter(may).map(|s| s.id).collect();
        ready.sort_unstable();
        ready
    }

    /// Whether there is nothing more to read: every shard is exhausted or closed.
    pub fn is_read(&self) -> bool {
        let done = |s: &Shard| {
            s.status == ShardStatus::Ended
                || match self.ends.get(&s.id) {
                    Some(ShardEnd::Exhausted) => self.run.mode == RunMode::Batch,
                    Some(ShardEnd::Closed) => true,
                    _ => false,
                }
        };
        self.shards.values().all(done)
    }
}
