//! The key index against a plain map: look-ups, merges, block edges, damage, the cache, frozen bytes.
#![expect(clippy::unwrap_used, reason = "tests")]

mod damage;
mod frozen;
mod lookups;
mod uploads;

use std::sync::Arc;

use lakewright_proto::{CommitSeq, FileId, RecordAddress, ShardId};
use object_store::memory::InMemory;
use uuid::Uuid;

use super::writer::BLOCK_ENTRIES;
use super::*;
use crate::object::Store;
use crate::table::IndexRun;

/// The key of a number; keys ascend with their numbers.
fn key(n: u32) -> Key {
    let mut key = [0; 16];
    key[..4].copy_from_slice(&n.to_be_bytes());
    key[12..].copy_from_slice(&n.wrapping_mul(0x9e37_79b9).to_be_bytes());
    key
}

fn entry(n: u32, version: i64) -> Entry {
    Entry {
        key: key(n),
        version,
        commit: CommitSeq(version as u64 + 1),
        address: RecordAddress { shard: ShardId(3), offset: u64::from(n) },
        hash: u128::from(n) << 64 | version as u128,
        partition_at: -5,
        state: State::Live { file: FileId(Uuid::from_u128(9)), row: n },
    }
}

fn tombstone(n: u32, version: i64) -> Entry {
    Entry { state: State::Tombstone, ..entry(n, version) }
}

struct Lake {
    store: Store,
    cache: Arc<BlockCache>,
    written: u128,
}

impl Lake {
    fn new() -> Self {
        Self { store: Store::over(Arc::new(InMemory::new()), "memory"), cache: Arc::new(BlockCache::new(8 << 20)), written: 0 }
    }

    fn writer(&mut self, expected: u64) -> RunWriter {
        self.written += 1;
        let id = FileId(Uuid::from_u128(self.written));
        RunWriter::new(&self.store, id, format!("index/{id}.run"), self.written as u64, expected)
    }

    async fn run(&mut self, entries: &[Entry]) -> IndexRun {
        let mut writer = self.writer(entries.len() as u64);
        for e in entries {
            writer.add(e).await.unwrap();
        }
        writer.finish().await.unwrap()
    }

    async fn index(&self, runs: &[IndexRun]) -> KeyIndex {
        KeyIndex::open(&self.store, runs, &self.cache).await.unwrap()
    }

    async fn found(&self, runs: &[IndexRun], keys: &[u32]) -> Vec<Entry> {
        let keys: Vec<Key> = keys.iter().map(|n| key(*n)).collect();
        let mut out = Vec::new();
        self.index(runs).await.lookup(&keys, |e| out.push(e)).await.unwrap();
        out.sort_by_key(|e| e.key);
        out
    }
}
