//! Gathering a shard's records into Bronze, quality and dead-letter files until a commit is due.

use std::sync::Arc;
use std::time::Instant;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use lakewright_proto::{Error, FileId, Layer, RunId, ShardEpoch, SourcePosition, TableId};
use lakewright_storage::catalog::command::{Command, CommitBronze};
use lakewright_storage::catalog::records::{EntityCounts, EntityProfile, Shard};
use lakewright_storage::object::Store;
use lakewright_storage::parquet::{FileWriter, Profile};
use lakewright_storage::paths::{Day, Key, Month};
use lakewright_storage::table::{schemas, StreamCounts};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio_util::task::AbortOnDropHandle;

use super::commit::{Sealed, Writing};
use super::state::{is_due, Gathered, Pressure};
use crate::credit::Permit;
use crate::error::WorkError;
use crate::pipeline::{EntityBatch, PipelineOutput};
use crate::services::Services;

/// What the reader passes on.
pub(super) enum Checked {
    /// Records that are being checked, and the position after them.
    Batch { checking: JoinHandle<Result<PipelineOutput, Error>>, position: SourcePosition, ingested_at: i64, permit: Permit },
    /// The position moved without records.
    Moved(SourcePosition),
    /// Commit what is gathered.
    Flush,
    /// The source closed the shard.
    End(ShardEpoch),
}

/// Who commits, and for whom.
pub(super) struct Committer {
    pub services: Arc<Services>,
    pub run: RunId,
    pub epoch: ShardEpoch,
    pub pack: String,
    /// The last durable position, for the reader to acknowledge.
    pub durable: watch::Sender<Option<SourcePosition>>,
}

/// Gathers and commits until the reader is gone.
pub(super) async fn commit_loop(committer: Committer, shard: Shard, mut batches: mpsc::Receiver<Checked>) -> Result<(), WorkError> {
    let mut open = Open::new(committer, shard);
    loop {
        let deadline = open.deadline();
        let next = tokio::select! {
            next = batches.recv() => next,
            () = tokio::time::sleep_until(deadline.into()) => Some(Checked::Flush),
        };
        match next {
            Some(Checked::Batch { checking, position, ingested_at, permit }) => {
                let output = checking.await.map_err(|e| WorkError::Restart(format!("checking records failed: {e}")))??;
                open.gather(output, position, ingested_at, permit).await?;
                open.commit_if_due(Pressure::Flowing).await?;
            }
            Some(Checked::Moved(position)) => {
                open.position = Some(position);
                open.commit_if_due(Pressure::Flush).await?;
                open.commit_position().await?;
            }
            Some(Checked::Flush) => {
                open.commit_if_due(Pressure::Flush).await?;
                open.settle().await?;
            }
            Some(Checked::End(epoch)) => {
                open.commit_if_due(Pressure::Flush).await?;
                open.end_shard(epoch).await?;
            }
            None => {
                open.commit_if_due(Pressure::Flush).await?;
                return open.settle().await;
            }
        }
    }
}

/// What is gathered for one Silver table.
pub(super) struct Fed {
    pub table: TableId,
    pub counts: EntityCounts,
    pub profile: EntityProfile,
    pub batches: Vec<EntityBatch>,
}

/// Files being written for the next commit.
struct Open {
    committer: Arc<Committer>,
    shard: Shard,
    gathered: Gathered,
    first_offset: u64,
    bronze: Option<Writing>,
    quality: Option<Writing>,
    dead_letters: Option<Writing>,
    counts: StreamCounts,
    entities: Vec<Fed>,
    permits: Vec<Arc<Permit>>,
    ingested_at: i64,
    /// The position after what is gathered, or moved to without records; none once it is committed.
    position: Option<SourcePosition>,
    /// The commit before it; given up with the shard.
    under_way: Option<AbortOnDropHandle<Result<(), WorkError>>>,
}

impl Open {
    fn new(committer: Committer, shard: Shard) -> Self {
        Self {
            first_offset: shard.next_offset,
            committer: Arc::new(committer),
            shard,
            gathered: Gathered::default(),
            bronze: None,
            quality: None,
            dead_letters: None,
            counts: StreamCounts::default(),
            entities: Vec::new(),
            permits: Vec::new(),
            ingested_at: 0,
            position: None,
            under_way: None,
        }
    }

    fn deadline(&self) -> Instant {
        let interval = self.committer.services.options.commit_interval;
        self.gathered.since.map_or_else(|| Instant::now() + interval * 120, |since| since + interval)
    }

    async fn gather(
        &mut self,
        output: PipelineOutput,
        position: SourcePosition,
        ingested_at: i64,
        permit: Permit,
    ) -> Result<(), WorkError> {
        let tenant = self.shard.tenant_id;
        if self.gathered.records == 0 {
            self.ingested_at = ingested_at;
        }
        self.position = Some(position);
        if output.counts.read == 0 {
            return Ok(());
        }
        let store = &self.committer.services.store;
        let source = bronze_subject(&self.committer.services, &self.shard)?;
        let key = |file| Key::Bronze { tenant, source, day: Day::of_micros(ingested_at), file };
        let system =
            |name: &'static str| move |file| Key::System { tenant, table: name.to_owned(), month: Month::of_micros(ingested_at), file };
        let at = |column: &str| Profile::System { time_column: column.to_owned() };
        // Encoding is the most of the work here: the three files go on side by side.
        tokio::try_join!(
            append(&mut self.bronze, store, key, output.bronze, schemas::bronze(), Profile::Bronze),
            append(&mut self.quality, store, system("data_quality_results"), output.quality, schemas::quality_results(), at("checked_at")),
            append(&mut self.dead_letters, store, system("dead_letters"), output.dead_letters, schemas::dead_letters(), at("rejected_at")),
        )?;
        let since = self.gathered.since.or_else(|| Some(Instant::now()));
        self.gathered = Gathered {
            records: self.gathered.records + output.counts.read,
            bytes: self.gathered.bytes + output.counts.bytes as usize,
            since,
        };
        self.counts.add(&output.counts);
        let permit = Arc::new(permit);
        for batch in output.entities {
            self.add_entity(batch)?;
        }
        self.permits.push(permit);
        Ok(())
    }

