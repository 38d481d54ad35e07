//! One table made again: every Bronze commit of its streams is checked by the pack's version of now and merged into
//! files that nobody sees; the last of it while no merge goes on, and one command swaps them in. What a crash leaves
//! behind was named by no commit, and is swept as such.

use std::sync::Arc;

use lakewright_proto::{CommitSeq, TableId};
use lakewright_storage::catalog::command::{Command, CommitRebuild};
use lakewright_storage::catalog::keyspace::BronzeCommits;
use lakewright_storage::catalog::records::{BronzeCommit, RebuildWanted, Table};
use lakewright_storage::catalog::Read as _;
use lakewright_storage::crash;
use lakewright_storage::silver::compare::Side;
use lakewright_storage::silver::rebuild::{Rebuild, Scratch};
use lakewright_storage::silver::swap::write_differences;
use lakewright_storage::silver::{MergeBatch, SilverContext};
use lakewright_storage::table::BucketState;

use super::Progress;
use crate::error::WorkError;
use crate::recover::from_bronze_by;
use crate::services::Services;
use crate::silver_context::silver_context;

/// Commits read from the catalog at a time.
const PAGE: usize = 64;
/// With so few commits left the table is held for them.
const LITTLE: usize = 16;

struct Job<'a> {
    services: &'a Arc<Services>,
    table: Table,
    wanted: RebuildWanted,
    rebuild: Rebuild,
    progress: Progress,
}

/// Makes a table again and swaps it in.
pub(super) async fn rebuild(services: &Arc<Services>, table: TableId) -> Result<(), WorkError> {
    let (record, state) = read(services, table)?;
    let Some(wanted) = record.rebuild.clone() else { return Ok(()) };
    tracing::info!(table = record.name, reason = wanted.reason, pack = wanted.pack, "making a table again from Bronze");
    let context = silver_context(services, &record, state.bucket, state.epoch)?;
    let rebuild = Rebuild::new(context.clone());
    let mut job = Job { services, table: record, wanted, rebuild, progress: Progress::default() };
    while job.follow(read(services, table)?.1.watermark).await? > LITTLE {}
    // From here on no merge moves the table.
    let held = services.rebuilds.hold(table).await;
    let (record, state) = read(services, table)?;
    if record.rebuild.as_ref() != Some(&job.wanted) || record.schema_ipc != job.table.schema_ipc {
        return Err(WorkError::Superseded(format!("the pack of {} has changed meanwhile", record.name)));
    }
    job.follow(state.watermark).await?;
    let (records, wanted) = (job.progress.records, job.wanted);
    let (mut made, _) = job.rebuild.finish().await?;
    made.watermark = state.watermark;
    let scratch = Scratch::new(&services.store, services.node);
    let outcome = swap(services, &record, &wanted, &context, (&state, &made), &scratch).await;
    if let Err(e) = scratch.clear().await {
        tracing::warn!(error = %e, "what was sorted could not be deleted; the next start tries again");
    }
    outcome?;
    drop(held);
    tracing::info!(table = record.name, records, rows = made.live_rows, "made a table again");
    Ok(())
}

/// A table with its only bucket.
pub(crate) fn read(services: &Services, table: TableId) -> Result<(Table, BucketState), WorkError> {
    let view = services.catalog.view();
    let table = view.table(table)?;
    if table.buckets != 1 {
        let why = format!("{} has {} buckets, and only a table of one can be made again from Bronze", table.name, table.buckets);
        return Err(WorkError::Broken(why));
    }
    let state = view.bucket_state(table.id, 0)?;
    Ok((table, state))
}

impl Job<'_> {
    /// Merges all commits up to the watermark; answers how many that were.
    async fn follow(&mut self, watermark: CommitSeq) -> Result<usize, WorkError> {
        let mut taken = 0;
        loop {
            let from = CommitSeq(self.progress.commit.0 + 1);
            if from > watermark {
                return Ok(taken);
            }
            let page = self.services.catalog.view().between::<BronzeCommits>(&from, &watermark, PAGE)?;
            let is_last = page.len() < PAGE;
            for (seq, commit) in page {
                if is_of(&commit, &self.table) {
                    self.take(&commit).await?;
                    taken += 1;
                }
                self.progress = Progress { commit: seq, watermark, ..self.progress };
                self.services.rebuilds.tell(self.table.id, Some(self.progress));
            }
            if is_last {
                self.progress.commit = watermark;
                return Ok(taken);
            }
            crash::point("rebuild.page");
        }
    }

    async fn take(&mut self, commit: &BronzeCommit) -> Result<(), WorkError> {
        let batches: Vec<MergeBatch> =
            from_bronze_by(self.services, commit, self.table.id, &self.wanted.pack).await?.into_iter().map(MergeBatch::from).collect();
        self.progress.records += batches.iter().map(|b| b.rows.num_rows() as u64).sum::<u64>();
        Ok(self.rebuild.apply(commit.seq, batches).await?)
    }
}

/// Whether a commit may hold records of a table, whatever its own pack version made of them.
pub(crate) fn is_of(commit: &BronzeCommit, table: &Table) -> bool {
    commit.tenant_id == table.tenant_id && table.streams.contains(&commit.stream)
}

async fn swap(
    services: &Arc<Services>,
    table: &Table,
    wanted: &RebuildWanted,
    context: &SilverContext,
    (live, made): (&BucketState, &BucketState),
    scratch: &Scratch,
) -> Result<(), WorkError> {
    let sorting = SilverContext { store: scratch.store()?, ..context.clone() };
    let sides = (Side { context, state: live }, Side { context, state: made });
    let (differences, changes) = write_differences(sides.0, sides.1, &sorting).await?;
    crash::point("rebuild.swap.before");
    let command = CommitRebuild {
        table: table.id,
        bucket: live.bucket,
        epoch: live.epoch,
        watermark: live.watermark,
        version: table.version,
        pack: wanted.pack.clone(),
        made: made.clone(),
        changes,
    };
    services.catalog.propose("node", Command::CommitRebuild(command)).await?;
    crash::point("rebuild.swap.after");
    tracing::info!(
        table = table.name,
        inserted = differences.inserted,
        updated = differences.updated,
        deleted = differences.deleted,
        "swapped in"
    );
    Ok(())
}
