//! Merging a bucket: claim it, open a session over its state, take commits, commit the change,
//! compact, and begin again.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use lakewright_proto::{CommitSeq, RunId, ShardEpoch, TableId, TenantId};
use lakewright_storage::catalog::command::{Command, CommitSilver, Reply};
use lakewright_storage::catalog::keyspace::Runs;
use lakewright_storage::catalog::records::{BronzeCommit, Table};
use lakewright_storage::catalog::Read as _;
use lakewright_storage::crash;
use lakewright_storage::silver::MergeSession;
use lakewright_storage::table::BucketState;
use tokio::sync::{watch, OwnedMutexGuard};

use super::compact::compact_if_due;
use super::lookups::look_up_if_due;
use super::message::MergeEnd;
use super::state::{next, Next, Pending};
use crate::error::WorkError;
use crate::exchange::HandOver;
use crate::recover::from_bronze;
use crate::services::Services;
use crate::silver_context::silver_context;

/// Bronze commits read from the queue at a time.
const QUEUE_PAGE: usize = 64;

/// Merges a bucket until there is nothing to do, the node stops, or it fails.
pub(super) async fn merge_bucket(services: Arc<Services>, table: TableId, bucket: u32) -> Result<MergeEnd, WorkError> {
    let held = services.rebuilds.hold(table).await;
    let claim = Command::ClaimBucket { table, bucket, node: services.node };
    let Reply::Epoch(epoch) = services.catalog.propose("node", claim).await? else {
        return Err(WorkError::Restart("the catalog answered a claim with something else".into()));
    };
    drop(held);
    let changed = services.catalog.store().subscribe();
    let mut merge = Merge { services, table, bucket, epoch, changed, last: None };
    loop {
        let held = merge.services.rebuilds.hold(table).await;
        if !merge.services.stop_merging.is_cancelled() && look_up_if_due(&merge.services, table, bucket, epoch).await? {
            compact_if_due(&merge.services, table, bucket, epoch).await?;
        }
        drop(held);
        match merge.session().await? {
            Some(end) => return Ok(end),
            None => {
                let _held = merge.services.rebuilds.hold(table).await;
                compact_if_due(&merge.services, table, bucket, epoch).await?;
            }
        }
    }
}

struct Merge {
    services: Arc<Services>,
    table: TableId,
    bucket: u32,
    epoch: ShardEpoch,
    changed: watch::Receiver<u64>,
    last: Option<Instant>,
}

/// A session that has taken something.
struct Taken {
    session: MergeSession,
    table: Table,
    /// No rebuild is swapped in meanwhile.
    _held: OwnedMutexGuard<()>,
    from: CommitSeq,
    to: CommitSeq,
}

impl Merge {
    /// One Silver commit, or the end.
    async fn session(&mut self) -> Result<Option<MergeEnd>, WorkError> {
        let options = self.services.options.clone();
        let idle_at = Instant::now() + options.merge_idle;
        let mut pending = Pending { commits: 0, bytes: 0, rows: 0, began: None, over: false, last: self.last };
        let mut runs = BTreeSet::new();
        let mut taken: Option<Taken> = None;
        loop {
            self.changed.borrow_and_update();
            let watermark = taken.as_ref().map(|t| t.to);
            let mut queue = self.queue(watermark)?;
            let stopping = self.services.stop_merging.is_cancelled();
            // A table that got columns is merged into by a new session.
            let changed = taken.as_ref().is_some_and(|t| self.schema_changed(&t.table));
            let stopping = stopping || changed;
            pending.over = queue.is_empty() && self.are_over(&runs)?;
            match next(&pending, queue.len(), stopping, Instant::now(), options.silver_interval, options.silver_bytes) {
                Next::Take => {
                    let Some(commit) = queue.pop_front() else { continue };
                    if taken.is_none() {
                        taken = Some(self.open().await?);
                    }
                    if let Some(t) = taken.as_mut() {
                        self.apply(t, &commit).await?;
                    }
                    pending.began = pending.began.or_else(|| Some(Instant::now()));
                    runs.insert((commit.tenant_id, commit.run));
                    pending.commits += 1;
                    pending.rows += commit.counts.accepted;
                    pending.bytes += commit.counts.bytes;
                }
                Next::Commit => {
                    if let Some(t) = taken.take() {
                        self.commit(t).await?;
                    }
                    return Ok(None);
                }
                Next::Wait(until) => {
                    let end = self.wait(until.unwrap_or(idle_at)).await;
                    if taken.is_none() {
                        if self.services.stop_merging.is_cancelled() {
                            return Ok(Some(MergeEnd::Stopped));
                        }
                        if self.lookups_are_due()? {
                            return Ok(None);
                        }
                        if end && Instant::now() >= idle_at {
                            return Ok(Some(MergeEnd::Idle));
                        }
                    }
                }
            }
        }
    }

