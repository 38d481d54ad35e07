//! Rows with what they look up now: replaced one for one under the bucket's epoch, the watermark stays.

use lakewright_proto::ErrorCode;

use super::super::command::{CommitLookups, Reply, TableSpec};
use super::super::keyspace::*;
use super::super::records::*;
use super::super::tx::{refuse, ApplyError, Tx};
use super::silver::{add_changes, apply_delta, fence};
use super::tables::{table_by_id, touch};

pub(super) fn commit(tx: &mut Tx<'_>, c: &CommitLookups) -> Result<Reply, ApplyError> {
    let mut table = table_by_id(tx, c.table)?;
    let key = (c.table, c.bucket);
    let mut state = tx.need::<Buckets>(&key, || format!("bucket {} of table {}", c.bucket, table.name))?;
    fence(&state, &table, c.bucket, c.epoch)?;
    if state.watermark != c.watermark {
        let why = format!("the watermark of {} is {}, not {}; read the state again", table.name, state.watermark, c.watermark);
        return refuse(ErrorCode::Conflict, why);
    }
    if !c.delta.outcomes.is_empty() || !c.delta.removed.is_empty() {
        return refuse(ErrorCode::InvalidArgument, "rows that are looked up anew are no records, and no file goes with them");
    }
    let mut sources = Vec::with_capacity(c.sources.len());
    for (source, version) in &c.sources {
        let from = state.looked_up.get(source).copied().unwrap_or_default();
        if *version < from || *version >= tx.version {
            return refuse(ErrorCode::Conflict, format!("{} has looked up {source} to version {from}, not {version}", table.name));
        }
        state.looked_up.insert(*source, *version);
        sources.push((*source, from, *version));
    }
    let rows = table.rows;
    let moved = apply_delta(tx, &mut table, c.bucket, &c.delta, c.watermark)?;
    if moved != 0 {
        return refuse(ErrorCode::InvalidArgument, format!("looking up would change the live rows of {} by {moved}", table.name));
    }
    table.rows = rows;
    add_changes(tx, &table, &c.delta, c.watermark)?;
    tx.put::<Buckets>(&key, &state)?;
    let commit = LookupCommit {
        sources,
        watermark: c.watermark,
        added: c.delta.added.iter().map(|f| f.id).collect(),
        changes: c.delta.changes.iter().map(|f| f.id).collect(),
        rows: c.delta.added.iter().map(|f| f.rows).sum(),
        committed_at: tx.now,
    };
    if !c.delta.added.is_empty() {
        tx.put::<LookupCommits>(&(c.table, c.bucket, tx.version), &commit)?;
        touch(tx, table)?;
    }
    Ok(Reply::Silver(tx.version))
}

/// A table's lookups as its pack has them now; under another definition all rows are looked up anew.
pub(super) fn redefine(tx: &mut Tx<'_>, table: &mut Table, spec: &TableSpec) -> Result<(), ApplyError> {
    if table.lookups == spec.lookups {
        return Ok(());
    }
    table.lookups.clone_from(&spec.lookups);
    for bucket in 0..table.buckets {
        let key = (table.id, bucket);
        let mut state = tx.need::<Buckets>(&key, || format!("bucket {bucket} of table {}", table.name))?;
        state.looked_up.clear();
        tx.put::<Buckets>(&key, &state)?;
    }
    Ok(())
}