    fn add_entity(&mut self, batch: EntityBatch) -> Result<(), WorkError> {
        let view = self.committer.services.catalog.view();
        let table = view.table_by_name(self.shard.tenant_id, Layer::Silver, &batch.table)?;
        let table = table.ok_or_else(|| WorkError::Restart(format!("table silver.{} does not exist", batch.table)))?.id;
        let at = match self.entities.iter().position(|f| f.table == table) {
            Some(at) => at,
            None => {
                let (counts, profile) = (EntityCounts::default(), EntityProfile::default());
                self.entities.push(Fed { table, counts, profile, batches: Vec::new() });
                self.entities.len() - 1
            }
        };
        let fed = &mut self.entities[at];
        fed.counts.accepted += batch.counts.accepted;
        fed.counts.rejected += batch.counts.rejected;
        fed.counts.flagged += batch.counts.flagged;
        fed.counts.warned += batch.counts.warned;
        fed.profile.add(&batch.profile);
        fed.batches.push(batch);
        Ok(())
    }

    /// Commits what is gathered if that is due. The commit goes on while more is gathered; the next
    /// one waits for it, since commits of a shard are in order.
    async fn commit_if_due(&mut self, pressure: Pressure) -> Result<(), WorkError> {
        let options = &self.committer.services.options;
        if !is_due(&self.gathered, pressure, Instant::now(), options.commit_bytes, options.commit_rows, options.commit_interval) {
            return Ok(());
        }
        self.settle().await?;
        let Some(position) = self.position.take() else {
            return Err(WorkError::Restart("records without a position after them".into()));
        };
        let gathered = std::mem::take(&mut self.gathered);
        let sealed = Sealed {
            committer: Arc::clone(&self.committer),
            shard: self.shard.clone(),
            first_offset: self.first_offset,
            records: gathered.records,
            bytes: gathered.bytes as u64,
            bronze: self.bronze.take(),
            quality: self.quality.take(),
            dead_letters: self.dead_letters.take(),
            counts: std::mem::take(&mut self.counts),
            entities: std::mem::take(&mut self.entities),
            permits: std::mem::take(&mut self.permits),
            ingested_at: self.ingested_at,
            position: position.clone(),
        };
        self.first_offset += gathered.records;
        self.shard.position = Some(position);
        self.under_way = Some(AbortOnDropHandle::new(tokio::spawn(sealed.commit())));
        Ok(())
    }

    /// Waits for the commit that is under way.
    async fn settle(&mut self) -> Result<(), WorkError> {
        match self.under_way.take() {
            Some(commit) => commit.await.map_err(|e| WorkError::Restart(format!("a commit failed: {e}")))?,
            None => Ok(()),
        }
    }

    /// Commits a position that moved without records.
    async fn commit_position(&mut self) -> Result<(), WorkError> {
        self.settle().await?;
        let Some(position) = self.position.take() else { return Ok(()) };
        let command = CommitBronze {
            shard: self.shard.id,
            epoch: self.committer.epoch,
            run: self.committer.run,
            first_offset: self.first_offset,
            count: 0,
            files: Vec::new(),
            quality: Vec::new(),
            dead_letters: Vec::new(),
            position: position.clone(),
            counts: StreamCounts::default(),
            entities: Vec::new(),
            profiles: Vec::new(),
            pack: self.committer.pack.clone(),
            ingested_at: 0,
        };
        self.committer.services.catalog.propose("node", Command::CommitBronze(command)).await?;
        self.shard.position = Some(position.clone());
        self.committer.durable.send_replace(Some(position));
        Ok(())
    }

    async fn end_shard(&mut self, epoch: ShardEpoch) -> Result<(), WorkError> {
        self.settle().await?;
        self.committer.services.catalog.propose("node", Command::EndShard { shard: self.shard.id, epoch }).await?;
        Ok(())
    }
}

/// The Bronze table's subject: `files.opportunity`.
fn bronze_subject(services: &Services, shard: &Shard) -> Result<String, WorkError> {
    Ok(services.catalog.view().table(shard.bronze_table)?.subject)
}

async fn append(
    slot: &mut Option<Writing>,
    store: &Store,
    key: impl FnOnce(FileId) -> Key,
    batch: RecordBatch,
    schema: SchemaRef,
    profile: Profile,
) -> Result<(), WorkError> {
    if batch.num_rows() == 0 {
        return Ok(());
    }
    let writing = match slot {
        Some(writing) => writing,
        None => {
            let id = FileId::generate();
            slot.insert(Writing { id, writer: FileWriter::start(store, key(id), &schema, &profile)? })
        }
    };
    Ok(writing.writer.write(batch).await?)
}
