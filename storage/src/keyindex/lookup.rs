//! Looking keys up in all runs of a bucket, the newest first.

use std::sync::Arc;

use super::cache::BlockCache;
use super::entry::{Entry, Key};
use super::reader::RunReader;
use crate::error::Result;
use crate::object::Store;
use crate::table::IndexRun;

/// Blocks held at once while looking up.
const GROUP: usize = 256;

/// The open runs of a bucket.
pub struct KeyIndex {
    /// Newest first.
    runs: Vec<RunReader>,
}

impl KeyIndex {
    /// Opens the runs, given oldest first.
    pub async fn open(store: &Store, runs: &[IndexRun], cache: &Arc<BlockCache>) -> Result<Self> {
        let mut open = Vec::with_capacity(runs.len());
        for run in runs.iter().rev() {
            open.push(RunReader::open(store, run, cache).await?);
        }
        Ok(Self { runs: open })
    }

    /// Calls `found` for each of the keys (ascending, each once) that the index has.
    pub async fn lookup(&self, keys: &[Key], mut found: impl FnMut(Entry)) -> Result<()> {
        let mut wanted: Vec<Key> = keys.to_vec();
        for run in &self.runs {
            if wanted.is_empty() {
                break;
            }
            let candidates: Vec<(usize, usize)> =
                wanted.iter().enumerate().filter(|(_, k)| run.may_have(k)).filter_map(|(i, k)| Some((i, run.block_of(k)?))).collect();
            let mut hit = vec![false; wanted.len()];
            let mut rest = candidates.as_slice();
            while !rest.is_empty() {
                let mut blocks: Vec<usize> = Vec::new();
                let mut n = 0;
                for (_, block) in rest {
                    if blocks.last() != Some(block) {
                        if blocks.len() == GROUP {
                            break;
                        }
                        blocks.push(*block);
                    }
                    n += 1;
                }
                let read = run.read(&blocks).await?;
                let mut at = 0;
                for (i, block) in &rest[..n] {
                    while blocks[at] != *block {
                        at += 1;
                    }
                    if let Some(entry) = read[at].find(&wanted[*i])? {
                        hit[*i] = true;
                        found(entry);
                    }
                }
                rest = &rest[n..];
            }
            let mut hits = hit.into_iter();
            wanted.retain(|_| !hits.next().unwrap_or(false));
        }
        Ok(())
    }

    /// The runs, newest first.
    pub fn runs(&self) -> &[RunReader] {
        &self.runs
    }
}
