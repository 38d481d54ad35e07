//! Reading a data file back: whole, by a range of record offsets, or by a list of them. Offsets are
//! found through the page index, so only the pages that hold them are fetched and decoded.

use std::ops::Range;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use object_store::path::Path;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, RowSelection, RowSelector};
use parquet::arrow::async_reader::{ParquetObjectReader, ParquetRecordBatchStreamBuilder};
use parquet::arrow::ProjectionMask;
use parquet::file::metadata::PageIndexPolicy;
use parquet::file::page_index::column_index::ColumnIndexMetaData;

use super::footer::Footer;
use crate::error::{Result, StorageError};
use crate::object::Store;

/// The column that addresses are looked up in.
const OFFSET: &str = "_offset";
/// Rows decoded at a time.
const BATCH_ROWS: usize = 8192;

/// An opened data file: its metadata is read, its rows are not. Cheap to keep.
#[derive(Clone)]
pub struct FileReader {
    store: Store,
    path: String,
    size: u64,
    metadata: ArrowReaderMetadata,
}

impl FileReader {
    /// Opens a file of known size (the catalog knows it).
    pub async fn open(store: &Store, path: &str, size: u64) -> Result<Self> {
        let mut input = input(store, path, size)?;
        let options = ArrowReaderOptions::new().with_page_index_policy(PageIndexPolicy::Optional);
        let metadata = ArrowReaderMetadata::load_async(&mut input, options).await.map_err(|e| damaged(path, e))?;
        Ok(Self { store: store.clone(), path: path.to_owned(), size, metadata })
    }

    /// The file's label.
    pub fn footer(&self) -> Result<Footer> {
        Footer::decode(&self.path, self.metadata.metadata().file_metadata().key_value_metadata())
    }

    /// Rows in the file.
    pub fn rows(&self) -> u64 {
        u64::try_from(self.metadata.metadata().file_metadata().num_rows()).unwrap_or(0)
    }

    /// The columns.
    pub fn schema(&self) -> &SchemaRef {
        self.metadata.schema()
    }

