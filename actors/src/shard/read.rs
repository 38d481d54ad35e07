//! Reading a shard: fetch and check run ahead of the commits by a bounded number of batches.

use std::sync::Arc;
use std::time::Duration;

use lakewright_proto::{ShardEpoch, ShardId, SourcePosition, TenantId};
use lakewright_storage::catalog::command::{Command, Reply};
use lakewright_storage::catalog::keyspace::{PackPins, Shards};
use lakewright_storage::catalog::records::{Alert, Run, RunMode, Shard, ShardStatus};
use lakewright_storage::catalog::Read as _;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::gather::{commit_loop, Checked, Committer};
use super::message::ShardEnd;
use crate::connectors::{Connector, Fetch, OpenShard, RawBatch, ShardReader, SourceNotice, SourceShard};
use crate::credit::Permit;
use crate::error::WorkError;
use crate::pipeline::Pipeline;
use crate::services::{now_us, Services};

/// Batches that are being checked, or wait for the committer.
const AHEAD: usize = 2;

/// Reads a shard until it ends, is stopped or fails.
pub(super) async fn read_shard(
    services: Arc<Services>,
    source: Arc<dyn Connector>,
    run: Run,
    id: ShardId,
    stop: CancellationToken,
) -> Result<ShardEnd, WorkError> {
    let reply = services.catalog.propose("node", Command::ClaimShard { shard: id, node: services.node }).await?;
    let Reply::Epoch(epoch) = reply else { return Err(WorkError::Restart("the catalog answered a claim with something else".into())) };
    let shard = shard_record(&services, id)?;
    if shard.status == ShardStatus::Ended {
        return Ok(ShardEnd::Closed);
    }
    let mut shard = shard;
    loop {
        match read_with_pack(&services, source.as_ref(), &run, &shard, epoch, &stop).await? {
            Some(end) => return Ok(end),
            // The tenant uses another pack version: the reader goes on from what is committed, with that one.
            None => shard = shard_record(&services, id)?,
        }
    }
}

/// Reads a shard with the pack version that the tenant uses now; none: it uses another one since.
async fn read_with_pack(
    services: &Arc<Services>,
    source: &dyn Connector,
    run: &Run,
    shard: &Shard,
    epoch: ShardEpoch,
    stop: &CancellationToken,
) -> Result<Option<ShardEnd>, WorkError> {
    let pins = services.catalog.view().scan::<PackPins>(&shard.tenant_id)?;
    let pipeline = Arc::new(services.packs.pipeline(&services.catalog, shard, run, None)?);
    let source_shard = SourceShard { key: shard.key.clone(), parents: shard.parents.clone() };
    let open =
        OpenShard { stream: shard.stream.clone(), shard: source_shard, position: shard.position.clone(), scope: run.scope, scan: run.scan };
    let reader = source.open(open).await?;

    let (checked, batches) = mpsc::channel(AHEAD);
    let (durable, acknowledged) = watch::channel(None);
    let committer = Committer { services: Arc::clone(services), run: run.id, epoch, pack: pipeline.pack_hash().to_owned(), durable };
    let commits = tokio::spawn(commit_loop(committer, shard.clone(), batches));
    let mut reading = Reading {
        services: Arc::clone(services),
        run: run.clone(),
        shard: shard.clone(),
        epoch,
        pipeline,
        pins,
        reader,
        checked,
        acknowledged,
        stop: stop.clone(),
    };
    let read = reading.run().await;
    // Closing the channel lets the committer commit what it has gathered, and end.
    drop(reading);
    match commits.await {
        Ok(committed) => committed.and(read),
        Err(e) if e.is_panic() => Err(WorkError::Restart(format!("committing panicked: {}", crate::offload::panic_text(&e.into_panic())))),
        Err(e) => Err(WorkError::Restart(e.to_string())),
    }
}

fn shard_record(services: &Services, id: ShardId) -> Result<Shard, WorkError> {
    let shard = services.catalog.view().get::<Shards>(&id)?;
    shard.ok_or_else(|| WorkError::Superseded(format!("shard {id} does not exist any more")))
}

struct Reading {
    services: Arc<Services>,
    run: Run,
    shard: Shard,
    epoch: ShardEpoch,
    pipeline: Arc<Pipeline>,
    /// The pack versions that the tenant uses, as the pipeline was made.
    pins: Vec<((TenantId, String), String)>,
    reader: Box<dyn ShardReader>,
    checked: mpsc::Sender<Checked>,
    acknowledged: watch::Receiver<Option<SourcePosition>>,
    stop: CancellationToken,
}

