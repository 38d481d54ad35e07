//! Makes one Bronze file of many small ones. Every record keeps its bytes and its address; readers
//! of an earlier version keep the old files until nobody can need them.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::RecordBatch;
use futures::TryStreamExt as _;
use lakewright_proto::{ErrorCode, FileId};
use lakewright_storage::catalog::command::{Command, ReplaceBronze};
use lakewright_storage::catalog::keyspace::Shards;
use lakewright_storage::catalog::records::{Shard, Table};
use lakewright_storage::catalog::{repack_due, ProposeError, Read as _, RepackPlan};
use lakewright_storage::parquet::{FileReader, FileWriter, Footer, Owner, Profile, Span};
use lakewright_storage::paths::Key;
use lakewright_storage::table::{schemas, DataFile};

use crate::error::WorkError;
use crate::metrics;
use crate::services::Services;

/// Files made in one round.
const ROUND: usize = 16;

/// One round; answers how many files were replaced.
pub async fn repack_once(services: &Arc<Services>, now: i64) -> Result<u64, WorkError> {
    let reader = Arc::clone(services);
    let due = tokio::task::spawn_blocking(move || repack_due(&reader.catalog.view(), now, ROUND));
    let due = due.await.map_err(|e| WorkError::Restart(format!("reading the catalog failed: {e}")))??;
    let mut replaced = 0;
    for plan in due {
        if services.stop_fetching.is_cancelled() {
            break;
        }
        // One stretch that cannot be read does not keep the others from theirs.
        match repack_files(services, &plan).await {
            Ok(n) => replaced += n,
            Err(e) => {
                tracing::warn!(table = %plan.table, shard = %plan.shard, first = plan.first, error = %e, "files of Bronze stay as they are")
            }
        }
    }
    Ok(replaced)
}

/// The file first, then the command that puts it in the place of its inputs: a crash between leaves
/// a file that nobody names, for the orphan sweep.
async fn repack_files(services: &Services, plan: &RepackPlan) -> Result<u64, WorkError> {
    let (table, shard) = {
        let view = services.catalog.view();
        let shard = view.get::<Shards>(&plan.shard)?;
        (view.table(plan.table)?, shard.ok_or_else(|| WorkError::Restart(format!("shard {} is not in the catalog", plan.shard)))?)
    };
    let output = write(services, &table, &shard, plan).await?;
    let inputs: Vec<FileId> = plan.inputs.iter().map(|e| e.file.id).collect();
    let count = inputs.len() as u64;
    let command = Command::ReplaceBronze(ReplaceBronze { table: plan.table, inputs, output });
    match services.catalog.propose("node", command).await {
        Ok(_) => {
            metrics::repacked(services, &table, count);
            Ok(count)
        }
        // An input was folded or replaced meanwhile: the next round reads the state again.
        Err(ProposeError::NotDone(e)) if e.code == ErrorCode::Conflict => Ok(0),
        Err(e) => Err(e.into()),
    }
}

async fn write(services: &Services, table: &Table, shard: &Shard, plan: &RepackPlan) -> Result<DataFile, WorkError> {
    let file = FileId::generate();
    let first = plan.inputs.first().map(|e| e.file.path.as_str()).unwrap_or_default();
    let Key::Bronze { tenant, source, day, .. } = first.parse::<Key>()? else {
        return Err(WorkError::Broken(format!("{first} is no Bronze file")));
    };
    let key = Key::Bronze { tenant, source, day, file };
    let mut writer = FileWriter::start(&services.store, key, &schemas::bronze(), &Profile::Bronze)?;
    let mut footers: Vec<Footer> = Vec::with_capacity(plan.inputs.len());
    let mut next = plan.first;
    for entry in &plan.inputs {
        let reader = FileReader::open(&services.store, &entry.file.path, entry.file.size).await?;
        footers.push(reader.footer()?);
        let mut rows = reader.stream(None)?;
        while let Some(batch) = rows.try_next().await? {
            next = follow(&batch, shard, next, &entry.file.path)?;
            writer.write(batch).await?;
        }
        if reader.rows() != entry.file.rows {
            return Err(WorkError::Broken(format!("{} has {} rows and not {}", entry.file.path, reader.rows(), entry.file.rows)));
        }
    }
    let span = Span::Offsets { first: plan.first, end: next };
    let label = services.footer(table.tenant_id, table.id, file, Owner::Shard(shard.id), shard.epoch, span);
    Ok(writer.finish(&joined(label, &footers)).await?)
}

/// The label of all of them: what they have in common, and the positions at both ends.
fn joined(label: Footer, inputs: &[Footer]) -> Footer {
    fn common<T: Clone + PartialEq>(mut all: impl Iterator<Item = Option<T>>) -> Option<T> {
        let first = all.next()??;
        all.all(|other| other.as_ref() == Some(&first)).then_some(first)
    }
    Footer {
        previous: inputs.first().and_then(|f| f.previous.clone()),
        next: inputs.last().and_then(|f| f.next.clone()),
        run: common(inputs.iter().map(|f| f.run)),
        pack: common(inputs.iter().map(|f| f.pack.clone())),
        ..label
    }
}

/// Checks that the rows are the shard's next ones; answers the offset after them. A file that holds
/// other rows than the catalog says is left alone.
fn follow(batch: &RecordBatch, shard: &Shard, next: u64, path: &str) -> Result<u64, WorkError> {
    let column = |name: &str| batch.column_by_name(name).and_then(|c| c.as_primitive_opt::<Int64Type>());
    let (Some(shards), Some(offsets)) = (column("_shard"), column("_offset")) else {
        return Err(WorkError::Broken(format!("{path} has no addresses")));
    };
    let expected = (next..).map(|n| (shard.id.0 as i64, n as i64));
    let same = shards.values().iter().zip(offsets.values()).zip(expected).all(|((s, o), e)| (*s, *o) == e);
    if !same {
        return Err(WorkError::Broken(format!("{path} does not hold the records of shard {} from {next} on", shard.id)));
    }
    Ok(next + batch.num_rows() as u64)
}

#[cfg(test)]
#[path = "repack_tests.rs"]
mod tests;
