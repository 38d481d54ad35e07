//! Is a Silver table what its Bronze commits make of it: every commit is read and checked again with
//! its own pack version, merged into a scratch table by the same merge, and compared row by row.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;

use lakewright_proto::{CommitSeq, NodeId, ShardEpoch, TableId};
use lakewright_storage::catalog::keyspace::{BronzeCommits, SilverCommits};
use lakewright_storage::catalog::records::{BronzeCommit, SilverCommit, Table};
use lakewright_storage::catalog::Read as _;
use lakewright_storage::keyindex::BlockCache;
use lakewright_storage::object::Store;
use lakewright_storage::silver::compare::{compare, Comparison, Side};
use lakewright_storage::silver::rebuild::{Rebuild, Scratch};
use lakewright_storage::silver::{MergeBatch, SilverContext};
use lakewright_storage::table::{BucketState, OutcomeCounts};
use tokio::sync::watch;

use crate::error::WorkError;
use crate::rebuild::{is_of, read};
use crate::recover::from_bronze_by;
use crate::services::Services;
use crate::silver_context::silver_context;

/// Commits read from the catalog at a time.
const PAGE: usize = 64;
/// Index blocks of the scratch table in memory: a cache of its own, so that merges keep theirs.
const BLOCKS: usize = 16 << 20;

/// How far a verification is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// The last Bronze commit that was merged again.
    pub commit: CommitSeq,
    /// The last one that will be.
    pub watermark: CommitSeq,
    /// Records merged again.
    pub records: u64,
    /// Rows compared, those of both tables.
    pub compared: u64,
    /// Rows to compare; 0 while it is not known.
    pub to_compare: u64,
}

/// What a verification found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The commit up to which the table was taken.
    pub watermark: CommitSeq,
    /// Bronze commits merged again.
    pub commits: u64,
    /// Records that they hold for the table.
    pub records: u64,
    /// What differs.
    pub comparison: Comparison,
}

/// A table as it is at one moment; what it names stays for a day after it is replaced.
struct Pinned {
    table: Table,
    state: BucketState,
    looked_up: BTreeMap<TableId, u64>,
}

/// Verifies a table. `tell` gets the progress; when nobody listens any more, or the node stops, the
/// work ends early as `Superseded`. The scratch table is gone in either case.
pub async fn verify_from_bronze(services: &Arc<Services>, table: TableId, tell: &watch::Sender<Progress>) -> Result<Report, WorkError> {
    let scratch = Scratch::new(&services.store, services.node);
    let outcome = tokio::select! {
        outcome = Box::pin(rebuild_and_compare(services, table, &scratch, tell)) => outcome,
        () = services.stop_merging.cancelled() => Err(WorkError::Superseded("the node stops".into())),
        () = tell.closed() => Err(WorkError::Superseded("nobody waits for the answer any more".into())),
    };
    if let Err(e) = scratch.clear().await {
        tracing::warn!(error = %e, "a scratch table could not be deleted; the next start tries again");
    }
    outcome
}

/// Deletes what verifications of this node have left behind. For the start, before any begins.
pub async fn clear_left_behind(store: &Store, node: NodeId) {
    match Scratch::left_behind(store, node).clear().await {
        Ok(0) => {}
        Ok(objects) => tracing::info!(objects, "scratch tables of an earlier process were deleted"),
        Err(e) => tracing::warn!(error = %e, "scratch tables of an earlier process could not be deleted"),
    }
}

async fn rebuild_and_compare(
    services: &Arc<Services>,
    table: TableId,
    scratch: &Scratch,
    tell: &watch::Sender<Progress>,
) -> Result<Report, WorkError> {
    let (pinned, live) = loop {
        let pinned = pin(services, table)?;
        let live = silver_context(services, &pinned.table, 0, pinned.state.epoch)?;
        // What is looked up is compared where rows and other tables are of one state.
        if services.catalog.view().looked_up(table, 0)? == pinned.looked_up {
            break (pinned, live);
        }
    };
    let again = SilverContext { store: scratch.store()?, blocks: Arc::new(BlockCache::new(BLOCKS)), epoch: ShardEpoch(0), ..live.clone() };
    let watermark = pinned.state.watermark;
    let mut report = Report { watermark, ..Report::default() };
    let mut rebuild = Rebuild::new(again.clone());
    let mut from = CommitSeq(0);
    loop {
        let (page, next) = commits(services, &pinned.table, from, watermark)?;
        for commit in page {
            report.commits += 1;
            report.records += merge_again(services, &pinned.table, &commit, &mut rebuild).await?;
            tell.send_replace(Progress { commit: commit.seq, watermark, records: report.records, ..Progress::default() });
        }
        match next {
            Some(next) => from = next,
            None => break,
        }
    }
    let (state, outcomes) = rebuild.finish().await?;
    let read = AtomicU64::new(0);
    let base = Progress {
        commit: watermark,
        watermark,
        records: report.records,
        compared: 0,
        to_compare: pinned.state.live_rows + state.live_rows,
    };
    let on_read = |rows: u64| {
        let compared = read.fetch_add(rows, Ordering::Relaxed) + rows;
        tell.send_replace(Progress { compared, ..base });
    };
    let (ours, theirs) = (Side { context: &live, state: &pinned.state }, Side { context: &again, state: &state });
    report.comparison = compare(ours, theirs, &on_read).await?;
    compare_outcomes(services, &pinned, &outcomes, &mut report.comparison)?;
    Ok(report)
}

