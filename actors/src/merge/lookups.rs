//! Rows of a bucket that a change of another table concerns, written anew by the bucket's owner
//! between two merges, under the same epoch.

use std::sync::Arc;

use arrow_array::RecordBatch;
use futures::TryStreamExt as _;
use lakewright_proto::{ShardEpoch, TableId};
use lakewright_storage::catalog::command::{Command, CommitLookups};
use lakewright_storage::catalog::records::{FileEntry, Table};
use lakewright_storage::catalog::{manifests, LookupSource};
use lakewright_storage::crash;
use lakewright_storage::silver::{all_rows, MergeSession};
use lakewright_storage::table::{BucketState, SilverDelta};

use crate::error::WorkError;
use crate::services::Services;
use crate::silver_context::silver_context;

/// Changed rows of another table that one commit follows, at least one file of them.
const ROWS: u64 = 100_000;

/// Looks up again what changes of other tables concern; answers whether anything was due.
pub(super) async fn look_up_if_due(services: &Arc<Services>, table: TableId, bucket: u32, epoch: ShardEpoch) -> Result<bool, WorkError> {
    let (version, record, due) = {
        let view = services.catalog.view();
        let record = view.table(table)?;
        let mut due = view.lookup_sources(&record, bucket)?;
        due.retain(LookupSource::has_changed);
        (view.version()?, record, due)
    };
    for source in &due {
        follow(services, &record, bucket, epoch, source, version).await?;
    }
    Ok(!due.is_empty())
}

/// Follows all changes of one table up to a catalog version.
async fn follow(
    services: &Arc<Services>,
    record: &Table,
    bucket: u32,
    epoch: ShardEpoch,
    source: &LookupSource,
    version: u64,
) -> Result<(), WorkError> {
    let files = changed_files(services, source, version).await?;
    let mut rest = files.as_slice();
    loop {
        let (now, later) = rest.split_at(next_files(rest));
        let state: BucketState = services.catalog.view().bucket_state(record.id, bucket)?;
        if state.epoch != epoch {
            return Err(WorkError::Superseded(format!("bucket {bucket} of {} has another owner", record.name)));
        }
        let watermark = state.watermark;
        let context = silver_context(services, record, bucket, epoch)?;
        let columns = join_columns(&context, &source.table.name);
        let mut session = MergeSession::open(context, state).await?;
        let mut changed: Vec<RecordBatch> = Vec::new();
        for entry in now {
            let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
            let batches = all_rows(&services.store, &entry.file, &columns).await?;
            changed.extend(batches.try_collect::<Vec<_>>().await?);
        }
        let (written, whole) = session.refresh(&source.table.name, &changed).await?;
        let delta = if written > 0 { session.finish().await? } else { SilverDelta::default() };
        crash::point("silver.lookups.before");
        let is_end = whole && later.is_empty();
        let sources = if is_end { vec![(source.table.id, version)] } else { Vec::new() };
        let command = CommitLookups { table: record.id, bucket, epoch, watermark, sources, delta };
        if written > 0 || is_end {
            services.catalog.propose("node", Command::CommitLookups(command)).await?;
        }
        tracing::debug!(table = record.name, source = source.table.name, rows = written, "looked up anew");
        if is_end {
            return Ok(());
        }
        // Rows that were written hold what they look up: the same files again come to the others.
        if whole {
            rest = later;
        }
    }
}

/// How many files are followed next.
fn next_files(files: &[FileEntry]) -> usize {
    let mut rows = 0;
    let within = files.iter().take_while(|f| {
        let before = rows;
        rows += f.file.rows;
        before < ROWS
    });
    within.count()
}

/// The columns of a table that lookups compare.
fn join_columns(context: &lakewright_storage::silver::SilverContext, source: &str) -> Vec<String> {
    context.lookups.as_ref().map(|l| l.joins(source)).unwrap_or_default()
}

/// Change files of a table that were added after what was followed and up to a version, in order.
async fn changed_files(services: &Arc<Services>, source: &LookupSource, version: u64) -> Result<Vec<FileEntry>, WorkError> {
    let (mut files, folded) = services.catalog.view().files_after(source.changes.id, source.since)?;
    for manifest in folded {
        let entries = manifests::load(services.store.inner().as_ref(), &manifest).await?;
        files.extend(entries.into_iter().filter(|f| f.added > source.since && f.removed.is_none()));
    }
    files.retain(|f| f.added <= version);
    files.sort_by_key(|f| (f.added, f.file.id));
    Ok(files)
}
