//! Parquet rows as canonical JSON: the file's columns in its order, nulls written out.

use arrow_json::writer::LineDelimited;
use arrow_json::WriterBuilder;
use memchr::memchr_iter;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use parquet::errors::ParquetError;

use super::batch::{BatchBuilder, Oversize, Span};
use super::framer::Pull;
use super::source::{FileFault, SourceFile};
use crate::connectors::SourceError;

const BATCH_ROWS: usize = 1024;

/// A Parquet file's rows.
pub struct Rows {
    reader: ParquetRecordBatchReader,
    /// The next row to deliver.
    pub at: u64,
    limit: usize,
}

impl Rows {
    /// Reads rows from `at` on.
    pub fn open(file: &SourceFile, at: u64, limit: usize) -> Result<Self, FileFault> {
        let bad = |e: ParquetError| FileFault::of_parquet(&e);
        let builder = ParquetRecordBatchReaderBuilder::try_new(file.clone()).map_err(bad)?;
        let skip = usize::try_from(at).unwrap_or(usize::MAX);
        let reader = builder.with_batch_size(BATCH_ROWS).with_offset(skip).build().map_err(bad)?;
        Ok(Self { reader, at, limit })
    }

    /// Adds the next rows to the batch. `suffix` tells the file's version in each location.
    pub fn pull(&mut self, batch: &mut BatchBuilder, label: &str, suffix: &str) -> Result<Pull, SourceError> {
        let rows = match self.reader.next() {
            None => return Ok(Pull::End(0)),
            Some(Ok(rows)) => rows,
            Some(Err(e)) => return Ok(Pull::Fault(arrow_fault(e))),
        };
        let mut out = Vec::new();
        let mut writer = WriterBuilder::new().with_explicit_nulls(true).build::<_, LineDelimited>(&mut out);
        if let Err(e) = writer.write(&rows).and_then(|()| writer.finish()) {
            return Ok(Pull::Fault(FileFault::Bad("bad_parquet", format!("its rows cannot be written as JSON: {e}"))));
        }
        drop(writer);
        let (mut start, mut spans) = (0, Vec::with_capacity(rows.num_rows()));
        for end in memchr_iter(b'\n', &out) {
            if end - start > self.limit {
                batch.push_oversize(Oversize::whole(&out[start..end]), batch.rows + spans.len(), label, self.at);
            } else {
                spans.push(Span { at: start, len: end - start, place: self.at });
            }
            self.at += 1;
            start = end + 1;
        }
        batch.push(out, &spans, label, suffix)?;
        Ok(Pull::More)
    }
}

fn arrow_fault(e: arrow_schema::ArrowError) -> FileFault {
    match e {
        arrow_schema::ArrowError::ExternalError(inner) => match inner.downcast::<ParquetError>() {
            Ok(p) => FileFault::of_parquet(&p),
            Err(other) => FileFault::Bad("bad_parquet", other.to_string()),
        },
        other => FileFault::Bad("bad_parquet", other.to_string()),
    }
}
