//! Silver commits: the watermark moves with the rows, under the bucket's epoch.

use lakewright_proto::{CommitSeq, ErrorCode, FileId, NodeId, ShardEpoch, TableId};

use super::super::command::{CommitCompaction, CommitSilver, Reply};
use super::super::keyspace::*;
use super::super::records::*;
use super::super::tx::{refuse, ApplyError, Tx};
use super::super::view::Read;
use super::ingest::next_epoch;
use super::runs::settle;
use super::tables::{add_file, check_object, drop_object, remove_file, table_by_id, touch};
use crate::table::{OutcomeCounts, SilverDelta};

type Done = Result<Reply, ApplyError>;

pub(super) fn claim_bucket(tx: &mut Tx<'_>, table: TableId, bucket: u32, node: NodeId) -> Done {
    let key = (table, bucket);
    let mut state = tx.need::<Buckets>(&key, || format!("bucket {bucket} of table {table}"))?;
    let epoch = next_epoch(tx)?;
    state.owner = Some(node);
    state.epoch = epoch;
    tx.put::<Buckets>(&key, &state)?;
    Ok(Reply::Epoch(epoch))
}

pub(super) fn fence(state: &Bucket, table: &Table, bucket: u32, epoch: ShardEpoch) -> Result<(), ApplyError> {
    if state.epoch != epoch {
        return refuse(
            ErrorCode::Fenced,
            format!("bucket {bucket} of {} is owned under epoch {}, not {epoch}: another owner has taken over", table.name, state.epoch),
        );
    }
    Ok(())
}

pub(super) fn commit(tx: &mut Tx<'_>, c: &CommitSilver) -> Done {
    let mut table = table_by_id(tx, c.table)?;
    let key = (c.table, c.bucket);
    let mut state = tx.need::<Buckets>(&key, || format!("bucket {} of table {}", c.bucket, table.name))?;
    fence(&state, &table, c.bucket, c.epoch)?;
    if state.watermark != c.from || c.to <= c.from {
        return refuse(
            ErrorCode::Conflict,
            format!("the watermark of {} is {}, not {}; read the state again", table.name, state.watermark, c.from),
        );
    }
    // One more than was merged is enough to see that they differ.
    let queue = tx.between::<Queue>(&(c.table, CommitSeq(c.from.0 + 1)), &(c.table, c.to), c.delta.outcomes.len() + 1)?;
    let queued: Vec<CommitSeq> = queue.into_iter().map(|((_, seq), ())| seq).collect();
    let merged: Vec<CommitSeq> = c.delta.outcomes.iter().map(|(seq, _)| *seq).collect();
    if queued != merged || queued.last() != Some(&c.to) {
        return refuse(
            ErrorCode::Conflict,
            format!("the queue of {} up to {} holds {} commits, and the merge took {}", table.name, c.to, queued.len(), merged.len()),
        );
    }
    let mut outcomes = OutcomeCounts::default();
    for (seq, o) in &c.delta.outcomes {
        outcomes.add(o);
        book(tx, &table, *seq, o)?;
        tx.remove::<Queue>(&(c.table, *seq));
    }
    let rows = table.rows;
    let moved = apply_delta(tx, &mut table, c.bucket, &c.delta, c.to)?;
    add_changes(tx, &table, &c.delta, c.to)?;
    state.watermark = c.to;
    let delta = c.delta.live_rows_delta();
    let (Some(live), true) = (state.live_rows.checked_add_signed(delta), i128::from(delta) == moved) else {
        return refuse(
            ErrorCode::InvalidArgument,
            format!("the merge into {} counts {delta} live rows more on {}, and its files hold {moved} more", table.name, state.live_rows),
        );
    };
    state.live_rows = live;
    table.rows = rows.saturating_add_signed(delta);
    tx.put::<Buckets>(&key, &state)?;
    let silver = SilverCommit {
        from: c.from,
        to: c.to,
        version: tx.version,
        added: c.delta.added.iter().map(|f| f.id).collect(),
        changes: c.delta.changes.iter().map(|f| f.id).collect(),
        job: format!("merge/{}", c.epoch),
        outcomes,
        committed_at: tx.now,
    };
    tx.put::<SilverCommits>(&(c.table, c.bucket, c.to), &silver)?;
    touch(tx, table)?;
    settle(tx, &merged)?;
    Ok(Reply::Silver(tx.version))
}

pub(super) fn commit_compaction(tx: &mut Tx<'_>, c: &CommitCompaction) -> Done {
    let mut table = table_by_id(tx, c.table)?;
    let state = tx.need::<Buckets>(&(c.table, c.bucket), || format!("bucket {} of table {}", c.bucket, table.name))?;
    fence(&state, &table, c.bucket, c.epoch)?;
    for (file, read_version) in &c.inputs {
        if tx.get::<Files>(&(c.table, c.bucket, *file))?.is_none_or(|f| f.removed.is_some()) {
            return refuse(ErrorCode::Conflict, format!("file {file} of {} is not live; read the state again", table.name));
        }
        let current = current_vector(tx, c.table, c.bucket, *file)?.map_or(0, |v| v.vector.version);
        if current != *read_version {
            return refuse(
                ErrorCode::Conflict,
                format!(
                    "rows of file {file} were deleted meanwhile (vector {current}, read {read_version}); carry them over and try again"
                ),
            );
        }
    }
    let inputs_cover = c.delta.removed.iter().all(|id| c.inputs.iter().any(|(input, _)| input == id));
    if !inputs_cover || !c.delta.outcomes.is_empty() || !c.delta.changes.is_empty() {
        return refuse(ErrorCode::InvalidArgument, "a compaction removes only files that it read, and changes no row");
    }
    let rows = table.rows;
    let moved = apply_delta(tx, &mut table, c.bucket, &c.delta, state.watermark)?;
    if moved != 0 {
        return refuse(ErrorCode::InvalidArgument, format!("the compaction of {} would change its live rows by {moved}", table.name));
    }
    table.rows = rows;
    touch(tx, table)?;
    Ok(Reply::Silver(tx.version))
}