fn pin(services: &Services, table: TableId) -> Result<Pinned, WorkError> {
    // Read before the rows: what is looked up meanwhile is seen as another position later.
    let looked_up = services.catalog.view().looked_up(table, 0)?;
    let (table, state) = read(services, table)?;
    Ok(Pinned { table, state, looked_up })
}

/// Commits for the table from `from` up to the watermark: some of them, and where to go on.
fn commits(
    services: &Services,
    table: &Table,
    from: CommitSeq,
    watermark: CommitSeq,
) -> Result<(Vec<BronzeCommit>, Option<CommitSeq>), WorkError> {
    let found = services.catalog.view().between::<BronzeCommits>(&from, &watermark, PAGE)?;
    let next = found.last().filter(|_| found.len() == PAGE).map(|(seq, _)| CommitSeq(seq.0 + 1));
    Ok((found.into_iter().map(|(_, c)| c).filter(|c| feeds(c, table)).collect(), next))
}

/// The pack version by which a table was made again from this commit, if it was.
fn remade<'a>(commit: &BronzeCommit, table: &'a Table) -> Option<&'a str> {
    table.rebuilt.as_ref().filter(|r| commit.seq <= r.upto).map(|r| r.pack.as_str())
}

/// Whether a table is made of this commit.
fn feeds(commit: &BronzeCommit, table: &Table) -> bool {
    match remade(commit, table) {
        Some(_) => is_of(commit, table),
        None => commit.feeds.contains(&table.id),
    }
}

/// Merges one commit again; answers how many records it has for the table.
async fn merge_again(services: &Services, table: &Table, commit: &BronzeCommit, rebuild: &mut Rebuild) -> Result<u64, WorkError> {
    let pack = remade(commit, table).unwrap_or(&commit.pack);
    let batches: Vec<MergeBatch> = from_bronze_by(services, commit, table.id, pack).await?.into_iter().map(MergeBatch::from).collect();
    let records = batches.iter().map(|b| b.rows.num_rows() as u64).sum();
    rebuild.apply(commit.seq, batches).await?;
    Ok(records)
}

/// Compares the outcomes that each Silver commit booked with those of the same Bronze commits now.
fn compare_outcomes(
    services: &Services,
    pinned: &Pinned,
    outcomes: &[(CommitSeq, OutcomeCounts)],
    out: &mut Comparison,
) -> Result<(), WorkError> {
    let (table, bucket, watermark) = (pinned.table.id, pinned.state.bucket, pinned.state.watermark);
    // A table begins at the commit that the cluster was at when it was made.
    let mut reached = None;
    // What was booked before the table was made again is of another table.
    let base = pinned.table.rebuilt.as_ref().map_or(CommitSeq(0), |r| r.upto);
    let mut at = outcomes.partition_point(|(seq, _)| *seq <= base);
    let mut from = CommitSeq(base.0 + 1);
    loop {
        let page = services.catalog.view().between::<SilverCommits>(&(table, bucket, from), &(table, bucket, watermark), PAGE)?;
        let Some(((.., last), _)) = page.last() else { break };
        from = CommitSeq(last.0 + 1);
        for (_, commit) in page {
            let end = outcomes.partition_point(|(seq, _)| *seq <= commit.to);
            let mut now = OutcomeCounts::default();
            outcomes[at.min(end)..end].iter().for_each(|(_, o)| now.add(o));
            if reached.is_some_and(|r| r != commit.from) || now != commit.outcomes {
                out.fault(outcome_fault(&commit, &now));
            }
            (at, reached) = (end, Some(commit.to));
        }
    }
    if let Some(reached) = reached.filter(|r| *r != watermark) {
        out.fault(format!("the table is merged up to commit {watermark}, and its Silver commits end at {reached}"));
    }
    Ok(())
}

fn outcome_fault(commit: &SilverCommit, now: &OutcomeCounts) -> String {
    let said = |o: &OutcomeCounts| {
        format!("{} inserted, {} updated, {} deleted, {} unchanged, {} stale", o.inserted, o.updated, o.deleted, o.unchanged, o.stale)
    };
    format!("the merge of commits {} to {} booked {}; Bronze gives {}", commit.from, commit.to, said(&commit.outcomes), said(now))
}

#[cfg(test)]
#[path = "verify_tests.rs"]
mod tests;
