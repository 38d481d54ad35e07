//! Committing a shard's records: Bronze, quality and dead-letter files first, then one catalog
//! command that names them together with the position.

use std::sync::Arc;
use std::time::Instant;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use lakewright_proto::{CommitSeq, Error, FileId, Layer, RunId, ShardEpoch, SourcePosition, TableId};
use lakewright_storage::catalog::command::{Command, CommitBronze, Reply};
use lakewright_storage::catalog::records::{EntityCounts, Shard};
use lakewright_storage::crash;
use lakewright_storage::object::Store;
use lakewright_storage::parquet::{FileWriter, Footer, Owner, Profile, Span};
use lakewright_storage::paths::{Day, Key, Month};
use lakewright_storage::table::{schemas, DataFile, StreamCounts};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use super::state::{is_due, Gathered, Pressure};
use crate::credit::Permit;
use crate::error::WorkError;
use crate::exchange::HandOver;
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
            Some(Checked::Flush) => open.commit_if_due(Pressure::Flush).await?,
            Some(Checked::End(epoch)) => {
                open.commit_if_due(Pressure::Flush).await?;
                open.end_shard(epoch).await?;
            }
            None => return open.commit_if_due(Pressure::Flush).await,
        }
    }
}

/// Files being written for the next commit.
struct Open {
    committer: Committer,
    shard: Shard,
    gathered: Gathered,
    first_offset: u64,
    bronze: Option<Writing>,
    quality: Option<Writing>,
    dead_letters: Option<Writing>,
    counts: StreamCounts,
    entities: Vec<(TableId, EntityCounts, Vec<EntityBatch>)>,
    permits: Vec<Arc<Permit>>,
    ingested_at: i64,
    /// The position after what is gathered, or moved to without records; none once it is committed.
    position: Option<SourcePosition>,
}

impl Open {
    fn new(committer: Committer, shard: Shard) -> Self {
        Self {
            first_offset: shard.next_offset,
            committer,
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
        let at = match self.entities.iter().position(|(t, ..)| *t == table) {
            Some(at) => at,
            None => {
                self.entities.push((table, EntityCounts::default(), Vec::new()));
                self.entities.len() - 1
            }
        };
        let (_, counts, batches) = &mut self.entities[at];
        counts.accepted += batch.counts.accepted;
        counts.rejected += batch.counts.rejected;
        counts.flagged += batch.counts.flagged;
        counts.warned += batch.counts.warned;
        batches.push(batch);
        Ok(())
    }

    async fn commit_if_due(&mut self, pressure: Pressure) -> Result<(), WorkError> {
        let options = &self.committer.services.options;
        if !is_due(&self.gathered, pressure, Instant::now(), options.commit_bytes, options.commit_rows, options.commit_interval) {
            return Ok(());
        }
        let Some(position) = self.position.take() else {
            return Err(WorkError::Restart("records without a position after them".into()));
        };
        let services = Arc::clone(&self.committer.services);
        let count = self.gathered.records;
        let (bronze, quality, dead_letters) = (self.bronze.take(), self.quality.take(), self.dead_letters.take());
        let owner = Owner::Shard(self.shard.id);
        let span = Span::Offsets { first: self.first_offset, end: self.first_offset + count };
        let footer = |file: FileId| Footer {
            previous: self.shard.position.clone(),
            next: Some(position.clone()),
            run: Some(self.committer.run),
            pack: Some(self.committer.pack.clone()),
            ..services.footer(self.shard.tenant_id, self.shard.bronze_table, file, owner, self.committer.epoch, span)
        };
        let (files, quality, dead_letters) =
            tokio::try_join!(finish(bronze, &footer), finish(quality, &footer), finish(dead_letters, &footer))?;
        crash::point("bronze.file.written");
        let entities = std::mem::take(&mut self.entities);
        let command = CommitBronze {
            shard: self.shard.id,
            epoch: self.committer.epoch,
            run: self.committer.run,
            first_offset: self.first_offset,
            count,
            files,
            quality,
            dead_letters,
            position: position.clone(),
            counts: std::mem::take(&mut self.counts),
            entities: entities.iter().map(|(table, counts, _)| (*table, *counts)).collect(),
            pack: self.committer.pack.clone(),
            ingested_at: self.ingested_at,
        };
        crash::point("bronze.commit.before");
        let coming = services.exchange.announce(self.shard.id, self.first_offset);
        let started = Instant::now();
        let reply = services.catalog.propose("node", Command::CommitBronze(command)).await?;
        crash::point("bronze.commit.after");
        let Reply::Bronze(seq) = reply else { return Err(WorkError::Restart("the catalog answered a commit with something else".into())) };
        crate::metrics::bronze_commit(&services, &self.shard, count, self.gathered.bytes as u64, started.elapsed());
        self.hand_over(seq, entities);
        drop(coming);
        self.first_offset += count;
        self.gathered = Gathered::default();
        self.shard.position = Some(position.clone());
        self.committer.durable.send_replace(Some(position));
        Ok(())
    }

    fn hand_over(&mut self, seq: CommitSeq, entities: Vec<(TableId, EntityCounts, Vec<EntityBatch>)>) {
        let permits = std::mem::take(&mut self.permits);
        for (table, _, batches) in entities {
            let batch = HandOver { batches, permits: permits.clone() };
            self.committer.services.exchange.offer(table, seq, batch);
        }
    }

    /// Commits a position that moved without records.
    async fn commit_position(&mut self) -> Result<(), WorkError> {
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
            pack: self.committer.pack.clone(),
            ingested_at: 0,
        };
        self.committer.services.catalog.propose("node", Command::CommitBronze(command)).await?;
        self.shard.position = Some(position.clone());
        self.committer.durable.send_replace(Some(position));
        Ok(())
    }

    async fn end_shard(&mut self, epoch: ShardEpoch) -> Result<(), WorkError> {
        self.committer.services.catalog.propose("node", Command::EndShard { shard: self.shard.id, epoch }).await?;
        Ok(())
    }
}

/// The Bronze table's subject: `files.opportunity`.
fn bronze_subject(services: &Services, shard: &Shard) -> Result<String, WorkError> {
    Ok(services.catalog.view().table(shard.bronze_table)?.subject)
}

/// A file being written, and its id.
struct Writing {
    id: FileId,
    writer: FileWriter,
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

async fn finish(writing: Option<Writing>, footer: impl Fn(FileId) -> Footer) -> Result<Vec<DataFile>, WorkError> {
    match writing {
        Some(Writing { id, writer }) => Ok(vec![writer.finish(&footer(id)).await?]),
        None => Ok(Vec::new()),
    }
}
