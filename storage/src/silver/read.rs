//! Reading Silver files: the live rows of one, or given rows of one.

use arrow_array::RecordBatch;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, RowSelection, RowSelector};
use parquet::arrow::async_reader::{ParquetObjectReader, ParquetRecordBatchStreamBuilder};
use parquet::arrow::ProjectionMask;
use parquet::file::metadata::PageIndexPolicy;
use roaring::RoaringTreemap;

use crate::error::Result;
use crate::object::Store;
use crate::table::DataFile;

/// Rows of a batch read: rows of many columns take kilobytes each, and a merge reads several files at once.
const BATCH: usize = 2_048;

/// The rows of a file that are not deleted, in file order. `columns`: only these top-level ones.
pub async fn live_rows(
    store: &Store,
    file: &DataFile,
    deleted: &RoaringTreemap,
    columns: Option<&[&str]>,
) -> Result<BoxStream<'static, Result<RecordBatch>>> {
    let mut selectors = Vec::new();
    let mut at = 0u64;
    for row in deleted {
        if row > at {
            selectors.push(RowSelector::select((row - at) as usize));
        }
        selectors.push(RowSelector::skip(1));
        at = row + 1;
    }
    if at < file.rows {
        selectors.push(RowSelector::select((file.rows - at) as usize));
    }
    select(store, file, selectors.into(), columns).await
}

/// All rows of a file that never loses one, in file order.
pub async fn all_rows(store: &Store, file: &DataFile, columns: &[&str]) -> Result<BoxStream<'static, Result<RecordBatch>>> {
    live_rows(store, file, &RoaringTreemap::new(), Some(columns)).await
}

/// Given rows of a file, in file order; only the pages that hold them are read.
pub async fn rows_at(
    store: &Store,
    file: &DataFile,
    rows: &RoaringTreemap,
    columns: Option<&[&str]>,
) -> Result<BoxStream<'static, Result<RecordBatch>>> {
    let mut selectors = Vec::new();
    let mut at = 0u64;
    for row in rows {
        if row > at {
            selectors.push(RowSelector::skip((row - at) as usize));
        }
        selectors.push(RowSelector::select(1));
        at = row + 1;
    }
    select(store, file, selectors.into(), columns).await
}

async fn select(
    store: &Store,
    file: &DataFile,
    selection: RowSelection,
    columns: Option<&[&str]>,
) -> Result<BoxStream<'static, Result<RecordBatch>>> {
    let mut reader = ParquetObjectReader::new(store.inner().clone(), file.path.as_str().into()).with_file_size(file.size);
    let options = ArrowReaderOptions::new().with_page_index_policy(PageIndexPolicy::Optional);
    let metadata = ArrowReaderMetadata::load_async(&mut reader, options).await?;
    let mut builder =
        ParquetRecordBatchStreamBuilder::new_with_metadata(reader, metadata).with_batch_size(BATCH).with_row_selection(selection);
    if let Some(columns) = columns {
        let mask = ProjectionMask::columns(builder.parquet_schema(), columns.iter().copied());
        builder = builder.with_projection(mask);
    }
    Ok(builder.build()?.map_err(crate::StorageError::from).boxed())
}