fn current_vector(tx: &Tx<'_>, table: TableId, bucket: u32, file: FileId) -> Result<Option<DeletionVectorEntry>, ApplyError> {
    let all = tx.scan::<DeletionVectors>(&(table, bucket, file))?;
    Ok(all.into_iter().map(|(_, v)| v).find(|v| v.removed.is_none()))
}

/// Changes the bucket's files, and answers by how many its live rows grew.
pub(super) fn apply_delta(
    tx: &mut Tx<'_>,
    table: &mut Table,
    bucket: u32,
    delta: &SilverDelta,
    watermark: CommitSeq,
) -> Result<i128, ApplyError> {
    let mut moved = 0i128;
    for file in &delta.added {
        add_file(tx, table, bucket, file, FileRange::Watermark(watermark))?;
        moved += i128::from(file.rows);
    }
    for vector in &delta.deletion_vectors {
        let file = tx.get::<Files>(&(table.id, bucket, vector.data_file))?.filter(|f| f.removed.is_none());
        let Some(file) = file else {
            return refuse(ErrorCode::Conflict, format!("the deletion vector {} is for a file that is not live", vector.path));
        };
        check_object(tx, table, &vector.path)?;
        let old = end_vector(tx, table.id, bucket, vector.data_file)?;
        let (version, rows, path) = old.map_or((0, 0, String::new()), |o| (o.vector.version, o.vector.cardinality, o.vector.path));
        if vector.version <= version || vector.path == path || vector.cardinality < rows || vector.cardinality > file.file.rows {
            return refuse(
                ErrorCode::Conflict,
                format!("the deletion vector {} does not follow version {version} with {rows} rows; read the state again", vector.path),
            );
        }
        moved -= i128::from(vector.cardinality - rows);
        let entry = DeletionVectorEntry { vector: vector.clone(), added: tx.version, removed: None };
        tx.put::<DeletionVectors>(&(table.id, bucket, vector.data_file, vector.version), &entry)?;
    }
    for file in &delta.removed {
        let entry = remove_file(tx, table, bucket, *file)?;
        let vector = end_vector(tx, table.id, bucket, *file)?;
        moved -= i128::from(entry.file.rows) - vector.map_or(0, |v| i128::from(v.vector.cardinality));
    }
    for run in &delta.index_added {
        check_object(tx, table, &run.path)?;
        if tx.get::<IndexRuns>(&(table.id, bucket, run.id))?.is_some() {
            return refuse(ErrorCode::Conflict, format!("index run {} is in the table already", run.path));
        }
        tx.put::<IndexRuns>(&(table.id, bucket, run.id), &IndexRunEntry { run: run.clone(), added: tx.version })?;
    }
    for id in &delta.index_removed {
        let key = (table.id, bucket, *id);
        let entry = tx.need::<IndexRuns>(&key, || format!("index run {id}"))?;
        tx.remove::<IndexRuns>(&key);
        drop_object(tx, table.id, bucket, *id, &entry.run.path)?;
    }
    Ok(moved)
}

/// Ends a file's deletion vector, if it has one, and answers it.
fn end_vector(tx: &mut Tx<'_>, table: TableId, bucket: u32, file: FileId) -> Result<Option<DeletionVectorEntry>, ApplyError> {
    let current = current_vector(tx, table, bucket, file)?;
    if let Some(mut old) = current.clone() {
        old.removed = Some(tx.version);
        tx.put::<DeletionVectors>(&(table, bucket, file, old.vector.version), &old)?;
        // Vectors have no id of their own: the version, mixed into the data file's id, names the object.
        let id = FileId(uuid::Uuid::new_v5(&file.0, &old.vector.version.to_be_bytes()));
        let dropped = DroppedFile { path: old.vector.path, table, bucket, vector: Some((file, old.vector.version)) };
        tx.put::<Dropped>(&(tx.now as u64, id), &dropped)?;
    }
    Ok(current)
}

pub(super) fn add_changes(tx: &mut Tx<'_>, table: &Table, delta: &SilverDelta, to: CommitSeq) -> Result<(), ApplyError> {
    if delta.changes.is_empty() {
        return Ok(());
    }
    let Some(id) = table.changes else {
        return refuse(ErrorCode::InvalidArgument, format!("table {} has no change table", table.name));
    };
    let mut changes = table_by_id(tx, id)?;
    for file in &delta.changes {
        add_file(tx, &mut changes, 0, file, FileRange::Watermark(to))?;
    }
    touch(tx, changes)
}

/// Books a Bronze commit's outcomes in its run's ledger.
fn book(tx: &mut Tx<'_>, table: &Table, seq: CommitSeq, outcomes: &OutcomeCounts) -> Result<(), ApplyError> {
    let commit = tx.need::<BronzeCommits>(&seq, || format!("Bronze commit {seq}"))?;
    let key = (commit.tenant_id, commit.run);
    let mut run = tx.need::<Runs>(&key, || format!("run {}", commit.run))?;
    run.ledger.entry(table.subject.clone()).or_default().outcomes.add(outcomes);
    tx.put::<Runs>(&key, &run)?;
    Ok(())
}