    fn schema_changed(&self, of: &Table) -> bool {
        self.services.catalog.view().table(self.table).is_ok_and(|now| now.schema_ipc != of.schema_ipc)
    }

    fn lookups_are_due(&self) -> Result<bool, WorkError> {
        let view = self.services.catalog.view();
        Ok(view.lookups_are_due(&view.table(self.table)?)?)
    }

    fn are_over(&self, runs: &BTreeSet<(TenantId, RunId)>) -> Result<bool, WorkError> {
        let view = self.services.catalog.view();
        for run in runs {
            if view.get::<Runs>(run)?.is_some_and(|r| !r.is_over()) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The commits to take next.
    fn queue(&self, after: Option<CommitSeq>) -> Result<VecDeque<BronzeCommit>, WorkError> {
        let queue = self.services.catalog.view().queue_after(self.table, after.unwrap_or(CommitSeq(0)), QUEUE_PAGE)?;
        Ok(queue.into())
    }

    /// Waits for a change of the catalog, the stop or the time; true if it was the time.
    async fn wait(&mut self, until: Instant) -> bool {
        tokio::select! {
            () = self.services.stop_merging.cancelled() => false,
            changed = self.changed.changed() => changed.is_err(),
            () = tokio::time::sleep_until(until.into()) => true,
        }
    }

    async fn open(&self) -> Result<Taken, WorkError> {
        let held = self.services.rebuilds.hold(self.table).await;
        let (table, state): (Table, BucketState) = {
            let view = self.services.catalog.view();
            (view.table(self.table)?, view.bucket_state(self.table, self.bucket)?)
        };
        if state.epoch != self.epoch {
            return Err(WorkError::Superseded(format!("bucket {} of {} has another owner", self.bucket, table.name)));
        }
        let from = state.watermark;
        let context = silver_context(&self.services, &table, self.bucket, self.epoch)?;
        let session = MergeSession::open(context, state).await?;
        Ok(Taken { session, table, _held: held, from, to: from })
    }

    async fn apply(&self, taken: &mut Taken, commit: &BronzeCommit) -> Result<(), WorkError> {
        let hand_over = match self.services.exchange.take(self.table, commit).await {
            Some(hand_over) => hand_over,
            None => HandOver { batches: from_bronze(&self.services, commit, self.table).await?, permits: Vec::new() },
        };
        let started = Instant::now();
        if hand_over.batches.is_empty() {
            taken.session.apply_empty(commit.seq)?;
        }
        for batch in hand_over.batches {
            taken.session.apply(commit.seq, batch.into()).await?;
        }
        drop(hand_over.permits);
        taken.to = commit.seq;
        crate::metrics::merged(&self.services, &taken.table, commit.counts.accepted, started.elapsed());
        Ok(())
    }

    async fn commit(&mut self, taken: Taken) -> Result<(), WorkError> {
        let Taken { session, table, _held, from, to } = taken;
        let delta = session.finish().await?;
        crash::point("silver.files.written");
        crash::point("silver.commit.before");
        let started = Instant::now();
        let command = CommitSilver { table: self.table, bucket: self.bucket, epoch: self.epoch, from, to, delta };
        self.services.catalog.propose("node", Command::CommitSilver(command)).await?;
        crash::point("silver.commit.after");
        crate::metrics::silver_commit(&self.services, &table, started.elapsed());
        self.services.exchange.drop_up_to(self.table, to);
        self.last = Some(Instant::now());
        Ok(())
    }
}
