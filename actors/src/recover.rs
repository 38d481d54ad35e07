//! Batches rebuilt from Bronze: what a hand-over has lost is read and checked again, with the
//! pack version of its commit, and comes out the same.

use futures::TryStreamExt as _;
use lakewright_proto::{TableId, TenantId};
use lakewright_storage::catalog::keyspace::{Runs, Shards};
use lakewright_storage::catalog::records::{BronzeCommit, BronzeSource, FileRange, Run, Shard};
use lakewright_storage::catalog::Read as _;
use lakewright_storage::parquet::FileReader;
use lakewright_storage::table::DataFile;

use crate::error::WorkError;
use crate::pipeline::EntityBatch;
use crate::services::Services;

/// The accepted rows of a Bronze commit for one table, in offset order, as its own pack version made them.
pub async fn from_bronze(services: &Services, commit: &BronzeCommit, table: TableId) -> Result<Vec<EntityBatch>, WorkError> {
    from_bronze_by(services, commit, table, &commit.pack).await
}

/// The rows that a pack version accepts of a Bronze commit for one table, in offset order.
pub async fn from_bronze_by(services: &Services, commit: &BronzeCommit, table: TableId, pack: &str) -> Result<Vec<EntityBatch>, WorkError> {
    let (shard, run, name) = {
        let view = services.catalog.view();
        let shard = shard_of(&view, commit)?;
        let run = run_of(&view, commit.tenant_id, commit)?;
        let name = view.table(table)?.name;
        (shard, run, name)
    };
    let offsets: Vec<(u64, u64)> = match &commit.source {
        BronzeSource::Read { first_offset, count, .. } => vec![(*first_offset, *count)],
        BronzeSource::Replay { offsets } => ranges(offsets),
    };
    let files = bronze_files(services, &shard, &offsets).await?;
    let pipeline = std::sync::Arc::new(services.packs.pipeline(&services.catalog, &shard, &run, Some(pack))?);
    let mut out = Vec::new();
    for file in files {
        for batch in rows(services, &file, &offsets).await? {
            let pipeline = std::sync::Arc::clone(&pipeline);
            let checked = tokio::task::spawn_blocking(move || pipeline.normalise_bronze(&batch));
            let output = checked.await.map_err(|e| WorkError::Restart(format!("checking records failed: {e}")))??;
            out.extend(output.entities.into_iter().filter(|e| e.table == name));
        }
    }
    Ok(out)
}

/// The Bronze files that hold these ascending ranges of a shard's offsets, each file once. Those that
/// the catalog no longer lists are found in its manifests.
pub async fn bronze_files(services: &Services, shard: &Shard, ranges: &[(u64, u64)]) -> Result<Vec<DataFile>, WorkError> {
    let mut files = Vec::new();
    let mut covered = 0;
    for (first, count) in ranges {
        let (from, end) = (covered.max(*first), first.saturating_add(*count));
        if from >= end {
            continue;
        }
        let lookup = services.catalog.view().bronze_lookup(shard, from, end - from)?;
        for entry in lookup.resolve(services.store.inner().as_ref(), &services.manifests).await? {
            if let FileRange::Offsets { first, count, .. } = &entry.range {
                covered = covered.max(first + count);
            }
            files.push(entry.file);
        }
    }
    Ok(files)
}

/// A Bronze file's rows in these ranges of offsets.
pub async fn rows(services: &Services, file: &DataFile, ranges: &[(u64, u64)]) -> Result<Vec<arrow_array::RecordBatch>, WorkError> {
    let reader = FileReader::open(&services.store, &file.path, file.size).await?;
    let batches = match ranges {
        [(first, count)] => reader.read_range(*first..first + count, None).await?,
        _ => {
            let offsets: Vec<u64> = ranges.iter().flat_map(|(first, count)| *first..first + count).collect();
            reader.read_offsets(&offsets, None).await?
        }
    };
    Ok(batches.try_collect().await?)
}

fn shard_of(view: &lakewright_storage::catalog::View<'_>, commit: &BronzeCommit) -> Result<Shard, WorkError> {
    view.get::<Shards>(&commit.shard)?.ok_or_else(|| WorkError::Restart(format!("shard {} is not in the catalog", commit.shard)))
}

fn run_of(view: &lakewright_storage::catalog::View<'_>, tenant: TenantId, commit: &BronzeCommit) -> Result<Run, WorkError> {
    view.get::<Runs>(&(tenant, commit.run))?.ok_or_else(|| WorkError::Restart(format!("run {} is not in the catalog", commit.run)))
}

/// Ascending offsets as ranges of (first, count).
pub fn ranges(offsets: &[u64]) -> Vec<(u64, u64)> {
    let mut out: Vec<(u64, u64)> = Vec::new();
    for offset in offsets {
        match out.last_mut() {
            Some((first, count)) if *first + *count == *offset => *count += 1,
            _ => out.push((*offset, 1)),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::ranges;

    #[test]
    fn offsets_become_ranges() {
        assert_eq!(ranges(&[1, 2, 3, 7, 9, 10]), vec![(1, 3), (7, 1), (9, 2)]);
        assert!(ranges(&[]).is_empty());
    }
}
