//! One Bronze commit: its files are finished, then one catalog command names them together with the
//! position. It shares nothing with what is gathered next, so both go on side by side.

use std::sync::Arc;
use std::time::Instant;

use lakewright_proto::{CommitSeq, FileId, SourcePosition};
use lakewright_storage::catalog::command::{Command, CommitBronze, Reply};
use lakewright_storage::catalog::records::Shard;
use lakewright_storage::crash;
use lakewright_storage::parquet::{FileWriter, Footer, Owner, Span};
use lakewright_storage::table::{DataFile, StreamCounts};

use super::gather::{Committer, Fed};
use crate::credit::Permit;
use crate::error::WorkError;
use crate::exchange::HandOver;

/// A file being written, and its id.
pub(super) struct Writing {
    pub id: FileId,
    pub writer: FileWriter,
}

/// Records that are gathered, and all that their commit says of them.
pub(super) struct Sealed {
    pub committer: Arc<Committer>,
    /// As it was when they were gathered: its position is the one before them.
    pub shard: Shard,
    pub first_offset: u64,
    pub records: u64,
    pub bytes: u64,
    pub bronze: Option<Writing>,
    pub quality: Option<Writing>,
    pub dead_letters: Option<Writing>,
    pub counts: StreamCounts,
    pub entities: Vec<Fed>,
    pub permits: Vec<Arc<Permit>>,
    pub ingested_at: i64,
    /// The position after them.
    pub position: SourcePosition,
}

impl Sealed {
    /// Commits them, hands them over to their merges, and tells the reader that they are durable.
    pub async fn commit(mut self) -> Result<(), WorkError> {
        let services = Arc::clone(&self.committer.services);
        let owner = Owner::Shard(self.shard.id);
        let span = Span::Offsets { first: self.first_offset, end: self.first_offset + self.records };
        let footer = |file: FileId| Footer {
            previous: self.shard.position.clone(),
            next: Some(self.position.clone()),
            run: Some(self.committer.run),
            pack: Some(self.committer.pack.clone()),
            ..services.footer(self.shard.tenant_id, self.shard.bronze_table, file, owner, self.committer.epoch, span)
        };
        let (bronze, quality, dead_letters) = (self.bronze.take(), self.quality.take(), self.dead_letters.take());
        let (files, quality, dead_letters) =
            tokio::try_join!(finish(bronze, &footer), finish(quality, &footer), finish(dead_letters, &footer))?;
        crash::point("bronze.file.written");
        let entities = &mut self.entities;
        let command = CommitBronze {
            shard: self.shard.id,
            epoch: self.committer.epoch,
            run: self.committer.run,
            first_offset: self.first_offset,
            count: self.records,
            files,
            quality,
            dead_letters,
            position: self.position.clone(),
            counts: std::mem::take(&mut self.counts),
            entities: entities.iter().map(|f| (f.table, f.counts)).collect(),
            profiles: entities.iter_mut().map(|f| (f.table, std::mem::take(&mut f.profile))).collect(),
            pack: self.committer.pack.clone(),
            ingested_at: self.ingested_at,
        };
        crash::point("bronze.commit.before");
        let coming = services.exchange.announce(self.shard.id, self.first_offset);
        let started = Instant::now();
        let reply = services.catalog.propose("node", Command::CommitBronze(command)).await?;
        crash::point("bronze.commit.after");
        let Reply::Bronze(seq) = reply else { return Err(WorkError::Restart("the catalog answered a commit with something else".into())) };
        crate::metrics::bronze_commit(&services, &self.shard, self.records, self.bytes, started.elapsed());
        self.hand_over(seq);
        drop(coming);
        self.committer.durable.send_replace(Some(self.position));
        Ok(())
    }

    fn hand_over(&mut self, seq: CommitSeq) {
        for Fed { table, batches, .. } in std::mem::take(&mut self.entities) {
            let batch = HandOver { batches, permits: self.permits.clone() };
            self.committer.services.exchange.offer(table, seq, batch);
        }
    }
}

async fn finish(writing: Option<Writing>, footer: impl Fn(FileId) -> Footer) -> Result<Vec<DataFile>, WorkError> {
    match writing {
        Some(Writing { id, writer }) => Ok(vec![writer.finish(&footer(id)).await?]),
        None => Ok(Vec::new()),
    }
}
