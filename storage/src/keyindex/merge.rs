//! Merging runs: streaming, block by block, the newest entry of a key wins.

use super::entry::Entry;
use super::reader::{Block, RunReader};
use super::writer::RunWriter;
use crate::error::Result;
use crate::table::IndexRun;

/// Blocks of each run held while merging.
const AHEAD: usize = 16;

/// How many of the newest runs a new run of `entries` is merged with: while the next older one is
/// at most twice what is gathered. Runs then grow geometrically, and an entry is rewritten a
/// logarithmic number of times. `runs` are oldest first.
pub fn merge_plan(runs: &[IndexRun], entries: u64) -> usize {
    let mut gathered = entries;
    let mut n = 0;
    for run in runs.iter().rev() {
        if run.entries > gathered.saturating_mul(2) {
            break;
        }
        gathered += run.entries;
        n += 1;
    }
    n
}

struct Cursor {
    run: RunReader,
    next_block: usize,
    blocks: std::vec::IntoIter<Block>,
    block: Option<Block>,
    at: usize,
    head: Option<Entry>,
}

impl Cursor {
    async fn open(run: RunReader) -> Result<Self> {
        let mut me = Self { run, next_block: 0, blocks: Vec::new().into_iter(), block: None, at: 0, head: None };
        me.advance().await?;
        Ok(me)
    }

    async fn advance(&mut self) -> Result<()> {
        loop {
            if let Some(block) = &self.block {
                if self.at < block.len() {
                    self.head = Some(block.entry(self.at)?);
                    self.at += 1;
                    return Ok(());
                }
            }
            self.at = 0;
            self.block = self.blocks.next();
            if self.block.is_none() {
                let end = (self.next_block + AHEAD).min(self.run.blocks());
                if self.next_block == end {
                    self.head = None;
                    return Ok(());
                }
                let wanted: Vec<usize> = (self.next_block..end).collect();
                self.next_block = end;
                self.blocks = self.run.read(&wanted).await?.into_iter();
            }
        }
    }
}

/// Several runs as one: the newest entry of every key, ascending. Memory: 1 MiB a run.
pub struct Merged(Vec<Cursor>);

impl Merged {
    /// Over runs, newest first.
    pub async fn open(runs: &[RunReader]) -> Result<Self> {
        let mut cursors = Vec::with_capacity(runs.len());
        for run in runs {
            cursors.push(Cursor::open(run.clone()).await?);
        }
        Ok(Self(cursors))
    }

    /// The next entry.
    pub async fn next(&mut self) -> Result<Option<Entry>> {
        let least = self.0.iter().filter_map(|c| c.head.map(|h| h.key)).min();
        let Some(key) = least else { return Ok(None) };
        let mut newest: Option<Entry> = None;
        for cursor in &mut self.0 {
            if cursor.head.is_some_and(|h| h.key == key) {
                newest = newest.or(cursor.head);
                cursor.advance().await?;
            }
        }
        Ok(newest)
    }
}

/// Calls `each` with the newest entry of every key, ascending. Readers are newest first.
pub async fn scan_all(runs: &[RunReader], mut each: impl FnMut(Entry) -> Result<()>) -> Result<()> {
    let mut merged = Merged::open(runs).await?;
    while let Some(entry) = merged.next().await? {
        each(entry)?;
    }
    Ok(())
}

/// Writes one run in place of several, given newest first.
pub async fn merge_runs(runs: &[RunReader], mut writer: RunWriter) -> Result<IndexRun> {
    let mut merged = Merged::open(runs).await?;
    while let Some(entry) = merged.next().await? {
        writer.add(&entry).await?;
    }
    writer.finish().await
}
