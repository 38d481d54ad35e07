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
        gathered = gathered.saturating_add(run.entries);
        n += 1;
    }
    n
}

struct Cursor {
    /// None: entries in memory.
    run: Option<RunReader>,
    fresh: std::vec::IntoIter<Entry>,
    next_block: usize,
    blocks: std::vec::IntoIter<Block>,
    block: Option<Block>,
    at: usize,
    head: Option<Entry>,
}

impl Cursor {
    async fn open(run: Option<RunReader>, fresh: Vec<Entry>) -> Result<Self> {
        let fresh = fresh.into_iter();
        let mut me = Self { run, fresh, next_block: 0, blocks: Vec::new().into_iter(), block: None, at: 0, head: None };
        me.advance().await?;
        Ok(me)
    }

    async fn advance(&mut self) -> Result<()> {
        let Some(run) = &self.run else {
            self.head = self.fresh.next();
            return Ok(());
        };
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
                let end = (self.next_block + AHEAD).min(run.blocks());
                if self.next_block == end {
                    self.head = None;
                    return Ok(());
                }
                let wanted: Vec<usize> = (self.next_block..end).collect();
                self.next_block = end;
                self.blocks = run.read(&wanted).await?.into_iter();
            }
        }
    }
}

/// Several runs as one: the newest entry of every key, ascending. Memory: 1 MiB a run.
pub struct Merged(Vec<Cursor>);

impl Merged {
    /// Over runs, newest first.
    pub async fn open(runs: &[RunReader]) -> Result<Self> {
        Self::over(Vec::new(), runs).await
    }

    /// The same with entries, ascending, that are newer than any run.
    async fn over(fresh: Vec<Entry>, runs: &[RunReader]) -> Result<Self> {
        let mut cursors = Vec::with_capacity(runs.len() + 1);
        cursors.push(Cursor::open(None, fresh).await?);
        for run in runs {
            cursors.push(Cursor::open(Some(run.clone()), Vec::new()).await?);
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

/// Writes one run of entries that are not in a run yet, ascending, and of older runs, newest first.
pub async fn merge_runs(fresh: Vec<Entry>, runs: &[RunReader], mut writer: RunWriter) -> Result<IndexRun> {
    let copied = copy(fresh, runs, &mut writer).await;
    if let Err(e) = copied {
        writer.abort().await;
        return Err(e);
    }
    writer.finish().await
}

async fn copy(fresh: Vec<Entry>, runs: &[RunReader], writer: &mut RunWriter) -> Result<()> {
    let mut merged = Merged::over(fresh, runs).await?;
    while let Some(entry) = merged.next().await? {
        writer.add(&entry).await?;
    }
    Ok(())
}
