//! Dead letters checked again, after a fix of the pack: a new run that brings what is accepted
//! now to Silver, at its old address. The sealed ledger of the first run stays as it is.

use std::collections::BTreeMap;
use std::sync::Arc;

use lakewright_proto::{Error, ErrorCode, FileId, Layer, RecordAddress, RunId, ShardId, TenantId};
use lakewright_storage::catalog::command::{Command, CommitReplay};
use lakewright_storage::catalog::keyspace::{Connectors, Runs, Shards};
use lakewright_storage::catalog::records::{EntityCounts, Run, RunMode, RunStatus, Shard};
use lakewright_storage::catalog::Read as _;
use lakewright_storage::parquet::{write_file, Footer, Owner, Profile, Span};
use lakewright_storage::paths::{Key, Month};
use lakewright_storage::table::{schemas, StreamCounts};

use crate::error::WorkError;
use crate::runs::bronze_table;
use crate::services::{now_us, Services};

/// Addresses checked in one commit; more are an error that says to narrow the choice.
pub const MAX_ADDRESSES: usize = 100_000;

/// Checks the records at these addresses again, as a new run.
pub async fn replay(
    services: &Arc<Services>,
    principal: &str,
    tenant: TenantId,
    of: RunId,
    addresses: &[RecordAddress],
) -> Result<RunId, Error> {
    if addresses.is_empty() || addresses.len() > MAX_ADDRESSES {
        let message = format!("a replay takes 1 to {MAX_ADDRESSES} dead letters, not {}; narrow the choice", addresses.len());
        return Err(Error::new(ErrorCode::InvalidArgument, message));
    }
    let mut by_shard: BTreeMap<ShardId, Vec<u64>> = BTreeMap::new();
    for a in addresses {
        by_shard.entry(a.shard).or_default().push(a.offset);
    }
    let (first_run, connector) = {
        let view = services.catalog.view();
        let run = view.get::<Runs>(&(tenant, of)).map_err(Error::from)?;
        let run = run.ok_or_else(|| Error::new(ErrorCode::NotFound, format!("run {of} does not exist")))?;
        let connector = view.get::<Connectors>(&(tenant, run.connector_id)).map_err(Error::from)?;
        (run, connector.ok_or_else(|| Error::new(ErrorCode::NotFound, "the connector of the run does not exist"))?)
    };
    let run = RunId::generate();
    let start = Command::StartRun {
        run,
        tenant,
        connector: connector.id,
        stream: first_run.entity.clone(),
        mode: RunMode::Batch,
        trigger: "replay".into(),
        replay_of: Some(of),
        bronze: bronze_table(tenant, &connector.kind, &first_run.entity)?,
        shards: Vec::new(),
        scope: first_run.scope,
    };
    services.catalog.propose(principal, start).await?;
    let outcome = replay_shards(services, tenant, run, by_shard).await;
    let (status, error) = match &outcome {
        Ok(()) => (RunStatus::Settling, None),
        Err(e) => (RunStatus::Failed, Some(e.to_string())),
    };
    services.catalog.propose(principal, Command::FinishRun { tenant, run, status, error, breaks: false }).await?;
    outcome.map(|()| run).map_err(|e| Error::new(ErrorCode::Unavailable, format!("replay run {run} failed: {e}")))
}

async fn replay_shards(
    services: &Arc<Services>,
    tenant: TenantId,
    run: RunId,
    by_shard: BTreeMap<ShardId, Vec<u64>>,
) -> Result<(), WorkError> {
    for (id, mut offsets) in by_shard {
        offsets.sort_unstable();
        offsets.dedup();
        let (shard, record) = {
            let view = services.catalog.view();
            let shard = view.get::<Shards>(&id)?.filter(|s| s.tenant_id == tenant);
            let record = view.get::<Runs>(&(tenant, run))?;
            let missing = || WorkError::Broken(format!("shard {id} does not exist"));
            (shard.ok_or_else(missing)?, record.ok_or_else(missing)?)
        };
        replay_shard(services, &shard, &record, offsets).await?;
    }
    Ok(())
}

async fn replay_shard(services: &Arc<Services>, shard: &Shard, run: &Run, offsets: Vec<u64>) -> Result<(), WorkError> {
    let pipeline = Arc::new(services.packs.pipeline(&services.catalog, shard, run, None)?);
    let now = now_us();
    let mut counts = StreamCounts::default();
    let mut entities: BTreeMap<String, EntityCounts> = BTreeMap::new();
    let (mut quality, mut dead_letters) = (Vec::new(), Vec::new());
    let wanted = crate::recover::ranges(&offsets);
    let files = crate::recover::bronze_files(services, shard, &wanted).await?;
    for file in files {
        for batch in crate::recover::rows(services, &file, &wanted).await? {
            let pipeline = Arc::clone(&pipeline);
            let checked = tokio::task::spawn_blocking(move || pipeline.normalise_bronze(&batch));
            let output = checked.await.map_err(|e| WorkError::Restart(format!("checking records failed: {e}")))??;
            counts.add(&output.counts);
            for e in &output.entities {
                let sum = entities.entry(e.table.clone()).or_default();
                sum.accepted += e.counts.accepted;
                sum.rejected += e.counts.rejected;
                sum.flagged += e.counts.flagged;
                sum.warned += e.counts.warned;
            }
            quality.push(output.quality);
            dead_letters.push(output.dead_letters);
        }
    }
    let mut tables = Vec::new();
    for (name, counts) in entities {
        let table = services.catalog.view().table_by_name(shard.tenant_id, Layer::Silver, &name)?;
        tables.push((table.ok_or_else(|| WorkError::Restart(format!("table silver.{name} does not exist")))?.id, counts));
    }
    let mut written = Vec::new();
    let span = Span::Offsets { first: offsets.first().copied().unwrap_or(0), end: offsets.last().map_or(0, |o| o + 1) };
    for (name, time_column, schema, batches) in [
        ("data_quality_results", "checked_at", schemas::quality_results(), quality),
        ("dead_letters", "rejected_at", schemas::dead_letters(), dead_letters),
    ] {
        let batches: Vec<_> = batches.into_iter().filter(|b| b.num_rows() > 0).collect();
        if batches.is_empty() {
            written.push(Vec::new());
            continue;
        }
        let file = FileId::generate();
        let key = Key::System { tenant: shard.tenant_id, table: name.to_owned(), month: Month::of_micros(now), file };
        let footer = Footer {
            run: Some(run.id),
            pack: Some(pipeline.pack_hash().to_owned()),
            ..services.footer(shard.tenant_id, shard.bronze_table, file, Owner::Shard(shard.id), shard.epoch, span)
        };
        let profile = Profile::System { time_column: time_column.to_owned() };
        written.push(vec![write_file(&services.store, key, &schema, batches, &footer, &profile).await?]);
    }
    let dead_letters = written.pop().unwrap_or_default();
    let quality = written.pop().unwrap_or_default();
    let command = CommitReplay {
        shard: shard.id,
        run: run.id,
        offsets,
        quality,
        dead_letters,
        counts,
        entities: tables,
        pack: pipeline.pack_hash().to_owned(),
        ingested_at: now,
    };
    services.catalog.propose("node", Command::CommitReplay(command)).await?;
    Ok(())
}
