//! The data files that a merge is writing: one a month at a time, a bounded number open.

use std::collections::HashMap;

use arrow_array::RecordBatch;
use lakewright_proto::{CommitSeq, FileId};

use super::context::SilverContext;
use crate::error::Result;
use crate::parquet::{FileWriter, Span};
use crate::paths::Month;
use crate::table::DataFile;

/// Files open at once; the one not written to for longest is closed to make room.
const OPEN: usize = 16;

struct Writing {
    number: u32,
    id: FileId,
    writer: FileWriter,
    rows: u32,
    used: u64,
}

/// The files of one merge, numbered in the order in which they were begun.
#[derive(Default)]
pub(super) struct Files {
    open: HashMap<String, Writing>,
    ids: Vec<FileId>,
    rows: Vec<u32>,
    done: Vec<(u32, DataFile)>,
    clock: u64,
}

impl Files {
    /// Appends rows of one month; answers the file's number and the first row's place in it.
    pub async fn append(&mut self, context: &SilverContext, partition_at: i64, batch: RecordBatch, span: Span) -> Result<(u32, u32)> {
        let month = Month::of_micros(partition_at).to_string();
        self.clock += 1;
        if !self.open.contains_key(&month) {
            if self.open.len() >= OPEN {
                self.close_oldest(context, span).await?;
            }
            let id = FileId::generate();
            let writer = FileWriter::start(&context.store, context.rows_key(partition_at, id), &context.schema, &context.rows_profile())?;
            let number = self.ids.len() as u32;
            self.ids.push(id);
            self.rows.push(0);
            self.open.insert(month.clone(), Writing { number, id, writer, rows: 0, used: 0 });
        }
        let clock = self.clock;
        let Some(w) = self.open.get_mut(&month) else {
            return Err(crate::StorageError::corrupt(month, "a file that was just begun is gone"));
        };
        let first = w.rows;
        w.used = clock;
        w.rows += batch.num_rows() as u32;
        self.rows[w.number as usize] = w.rows;
        w.writer.write(batch).await?;
        Ok((w.number, first))
    }

    async fn close_oldest(&mut self, context: &SilverContext, span: Span) -> Result<()> {
        let oldest = self.open.iter().min_by_key(|(_, w)| w.used).map(|(m, _)| m.clone());
        if let Some(w) = oldest.and_then(|m| self.open.remove(&m)) {
            let file = w.writer.finish(&context.footer(context.table, w.id, span)).await?;
            self.done.push((w.number, file));
        }
        Ok(())
    }

    /// Closes all files; answers them by number.
    pub async fn finish(mut self, context: &SilverContext, span: Span) -> Result<Vec<DataFile>> {
        for (_, w) in self.open.drain() {
            let file = w.writer.finish(&context.footer(context.table, w.id, span)).await?;
            self.done.push((w.number, file));
        }
        self.done.sort_by_key(|(n, _)| *n);
        Ok(self.done.into_iter().map(|(_, f)| f).collect())
    }

    /// The files' ids, by number.
    pub fn ids(&self) -> Vec<FileId> {
        self.ids.clone()
    }
}

/// The span of a merge that is not committed yet.
pub(super) fn span(from: CommitSeq, to: CommitSeq) -> Span {
    Span::Watermark { from, to }
}
