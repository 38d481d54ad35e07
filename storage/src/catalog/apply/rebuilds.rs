//! Tables made again from Bronze: asked for, and swapped in under the bucket's epoch.

use lakewright_proto::{CommitSeq, ErrorCode, TableId, TenantId};

use super::super::command::{CommitRebuild, Reply, TableSpec};
use super::super::keyspace::*;
use super::super::records::*;
use super::super::tx::{refuse, ApplyError, Tx};
use super::super::view::Read as _;
use super::silver::{add_changes, apply_delta, fence};
use super::tables::{table_by_id, touch};
use crate::table::SilverDelta;

/// Queued commits that are looked at for an earlier pack version: readers take up another one at their next batch.
const LOOK: usize = 64;

pub(super) fn request(tx: &mut Tx<'_>, tenant: TenantId, table: TableId, reason: &str) -> Result<Reply, ApplyError> {
    let mut table = table_by_id(tx, table)?;
    let Some(pack) = table.pack.clone().filter(|_| table.buckets > 0 && table.tenant_id == tenant) else {
        return refuse(ErrorCode::InvalidArgument, format!("{}.{} is not made from Bronze by a pack", table.layer, table.name));
    };
    table.rebuild = Some(RebuildWanted { pack, reason: reason.to_owned(), requested_at: tx.now });
    tx.put::<Tables>(&(table.tenant_id, table.layer, table.name.clone()), &table)?;
    Ok(Reply::Done)
}

/// A table whose pack says that its rows are to be made again. What was wanted before is made by the pack of now.
pub(super) fn want(table: &mut Table, spec: &TableSpec, now: i64) {
    let Some(pack) = table.pack.clone() else { return };
    if let Some(wanted) = &mut table.rebuild {
        wanted.pack.clone_from(&pack);
    }
    if let Some(reason) = &spec.rebuild {
        table.rebuild = Some(RebuildWanted { pack, reason: reason.clone(), requested_at: now });
    }
}

/// Records of an earlier pack version that come to a table which was made again by the one of now: a reader was
/// still at them when the version was pinned. Then it is made once more.
pub(super) fn late(tx: &mut Tx<'_>, table: &Table, pack: &str) -> Result<(), ApplyError> {
    let is_late =
        table.rebuild.is_none() && table.rebuilt.as_ref().is_some_and(|r| r.pack != pack && table.pack.as_deref() == Some(r.pack.as_str()));
    if is_late {
        let table = Table { rebuild: table.pack.clone().map(|pack| once_more(pack, tx.now)), ..table.clone() };
        tx.put::<Tables>(&(table.tenant_id, table.layer, table.name.clone()), &table)?;
    }
    Ok(())
}

fn once_more(pack: String, now: i64) -> RebuildWanted {
    RebuildWanted { pack, reason: "records were checked by an earlier pack version meanwhile".to_owned(), requested_at: now }
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
    let queue = tx.between::<Queue>(&(c.table, CommitSeq(c.watermark.0 + 1)), &(c.table, CommitSeq(u64::MAX)), LOOK)?;
    for ((_, seq), ()) in queue {
        let commit = tx.need::<BronzeCommits>(&seq, || format!("Bronze commit {seq}"))?;
        if commit.pack != wanted.pack {
            table.rebuild = Some(once_more(wanted.pack.clone(), tx.now));
        }
    }
    // What it looked up is of the time when it was made.
    state.looked_up.clear();
    table.rows = c.made.live_rows;
    table.rebuilt = Some(Rebuilt { pack: wanted.pack, upto: c.watermark, live_rows: c.made.live_rows, at: tx.now });
    tx.put::<Buckets>(&key, &state)?;
    touch(tx, table)?;
    Ok(Reply::Silver(tx.version))
}