    /// All rows, in file order. `columns`: only these top-level ones.
    pub fn stream(&self, columns: Option<&[&str]>) -> Result<BoxStream<'static, Result<RecordBatch>>> {
        self.select(columns, None)
    }

    /// The rows whose `_offset` lies in the range, in file order.
    pub async fn read_range(&self, offsets: Range<u64>, columns: Option<&[&str]>) -> Result<BoxStream<'static, Result<RecordBatch>>> {
        let (first, end) = (to_i64(offsets.start), to_i64(offsets.end));
        self.matching(columns, |lo, hi| lo < end && hi >= first, |o| (first..end).contains(&o)).await
    }

    /// The rows at these offsets (sorted, ascending), in file order. Offsets that are not in the
    /// file are passed over: compare counts where all must be there.
    pub async fn read_offsets(&self, offsets: &[u64], columns: Option<&[&str]>) -> Result<BoxStream<'static, Result<RecordBatch>>> {
        let wanted: Vec<i64> = offsets.iter().map(|o| to_i64(*o)).collect();
        let may = |lo: i64, hi: i64| wanted.partition_point(|o| *o < lo) < wanted.partition_point(|o| *o <= hi);
        self.matching(columns, may, |o| wanted.binary_search(&o).is_ok()).await
    }

    /// Reads `_offset` in the pages that may match, then every column in exactly the rows that do.
    async fn matching(
        &self,
        columns: Option<&[&str]>,
        page_may: impl Fn(i64, i64) -> bool,
        row_does: impl Fn(i64) -> bool,
    ) -> Result<BoxStream<'static, Result<RecordBatch>>> {
        let candidates = self.candidate_rows(page_may);
        let mut offsets = self.select(Some(&[OFFSET]), Some(selection(&candidates)))?;
        // Row numbers of the candidates, in step with the batches.
        let mut rows = candidates.iter().flat_map(Clone::clone);
        let mut hits: Vec<Range<usize>> = Vec::new();
        while let Some(batch) = offsets.try_next().await? {
            let column = batch
                .column(0)
                .as_primitive_opt::<Int64Type>()
                .ok_or_else(|| StorageError::corrupt(&self.path, "its _offset column is not Int64"))?;
            for (offset, row) in column.values().iter().zip(&mut rows) {
                if row_does(*offset) {
                    match hits.last_mut() {
                        Some(last) if last.end == row => last.end += 1,
                        _ => hits.push(row..row + 1),
                    }
                }
            }
        }
        self.select(columns, Some(selection(&hits)))
    }

    /// Row ranges whose page may hold a match, by the page index; whole row groups without one.
    fn candidate_rows(&self, page_may: impl Fn(i64, i64) -> bool) -> Vec<Range<usize>> {
        let meta = self.metadata.metadata();
        let column = meta.file_metadata().schema_descr().columns().iter().position(|c| c.path().string() == OFFSET);
        let mut out: Vec<Range<usize>> = Vec::new();
        let mut push = |r: Range<usize>| match out.last_mut() {
            Some(last) if last.end == r.start => last.end = r.end,
            _ => out.push(r),
        };
        let mut start = 0usize;
        for (g, group) in meta.row_groups().iter().enumerate() {
            let end = start + usize::try_from(group.num_rows()).unwrap_or(0);
            let pages = column.and_then(|c| {
                let index = meta.column_index()?.get(g)?.get(c)?;
                let places = meta.offset_index()?.get(g)?.get(c)?.page_locations();
                match index {
                    ColumnIndexMetaData::INT64(i) if !places.is_empty() => Some((i, places)),
                    _ => None,
                }
            });
            match pages {
                None => push(start..end),
                Some((index, places)) => {
                    for (p, place) in places.iter().enumerate() {
                        let may = match (index.min_value(p), index.max_value(p)) {
                            (Some(lo), Some(hi)) => page_may(*lo, *hi),
                            _ => true,
                        };
                        let row = |at: i64| start + usize::try_from(at).unwrap_or(0);
                        if may {
                            push(row(place.first_row_index)..places.get(p + 1).map_or(end, |n| row(n.first_row_index)));
                        }
                    }
                }
            }
            start = end;
        }
        out
    }

    fn select(&self, columns: Option<&[&str]>, rows: Option<RowSelection>) -> Result<BoxStream<'static, Result<RecordBatch>>> {
        if rows.as_ref().is_some_and(|r| !r.selects_any()) {
            return Ok(futures::stream::empty().boxed());
        }
        let input = input(&self.store, &self.path, self.size)?;
        let mut b = ParquetRecordBatchStreamBuilder::new_with_metadata(input, self.metadata.clone()).with_batch_size(BATCH_ROWS);
        if let Some(names) = columns {
            b = b.with_projection(ProjectionMask::columns(self.metadata.metadata().file_metadata().schema_descr(), names.iter().copied()));
        }
        if let Some(rows) = rows {
            b = b.with_row_selection(rows);
        }
        let path = self.path.clone();
        Ok(b.build()?.map_err(move |e| damaged(&path, e)).boxed())
    }
}

fn selection(ranges: &[Range<usize>]) -> RowSelection {
    let mut at = 0;
    let mut selectors = Vec::with_capacity(ranges.len() * 2);
    for r in ranges {
        selectors.extend([RowSelector::skip(r.start - at), RowSelector::select(r.len())]);
        at = r.end;
    }
    RowSelection::from(selectors)
}

fn to_i64(offset: u64) -> i64 {
    i64::try_from(offset).unwrap_or(i64::MAX)
}

fn input(store: &Store, path: &str, size: u64) -> Result<ParquetObjectReader> {
    let location = Path::parse(path).map_err(|e| StorageError::ObjectStore(e.into()))?;
    Ok(ParquetObjectReader::new(store.inner().clone(), location).with_file_size(size).with_footer_size_hint(64 << 10))
}

/// A failed fetch is the store's; anything else is the file's.
fn damaged(path: &str, e: parquet::errors::ParquetError) -> StorageError {
    match e {
        parquet::errors::ParquetError::External(cause) => match cause.downcast::<object_store::Error>() {
            Ok(store) => StorageError::ObjectStore(*store),
            Err(other) => StorageError::corrupt(path, other.to_string()),
        },
        other => StorageError::corrupt(path, other.to_string()),
    }
}