impl Reading {
    async fn run(&mut self) -> Result<Option<ShardEnd>, WorkError> {
        let mut offset = self.shard.next_offset;
        loop {
            self.acknowledge().await?;
            if self.services.catalog.view().scan::<PackPins>(&self.shard.tenant_id)? != self.pins {
                return Ok(None);
            }
            // Credit is taken before the bytes are: what is fetched always has its place.
            let Some(permit) = self.credit().await? else { return Ok(Some(ShardEnd::Stopped)) };
            let fetched = tokio::select! {
                biased;
                () = self.stop.cancelled() => return Ok(Some(ShardEnd::Stopped)),
                fetched = self.reader.next(self.services.options.fetch_bytes) => fetched?,
            };
            match fetched {
                Fetch::Batch(batch) => {
                    lakewright_storage::crash::point("fetch.done");
                    offset = self.check(batch, offset, permit).await?;
                }
                Fetch::Progress(position, notices) => {
                    self.tell(&notices).await;
                    self.send(Checked::Moved(position)).await?;
                }
                Fetch::Idle(_) if self.run.mode == RunMode::Batch => return Ok(Some(ShardEnd::Exhausted)),
                Fetch::Idle(wait) => {
                    drop(permit);
                    self.send(Checked::Flush).await?;
                    if self.idle(wait).await? {
                        return Ok(Some(ShardEnd::Stopped));
                    }
                }
                Fetch::Wait(wait, why) => {
                    drop(permit);
                    tracing::info!(shard = %self.shard.id, stream = self.shard.stream, why, ?wait, "the source has to wait");
                    self.send(Checked::Flush).await?;
                    if self.idle(wait).await? {
                        return Ok(Some(ShardEnd::Stopped));
                    }
                }
                Fetch::End => {
                    self.send(Checked::End(self.epoch)).await?;
                    return Ok(Some(ShardEnd::Closed));
                }
            }
        }
    }

    /// Waits for the source's next chance; commits that land meanwhile are acknowledged to it.
    async fn idle(&mut self, wait: Duration) -> Result<bool, WorkError> {
        let until = tokio::time::Instant::now() + wait.min(Duration::from_secs(60));
        loop {
            tokio::select! {
                () = self.stop.cancelled() => return Ok(true),
                () = tokio::time::sleep_until(until) => return Ok(false),
                changed = self.acknowledged.changed() => {
                    if changed.is_err() {
                        return Err(WorkError::Restart("committing has ended".into()));
                    }
                    self.acknowledge().await?;
                }
            }
        }
    }

    async fn credit(&mut self) -> Result<Option<Permit>, WorkError> {
        let (tenant, bytes) = (self.shard.tenant_id, self.services.options.fetch_bytes);
        if let Some(permit) = self.services.credit.try_acquire(tenant, bytes) {
            return Ok(Some(permit));
        }
        // Credit that this shard holds itself comes back only through a commit.
        self.send(Checked::Flush).await?;
        tokio::select! {
            () = self.stop.cancelled() => Ok(None),
            permit = self.services.credit.acquire(tenant, bytes) => Ok(Some(permit)),
        }
    }

    /// Starts checking a batch; the committer waits for the result, while this goes on reading.
    async fn check(&mut self, batch: RawBatch, offset: u64, permit: Permit) -> Result<u64, WorkError> {
        self.tell(&batch.notices).await;
        let (pipeline, shard, ingested_at) = (Arc::clone(&self.pipeline), self.shard.id, now_us());
        let position = batch.position.clone();
        let records = batch.records();
        let checking = tokio::task::spawn_blocking(move || pipeline.normalise(&batch, shard, offset, ingested_at));
        self.send(Checked::Batch { checking, position, ingested_at, permit }).await?;
        Ok(offset + records)
    }

    async fn send(&mut self, checked: Checked) -> Result<(), WorkError> {
        let closed = |_| WorkError::Restart("committing has ended".into());
        self.checked.send(checked).await.map_err(closed)
    }

    async fn acknowledge(&mut self) -> Result<(), WorkError> {
        let position = self.acknowledged.borrow_and_update().clone();
        match position {
            Some(position) => Ok(self.reader.acknowledge(&position).await?),
            None => Ok(()),
        }
    }

    async fn tell(&mut self, notices: &[SourceNotice]) {
        for notice in notices {
            tracing::warn!(shard = %self.shard.id, stream = self.shard.stream, kind = notice.kind, message = notice.message, "source notice");
            let subject = format!("{}/{}", self.shard.connector_id, self.shard.stream);
            let alert = Alert {
                run: Some(self.run.id),
                connector: Some(self.shard.connector_id),
                ..Alert::new(self.shard.tenant_id, notice.kind, subject, notice.message.clone())
            };
            // A notice that cannot be stored stands in the log at least.
            if let Err(e) = self.services.catalog.propose("node", Command::RaiseAlert(alert)).await {
                tracing::warn!(error = %e, "the notice could not be stored");
            }
        }
    }
}
