//! The live rows of a bucket as digests in key order: sorted pieces are written as runs and merged
//! while they are read, so that memory does not grow with the table.

use arrow::row::{RowConverter, SortField};
use arrow_array::cast::AsArray;
use arrow_array::RecordBatch;
use futures::TryStreamExt;
use lakewright_proto::{CommitSeq, FileId, RecordAddress, ShardId};
use roaring::RoaringTreemap;
use xxhash_rust::xxh3::xxh3_128;

use super::context::SilverContext;
use super::read::live_rows;
use super::session::column;
use super::verify::conform;
use crate::deletion_vector;
use crate::error::{Result, StorageError};
use crate::keyindex::{record_id, Entry, Key, Merged, RunReader, RunWriter, State};
use crate::paths::SilverPart;
use crate::table::{BucketState, DataFile};

/// Rows sorted in memory at a time, 48 bytes each.
const PIECE: usize = 400_000;

/// One row: its key, the hash of all of its columns, and where it is.
struct Digest {
    key: Key,
    hash: u128,
    file: u32,
    row: u32,
}

/// The digests of a bucket, ready to be read in key order.
pub(super) struct Digests {
    /// Live rows, those with the key of another included.
    pub rows: u64,
    runs: Vec<RunReader>,
}

impl Digests {
    /// Reads all live rows of a bucket; of each the hash is of these columns. `scratch` is where the sorted pieces are written.
    pub async fn of(
        context: &SilverContext,
        state: &BucketState,
        scratch: &SilverContext,
        columns: &[usize],
        read: &(dyn Fn(u64) + Sync),
    ) -> Result<Self> {
        let mut me = Self { rows: 0, runs: Vec::new() };
        let mut piece: Vec<Digest> = Vec::new();
        let fields = columns.iter().map(|i| SortField::new(context.schema.field(*i).data_type().clone())).collect();
        let converter = RowConverter::new(fields)?;
        for (number, file) in (0u32..).zip(&state.files) {
            let deleted = deleted(context, state, file).await?;
            let mut places = (0..file.rows).filter(|r| !deleted.contains(*r));
            let mut batches = live_rows(&context.store, file, &deleted, None).await?;
            while let Some(batch) = batches.try_next().await? {
                let batch = conform(&batch, &context.schema)?;
                add(context, columns, &converter, &batch, number, &mut places, &mut piece)
                    .map_err(|e| StorageError::corrupt(&file.path, e.to_string()))?;
                me.rows += batch.num_rows() as u64;
                read(batch.num_rows() as u64);
                if piece.len() >= PIECE {
                    me.spill(&state.files, scratch, &mut piece).await?;
                }
            }
            if places.next().is_some() {
                return Err(StorageError::corrupt(&file.path, "it has fewer rows than the catalog says"));
            }
        }
        me.spill(&state.files, scratch, &mut piece).await?;
        Ok(me)
    }

    /// Writes a piece as a run.
    async fn spill(&mut self, files: &[DataFile], scratch: &SilverContext, piece: &mut Vec<Digest>) -> Result<()> {
        piece.sort_unstable_by_key(|d| d.key);
        // Of rows with one key one is enough: that there are more is seen by their count.
        piece.dedup_by_key(|d| d.key);
        if piece.is_empty() {
            return Ok(());
        }
        let id = FileId::generate();
        let order = self.runs.len() as u64 + 1;
        let path = scratch.key(SilverPart::Index, id).to_string();
        let mut writer = RunWriter::new(&scratch.store, id, path, order, piece.len() as u64);
        for d in piece.drain(..) {
            let file = files.get(d.file as usize).map(|f| f.id);
            let file = file.ok_or_else(|| StorageError::corrupt("a digest", "its file is not listed"))?;
            writer.add(&entry(&d, file)).await?;
        }
        let run = writer.finish().await?;
        self.runs.push(RunReader::open(&scratch.store, &run, &scratch.blocks).await?);
        Ok(())
    }

    /// Reads them in key order.
    pub async fn in_order(&self) -> Result<Merged> {
        Merged::open(&self.runs).await
    }
}

/// The columns that are compared: those that are looked up only where they are of the same state of the other tables.
pub(super) fn compared(context: &SilverContext) -> Vec<usize> {
    let unsettled = context.lookups.as_ref().filter(|l| !l.is_settled());
    let is_compared = |name: &str| unsettled.is_none_or(|l| !l.columns().any(|c| c == name));
    (0..context.schema.fields().len()).filter(|i| is_compared(context.schema.field(*i).name())).collect()
}

/// A digest in the form of an index entry; only key, hash and place mean something.
fn entry(d: &Digest, file: FileId) -> Entry {
    Entry {
        key: d.key,
        version: 0,
        commit: CommitSeq(0),
        address: RecordAddress { shard: ShardId(0), offset: 0 },
        hash: d.hash,
        partition_at: 0,
        state: State::Live { file, row: d.row },
    }
}

async fn deleted(context: &SilverContext, state: &BucketState, file: &DataFile) -> Result<RoaringTreemap> {
    match state.deletion_vectors.iter().find(|v| v.data_file == file.id) {
        Some(v) => deletion_vector::read(&context.store, v).await,
        None => Ok(RoaringTreemap::new()),
    }
}

fn add(
    context: &SilverContext,
    columns: &[usize],
    converter: &RowConverter,
    batch: &RecordBatch,
    file: u32,
    places: &mut impl Iterator<Item = u64>,
    out: &mut Vec<Digest>,
) -> Result<()> {
    let scopes = column(batch, "_key_scope")?.as_string::<i32>();
    let keys = column(batch, "_source_key")?.as_string::<i32>();
    let picked: Vec<_> = columns.iter().map(|i| std::sync::Arc::clone(batch.column(*i))).collect();
    let rows = converter.convert_columns(&picked)?;
    let mut scratch = Vec::new();
    for row in 0..batch.num_rows() {
        let place = places.next().ok_or_else(|| StorageError::corrupt("the file", "it has more rows than the catalog says"))?;
        let key = record_id(context.tenant, &context.entity, scopes.value(row), keys.value(row), &mut scratch);
        out.push(Digest { key, hash: xxh3_128(rows.row(row).as_ref()), file, row: place as u32 });
    }
    Ok(())
}

/// One live row of a bucket.
pub(super) async fn row_at(context: &SilverContext, state: &BucketState, place: State) -> Result<Option<RecordBatch>> {
    let State::Live { file, row } = place else { return Ok(None) };
    let Some(file) = state.files.iter().find(|f| f.id == file) else { return Ok(None) };
    let wanted: RoaringTreemap = std::iter::once(u64::from(row)).collect();
    let mut batches = super::read::rows_at(&context.store, file, &wanted, None).await?;
    match batches.try_next().await? {
        Some(batch) => Ok(Some(conform(&batch, &context.schema)?)),
        None => Ok(None),
    }
}
