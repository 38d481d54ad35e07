//! Tables made again from Bronze: asked for, and swapped in under the bucket's epoch.

use lakewright_proto::{ErrorCode, TableId, TenantId};

use super::super::command::{CommitRebuild, Reply, TableSpec};
use super::super::keyspace::*;
use super::super::records::*;
use super::super::tx::{refuse, ApplyError, Tx};
use super::super::view::Read as _;
use super::silver::{add_changes, apply_delta, fence};
use super::tables::{table_by_id, touch};
use crate::table::SilverDelta;

pub(super) fn request(tx: &mut Tx<'_>, tenant: TenantId, table: TableId, reason: &str) -> Result<Reply, ApplyError> {
    let mut table = table_by_id(tx, table)?;
    let Some(pack) = table.pack.clone().filter(|_| table.buckets > 0 && table.tenant_id == tenant) else {
        return refuse(ErrorCode::InvalidArgument, format!("{}.{} is not made from Bronze by a pack", table.layer, table.name));
    };
    table.rebuild = Some(RebuildWanted { pack, reason: reason.to_owned(), requested_at: tx.now });
    tx.put::<Tables>(&(table.tenant_id, table.layer, table.name.clone()), &table)?;
    Ok(Reply::Done)
}

/// A table whose pack says that its rows are to be made again; one that never had a record needs nothing.
pub(super) fn want(table: &mut Table, spec: &TableSpec, now: i64) {
    if let (Some(reason), Some(pack)) = (&spec.rebuild, &table.pack) {
        table.rebuild = Some(RebuildWanted { pack: pack.clone(), reason: reason.clone(), requested_at: now });
    }
}

pub(super) fn commit(tx: &mut Tx<'_>, c: &CommitRebuild) -> Result<Reply, ApplyError> {
    let mut table = table_by_id(tx, c.table)?;
    let key = (c.table, c.bucket);
    let mut state = tx.need::<Buckets>(&key, || format!("bucket {} of table {}", c.bucket, table.name))?;
    fence(&state, &table, c.bucket, c.epoch)?;
    if state.watermark != c.watermark || table.version != c.version || table.buckets != 1 {
        let why = format!(
            "{} is at watermark {} and version {}, and what was made takes the place of {} and {}; make it up to there",
            table.name, state.watermark, table.version, c.watermark, c.version
        );
        return refuse(ErrorCode::Conflict, why);
    }
    let Some(wanted) = table.rebuild.take().filter(|w| w.pack == c.pack) else {
        return refuse(ErrorCode::Conflict, format!("{} is not to be made again by pack {} any more", table.name, c.pack));
    };
    if c.made.watermark != c.watermark {
        return refuse(ErrorCode::InvalidArgument, format!("what was made of {} ends at commit {}", table.name, c.made.watermark));
    }
    let live = tx.scan::<Files>(&key)?.into_iter().filter(|(_, f)| f.removed.is_none()).map(|((.., id), _)| id).collect();
    let runs = tx.scan::<IndexRuns>(&key)?.into_iter().map(|((.., id), _)| id).collect();
    let delta = SilverDelta {
        added: c.made.files.clone(),
        removed: live,
        deletion_vectors: c.made.deletion_vectors.clone(),
        index_added: c.made.index.clone(),
        index_removed: runs,
        changes: c.changes.clone(),
        outcomes: Vec::new(),
    };
    let moved = apply_delta(tx, &mut table, c.bucket, &delta, c.watermark)?;
    if i128::from(state.live_rows) + moved != i128::from(c.made.live_rows) {
        let why = format!("what was made of {} counts {} live rows, and its files hold others", table.name, c.made.live_rows);
        return refuse(ErrorCode::InvalidArgument, why);
    }
    add_changes(tx, &table, &delta, c.watermark)?;
    state.live_rows = c.made.live_rows;
    // What it looked up is of the time when it was made.
    state.looked_up.clear();
    table.rows = c.made.live_rows;
    table.rebuilt = Some(Rebuilt { pack: wanted.pack, upto: c.watermark, live_rows: c.made.live_rows, at: tx.now });
    tx.put::<Buckets>(&key, &state)?;
    touch(tx, table)?;
    Ok(Reply::Silver(tx.version))
}
