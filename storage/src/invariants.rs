//! The invariants of the catalog as named predicates, for tests and for the checks of a running
//! node. Each reads one view and says what is broken.

use std::collections::{HashMap, HashSet};

use lakewright_proto::{CommitSeq, FileId, ShardEpoch, TableId};

use crate::catalog::keyspace::*;
use crate::catalog::records::{BronzeCommit, BronzeSource, Manifest, RunStatus};
use crate::catalog::{Read, View};
use crate::error::{Result, StorageError};

fn broken(invariant: &str, why: String) -> StorageError {
    StorageError::corrupt(format!("invariant {invariant}"), why)
}

fn named_or_folded(view: &View<'_>, manifests: &[Manifest], table: TableId, id: FileId) -> Result<bool> {
    Ok(view.get::<Files>(&(table, 0, id))?.is_some() || manifests.iter().any(|m| m.table == table))
}

/// Invariant 1: a shard's offsets are dense and each is in a Bronze commit whose files are named;
/// a position stands only where a commit moved it.
pub fn positions_move_with_files(view: &View<'_>) -> Result<()> {
    let manifests: Vec<Manifest> = view.all::<Manifests>()?.into_iter().map(|(_, m)| m).collect();
    for (id, shard) in view.all::<Shards>()? {
        let mut next = 0;
        for ((_, at), seq) in view.scan::<Offsets>(&id)? {
            let commit = view.bronze_commit(seq)?;
            let BronzeSource::Read { first_offset, count, .. } = commit.source else {
                return Err(broken("1", format!("offset {at} of shard {id} leads to a replay")));
            };
            if at != next || first_offset != next {
                return Err(broken("1", format!("shard {id} has a hole at {next}")));
            }
            for file in view.commit_files(&commit)? {
                if !named_or_folded(view, &manifests, shard.bronze_table, file)? {
                    return Err(broken("1", format!("file {file} of commit {seq} is not named")));
                }
            }
            next += count;
        }
        let mut packed_to = 0;
        for ((_, first), packed) in view.scan::<Packed>(&id)? {
            if first < packed_to || first + packed.count > next {
                return Err(broken("1", format!("packed file {} of shard {id} overlaps another", packed.file)));
            }
            packed_to = first + packed.count;
        }
        if next != shard.next_offset {
            return Err(broken("1", format!("shard {id} goes on at {} and its commits end at {next}", shard.next_offset)));
        }
        if shard.position.is_some() && shard.position_no == 0 {
            return Err(broken("1", format!("shard {id} has a position that no commit gave it")));
        }
    }
    Ok(())
}

/// Invariant 2: live rows = inserted - deleted, and so many rows are in the live files.
pub fn live_rows_add_up(view: &View<'_>) -> Result<()> {
    for (key, bucket) in view.all::<Buckets>()? {
        // A table that was made again counts from there.
        let base = view.table(key.0)?.rebuilt.map_or((CommitSeq(0), 0), |r| (r.upto, r.live_rows));
        let commits = view.scan::<SilverCommits>(&key)?.into_iter().filter(|((.., to), _)| *to > base.0);
        let counted: i128 =
            i128::from(base.1) + commits.map(|(_, c)| i128::from(c.outcomes.inserted) - i128::from(c.outcomes.deleted)).sum::<i128>();
        let state = view.bucket_state(key.0, key.1)?;
        let rows: i128 = state.files.iter().map(|f| i128::from(f.rows)).sum::<i128>();
        let deleted: i128 = state.deletion_vectors.iter().map(|v| i128::from(v.cardinality)).sum::<i128>();
        let live = i128::from(bucket.live_rows);
        if live != counted || live != rows - deleted {
            return Err(broken("2", format!("{live} live rows, {counted} by outcomes, {rows} - {deleted} in files, in bucket {key:?}")));
        }
        let vectors: HashSet<FileId> = state.deletion_vectors.iter().map(|v| v.data_file).collect();
        if vectors.len() != state.deletion_vectors.len() {
            return Err(broken("2", format!("a file of bucket {key:?} has two deletion vectors")));
        }
    }
    Ok(())
}

/// Invariant 4: only the holder of the current epoch writes.
pub fn may_write(current: ShardEpoch, offered: ShardEpoch) -> bool {
    current == offered && offered > ShardEpoch(0)
}

/// Invariant 5: in a sealed run every record has its outcome.
pub fn sealed_runs_are_exact(view: &View<'_>) -> Result<()> {
    for ((_, id), run) in view.all::<Runs>()? {
        if run.status == RunStatus::Succeeded && !run.is_exact() {
            return Err(broken("5", format!("run {id} is sealed with {:?} and {:?}", run.counts, run.ledger)));
        }
    }
    Ok(())
}

/// Invariant 7: an object that a live entry names is not on the way to be deleted.
pub fn no_live_file_is_dropped(view: &View<'_>) -> Result<()> {
    let dropped: HashSet<String> = view.all::<Dropped>()?.into_iter().map(|(_, d)| d.path).collect();
    let files = view.all::<Files>()?.into_iter().filter(|(_, f)| f.removed.is_none()).map(|(_, f)| f.file.path);
    let vectors = view.all::<DeletionVectors>()?.into_iter().filter(|(_, v)| v.removed.is_none()).map(|(_, v)| v.vector.path);
    let runs = view.all::<IndexRuns>()?.into_iter().map(|(_, r)| r.run.path);
    let manifests = view.all::<Manifests>()?.into_iter().filter(|(_, m)| m.ended.is_none()).map(|(_, m)| m.path);
    match files.chain(vectors).chain(runs).chain(manifests).find(|path| dropped.contains(path)) {
        Some(path) => Err(broken("7", format!("{path} is named and dropped"))),
        None => Ok(()),
    }
}

/// Invariant 8: every Silver commit's inputs exist, and every Bronze commit is either queued for a
/// table that it feeds or consumed by exactly one of its Silver commits.
pub fn lineage_is_closed(view: &View<'_>) -> Result<()> {
    let commits: HashMap<CommitSeq, BronzeCommit> = view.all::<BronzeCommits>()?.into_iter().collect();
    let queued: HashSet<(TableId, CommitSeq)> = view.all::<Queue>()?.into_iter().map(|(k, ())| k).collect();
    for ((table, bucket, to), commit) in view.all::<SilverCommits>()? {
        let inputs = view.silver_inputs(table, bucket, &commit)?;
        if inputs.is_empty() {
            return Err(broken("8", format!("Silver commit {to} of table {table} has no input")));
        }
    }
    for (seq, commit) in &commits {
        if view.bronze_inputs(commit)?.is_empty() {
            return Err(broken("8", format!("Bronze commit {seq} has no source")));
        }
        let waiting = commit.feeds.iter().filter(|t| queued.contains(&(**t, *seq))).count();
        if view.bronze_outputs(commit)?.len() + waiting != commit.feeds.len() {
            return Err(broken("8", format!("Bronze commit {seq} is neither queued nor consumed by all that it feeds")));
        }
    }
    match queued.iter().find(|(_, seq)| !commits.contains_key(seq)) {
        Some((table, seq)) => Err(broken("8", format!("table {table} waits for commit {seq}, which does not exist"))),
        None => Ok(()),
    }
}

/// All that can be read from one view. Work grows with the whole catalog: for tests and for an operator's check.
pub fn check_all(view: &View<'_>) -> Result<()> {
    positions_move_with_files(view)?;
    live_rows_add_up(view)?;
    sealed_runs_are_exact(view)?;
    no_live_file_is_dropped(view)?;
    lineage_is_closed(view)
}
