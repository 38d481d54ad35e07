//! The data files that a merge is writing: one a month, all open until the merge ends, within one
//! budget of memory. Rows in no order of months so still make few files.

use std::collections::BTreeMap;

use arrow_array::RecordBatch;
use futures::future::try_join_all;
use lakewright_proto::{CommitSeq, FileId};

use super::context::SilverContext;
use crate::error::Result;
use crate::parquet::{FileWriter, Span};
use crate::paths::Month;
use crate::table::DataFile;

/// Bytes that all open files may hold; beyond it the largest gives its row group away.
const MEMORY: usize = 96 << 20;
/// Files open at once; beyond it the one that was begun first is closed.
const OPEN: usize = 256;

struct Writing {
    number: u32,
    id: FileId,
    writer: FileWriter,
    rows: u32,
}

/// The files of one merge, numbered in the order in which they were begun.
#[derive(Default)]
pub(super) struct Files {
    open: BTreeMap<String, Writing>,
    ids: Vec<FileId>,
    done: Vec<(u32, DataFile)>,
}

/// Where rows were put: the file's number, and the first row's place in it.
pub(super) type Put = (u32, u32);

impl Files {
    /// Appends rows, each part of a month of its own (given by an instant in it), side by side.
    pub async fn append(&mut self, context: &SilverContext, parts: Vec<(i64, RecordBatch)>, span: Span) -> Result<Vec<Put>> {
        let mut places = Vec::with_capacity(parts.len());
        let mut by_month = BTreeMap::new();
        for (at, batch) in parts {
            let month = Month::of_micros(at).to_string();
            if !self.open.contains_key(&month) {
                self.begin(context, month.clone(), at, span).await?;
            }
            if let Some(w) = self.open.get_mut(&month) {
                places.push((w.number, w.rows));
                w.rows += batch.num_rows() as u32;
            }
            by_month.insert(month, batch);
        }
        let writes = self.open.iter_mut().filter_map(|(month, w)| Some(w.writer.write(by_month.remove(month)?)));
        try_join_all(writes).await?;
        self.shrink(context, span).await?;
        Ok(places)
    }

    async fn begin(&mut self, context: &SilverContext, month: String, at: i64, span: Span) -> Result<()> {
        if self.open.len() >= OPEN {
            let oldest = self.open.iter().min_by_key(|(_, w)| w.number).map(|(m, _)| m.clone());
            self.close(context, oldest, span).await?;
        }
        let id = FileId::generate();
        let writer = FileWriter::start(&context.store, context.rows_key(at, id), &context.schema, &context.rows_profile())?;
        let number = self.ids.len() as u32;
        self.ids.push(id);
        self.open.insert(month, Writing { number, id, writer, rows: 0 });
        Ok(())
    }

    /// Keeps to the budget: row groups are ended early, and a file that is large without one is closed.
    async fn shrink(&mut self, context: &SilverContext, span: Span) -> Result<()> {
        while self.open.values().map(|w| w.writer.memory()).sum::<usize>() > MEMORY {
            let Some((month, largest)) = self.open.iter_mut().max_by_key(|(_, w)| w.writer.memory()) else { break };
            let (month, before) = (month.clone(), largest.writer.memory());
            largest.writer.end_row_group().await?;
            if largest.writer.memory() * 2 > before {
                self.close(context, Some(month), span).await?;
            }
        }
        Ok(())
    }

    async fn close(&mut self, context: &SilverContext, month: Option<String>, span: Span) -> Result<()> {
        if let Some(w) = month.and_then(|m| self.open.remove(&m)) {
            self.done.push(finish(context, w, span).await?);
        }
        Ok(())
    }

    /// Closes all files; answers them by number.
    pub async fn finish(mut self, context: &SilverContext, span: Span) -> Result<Vec<DataFile>> {
        let closed = std::mem::take(&mut self.open).into_values().map(|w| finish(context, w, span));
        self.done.extend(try_join_all(closed).await?);
        self.done.sort_by_key(|(n, _)| *n);
        Ok(self.done.into_iter().map(|(_, f)| f).collect())
    }

    /// The files' ids, by number.
    pub fn ids(&self) -> Vec<FileId> {
        self.ids.clone()
    }
}

async fn finish(context: &SilverContext, w: Writing, span: Span) -> Result<(u32, DataFile)> {
    Ok((w.number, w.writer.finish(&context.footer(context.table, w.id, span)).await?))
}

/// The span of a merge that is not committed yet.
pub(super) fn span(from: CommitSeq, to: CommitSeq) -> Span {
    Span::Watermark { from, to }
}
