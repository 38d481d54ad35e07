//! Which Bronze files are to become one. Decisions only; the job is elsewhere.

use lakewright_proto::{Layer, ShardId, TableId};

use super::keyspace::*;
use super::manifests::RECENT;
use super::records::*;
use super::view::{Read, View};
use crate::error::Result;

/// A file this large is left as it is: two smaller ones make one of at most twice as much.
pub const LARGE: u64 = 64 << 20;
/// So many small files are worth one.
pub const MANY: usize = 16;
/// Files that become one, at most: what one `apply` does stays bounded.
pub const MAX_INPUTS: usize = 256;
/// Files younger than this wait for others, microseconds.
const CLOSED: i64 = 3_600 * 1_000_000;
/// With more entries in the catalog than this, they wait no longer: the fold comes next, and what
/// stands in a manifest is not re-packed.
const PRESSURE: usize = RECENT / 2;

/// Files to become one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepackPlan {
    /// The Bronze table.
    pub table: TableId,
    /// The shard.
    pub shard: ShardId,
    /// The first offset.
    pub first: u64,
    /// Files in offset order, without a gap, of one ingest day.
    pub inputs: Vec<FileEntry>,
}

/// The re-packs that are due, at most `limit`.
pub fn repack_due(view: &View<'_>, now_us: i64, limit: usize) -> Result<Vec<RepackPlan>> {
    let mut plans = Vec::new();
    for (_, table) in view.all::<Tables>()?.into_iter().filter(|(_, t)| t.layer == Layer::Bronze && t.files >= 2) {
        let entries: Vec<FileEntry> =
            view.scan::<Files>(&(table.id, 0u32))?.into_iter().map(|(_, e)| e).filter(|e| e.removed.is_none()).collect();
        for (shard, first, inputs) in due(entries, now_us) {
            if plans.len() == limit {
                return Ok(plans);
            }
            let end = inputs.last().and_then(span).map_or(first, |(_, first, count)| first + count);
            let whole = view.get::<Offsets>(&(shard, first))?.is_some()
                && (view.get::<Offsets>(&(shard, end))?.is_some() || view.get::<Shards>(&shard)?.is_some_and(|s| s.next_offset == end));
            if whole {
                plans.push(RepackPlan { table: table.id, shard, first, inputs });
            }
        }
    }
    Ok(plans)
}

fn span(e: &FileEntry) -> Option<(ShardId, u64, u64)> {
    match &e.range {
        FileRange::Offsets { shard, first, count } => Some((*shard, *first, *count)),
        FileRange::Commit(_) | FileRange::Watermark(_) => None,
    }
}

/// Groups of a table's current files that are worth one file each.
fn due(entries: Vec<FileEntry>, now_us: i64) -> Vec<(ShardId, u64, Vec<FileEntry>)> {
    let pressure = entries.len() > PRESSURE;
    let mut small: Vec<((ShardId, u64, u64), FileEntry)> =
        entries.into_iter().filter(|e| e.file.size < LARGE).filter_map(|e| Some((span(&e)?, e))).collect();
    small.sort_by_key(|(at, _)| *at);
    let mut out = Vec::new();
    let mut group: Vec<((ShardId, u64, u64), FileEntry)> = Vec::new();
    for (at, entry) in small {
        let follows = group.last().is_some_and(|((shard, first, count), last)| {
            (*shard, first + count) == (at.0, at.1) && last.file.partition == entry.file.partition
        });
        if !follows {
            close(std::mem::take(&mut group), pressure, now_us, &mut out);
        }
        group.push((at, entry));
        // Full: it gains nothing by waiting.
        if group.len() > 1 && (bytes(&group) >= LARGE || group.len() == MAX_INPUTS) {
            emit(std::mem::take(&mut group), &mut out);
        }
    }
    close(group, pressure, now_us, &mut out);
    out
}

fn bytes(group: &[((ShardId, u64, u64), FileEntry)]) -> u64 {
    group.iter().map(|(_, e)| e.file.size).sum()
}

fn emit(group: Vec<((ShardId, u64, u64), FileEntry)>, out: &mut Vec<(ShardId, u64, Vec<FileEntry>)>) {
    if let Some(((shard, first, _), _)) = group.first() {
        out.push((*shard, *first, group.into_iter().map(|(_, e)| e).collect()));
    }
}

/// The end of a stretch that is not full: due if it is many files, and old or in the way.
fn close(mut group: Vec<((ShardId, u64, u64), FileEntry)>, pressure: bool, now_us: i64, out: &mut Vec<(ShardId, u64, Vec<FileEntry>)>) {
    // A file larger than all that follows it is not written again for their sake.
    while group.len() >= MANY && group.first().is_some_and(|(_, e)| e.file.size * 2 > bytes(&group)) {
        group.remove(0);
    }
    let old = |e: &FileEntry| e.file.created_at.saturating_add(CLOSED) < now_us;
    if group.len() >= MANY && (pressure || group.last().is_some_and(|(_, e)| old(e))) {
        emit(group, out);
    }
}

#[cfg(test)]
#[path = "repack_tests.rs"]
mod tests;
