//! One merge of a bucket, from the first batch to the change that is committed.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use arrow::compute::take_record_batch;
use arrow_array::cast::AsArray;
use arrow_array::types::{Int64Type, TimestampMicrosecondType};
use arrow_array::{Array as _, ArrayRef, FixedSizeBinaryArray, Int64Array, RecordBatch, TimestampMicrosecondArray, UInt32Array};
use lakewright_proto::{CommitSeq, FileId, RecordAddress, ShardId};
use roaring::RoaringTreemap;
use xxhash_rust::xxh3::Xxh3Builder;

use super::changes::{write_changes, Cause, Changed};
use super::context::SilverContext;
use super::slot::{Incoming, Place, Slot};
use super::write::{span, Files};
use crate::deletion_vector;
use crate::error::{Result, StorageError};
use crate::keyindex::{merge_plan, merge_runs, Entry, Key, KeyIndex, RunReader, RunWriter, State};
use crate::paths::{Month, SilverPart};
use crate::table::{BucketState, DataFile, OutcomeCounts, SilverDelta};

/// Accepted rows of one Bronze commit, in offset order.
pub struct MergeBatch {
    /// Rows in the table's schema; `_commit_seq` and `_partition_at` are set by the merge.
    pub rows: RecordBatch,
    /// The key of each row.
    pub keys: FixedSizeBinaryArray,
    /// The version of each row.
    pub versions: Int64Array,
    /// 0: upsert, 1: delete, 2: absent from a list.
    pub operations: Vec<i8>,
    /// Hash of each row's typed content.
    pub content_hash: Vec<u128>,
}

/// A merge under way. Memory: some hundred bytes a key that it touches, and the row groups being
/// encoded; rows themselves leave as they come.
pub struct MergeSession {
    pub(super) context: SilverContext,
    pub(super) state: BucketState,
    index: KeyIndex,
    pub(super) slots: HashMap<Key, Slot, Xxh3Builder>,
    pub(super) files: Files,
    /// Rows of files of this merge that were replaced within it, by file number.
    dead_new: BTreeMap<u32, RoaringTreemap>,
    /// Rows of older files that end.
    pub(super) dead_old: BTreeMap<FileId, RoaringTreemap>,
    outcomes: Vec<(CommitSeq, OutcomeCounts)>,
}

impl MergeSession {
    /// Begins over a bucket's state.
    pub async fn open(context: SilverContext, state: BucketState) -> Result<Self> {
        let index = KeyIndex::open(&context.store, &state.index, &context.blocks).await?;
        Ok(Self {
            context,
            state,
            index,
            slots: HashMap::default(),
            files: Files::default(),
            dead_new: BTreeMap::new(),
            dead_old: BTreeMap::new(),
            outcomes: Vec::new(),
        })
    }

    /// Takes a commit that has no row for this table.
    pub fn apply_empty(&mut self, commit: CommitSeq) -> Result<()> {
        self.counts(commit).map(|_| ())
    }

    fn counts(&mut self, commit: CommitSeq) -> Result<usize> {
        match self.outcomes.last() {
            Some((last, _)) if *last == commit => {}
            Some((last, _)) if *last > commit => {
                return Err(StorageError::corrupt("a merge", format!("commit {commit} comes after {last}")));
            }
            _ => self.outcomes.push((commit, OutcomeCounts::default())),
        }
        Ok(self.outcomes.len() - 1)
    }

    /// Takes rows of a commit. Commits come in order.
    pub async fn apply(&mut self, commit: CommitSeq, batch: MergeBatch) -> Result<()> {
        let batch = self.conform(batch)?;
        let at = self.counts(commit)?;
        self.load_slots(&batch.keys).await?;
        let writes = self.decide(commit, &batch, at)?;
        if !writes.is_empty() {
            self.write(commit, &batch, writes).await?;
        }
        Ok(())
    }

    /// A batch in the table's schema. One of an older pack has fewer columns; one of a newer pack
    /// than this merge was begun with is for the next merge.
    fn conform(&self, batch: MergeBatch) -> Result<MergeBatch> {
        let schema = &self.context.schema;
        if batch.rows.schema_ref().fields().iter().any(|f| schema.index_of(f.name()).is_err()) {
            let message = format!("table {} has got columns since this merge began; begin it again", self.context.name);
            return Err(lakewright_proto::Error::new(lakewright_proto::ErrorCode::Conflict, message).into());
        }
        Ok(MergeBatch { rows: super::verify::conform(&batch.rows, schema)?, ..batch })
    }

    /// Looks up the keys that this merge has not met yet.
    pub(super) async fn load_slots(&mut self, keys: &FixedSizeBinaryArray) -> Result<()> {
        let mut unknown: Vec<Key> = (0..keys.len()).map(|row| key(keys, row)).collect::<Result<_>>()?;
        unknown.retain(|k| !self.slots.contains_key(k));
        unknown.sort_unstable();
        unknown.dedup();
        self.slots.reserve(unknown.len());
        for k in &unknown {
            self.slots.insert(*k, Slot::of(None));
        }
        let slots = &mut self.slots;
        self.index
            .lookup(&unknown, |entry| {
                slots.insert(entry.key, Slot::of(Some(entry)));
            })
            .await
    }

    /// Decides row by row; answers the rows to write: of a key met several times, only the last.
    fn decide(&mut self, commit: CommitSeq, batch: &MergeBatch, at: usize) -> Result<Vec<u32>> {
        let column = |name: &str| column(&batch.rows, name);
        let shards = column("_address_shard")?.as_primitive::<Int64Type>();
        let offsets = column("_address_offset")?.as_primitive::<Int64Type>();
        let partitions = column("_partition_at")?.as_primitive::<TimestampMicrosecondType>();
        let mut writes = vec![false; batch.rows.num_rows()];
        let counts = &mut self.outcomes[at].1;
        for row in 0..batch.rows.num_rows() {
            let key = key(&batch.keys, row)?;
            let Some(slot) = self.slots.get_mut(&key) else {
                return Err(StorageError::corrupt("a merge", "a key was not looked up"));
            };
            let address = RecordAddress { shard: ShardId(shards.value(row) as u64), offset: offsets.value(row) as u64 };
            let entry = Entry {
                key,
                version: batch.versions.value(row),
                commit,
                address,
                hash: batch.content_hash[row],
                partition_at: partitions.value(row),
                state: State::Tombstone,
            };
            let effect = slot.apply(
                Incoming {
                    entry,
                    delete: batch.operations[row] != 0,
                    absent: batch.operations[row] == 2,
                    row: row as u32,
                    by_content: self.context.by_content,
                },
                counts,
            );
            writes[row] = effect.writes;
            match effect.ends {
                Some(Place::Old(file, old)) => {
                    self.dead_old.entry(file).or_default().insert(u64::from(old));
                }
                Some(Place::New(file, old)) => {
                    self.dead_new.entry(file).or_default().insert(u64::from(old));
                }
                Some(Place::Batch(earlier)) => writes[earlier as usize] = false,
                None => {}
            }
        }
        Ok((0u32..).zip(writes).filter_map(|(row, w)| w.then_some(row)).collect())
    }

    /// Writes rows to the files of their months.
    async fn write(&mut self, commit: CommitSeq, batch: &MergeBatch, writes: Vec<u32>) -> Result<()> {
        let mut by_month: BTreeMap<String, (i64, Vec<u32>)> = BTreeMap::new();
        let mut partitions = Vec::with_capacity(batch.rows.num_rows());
        let mut last: Option<(i64, String)> = None;
        for row in 0..batch.rows.num_rows() {
            let k = key(&batch.keys, row)?;
            partitions.push(self.slots.get(&k).and_then(|s| s.entry).map_or(0, |e| e.partition_at));
        }
        for row in writes {
            let at = partitions[row as usize];
            // Rows that follow each other are mostly of one day: its month is spelt once.
            let day = at.div_euclid(86_400_000_000);
            if last.as_ref().is_none_or(|(d, _)| *d != day) {
                last = Some((day, Month::of_micros(at).to_string()));
            }
            if let Some((_, month)) = &last {
                match by_month.get_mut(month) {
                    Some((_, rows)) => rows.push(row),
                    None => {
                        by_month.insert(month.clone(), (at, vec![row]));
                    }
                }
            }
        }
        let rows = with_columns(&batch.rows, commit, partitions)?;
        let rows = match &self.context.lookups {
            Some(lookups) => lookups.fill(&rows).await?,
            None => rows,
        };
        let span = span(self.state.watermark, commit);
        let mut parts = Vec::with_capacity(by_month.len());
        for (at, picked) in by_month.values() {
            let whole = picked.len() == rows.num_rows();
            parts.push((*at, if whole { rows.clone() } else { take_record_batch(&rows, &UInt32Array::from(picked.clone()))? }));
        }
        let put = self.files.append(&self.context, parts, span).await?;
        for ((_, picked), (file, first)) in by_month.values().zip(put) {
            for (i, row) in (0u32..).zip(picked) {
                let k = key(&batch.keys, *row as usize)?;
                if let Some(slot) = self.slots.get_mut(&k) {
                    slot.place = Some(Place::New(file, first + i));
                }
            }
        }
        Ok(())
    }

    /// Ends the merge: files, vectors, index and changes are durable, and named by the answer alone.
    pub async fn finish(self) -> Result<SilverDelta> {
        self.end(true).await
    }

    /// The same without change rows: for a table that nobody follows.
    pub async fn finish_without_changes(self) -> Result<SilverDelta> {
        self.end(false).await
    }

    async fn end(self, with_changes: bool) -> Result<SilverDelta> {
        let Self { context, state, index, slots, files, dead_new, dead_old, outcomes } = self;
        let to = outcomes.last().map_or(state.watermark, |(c, _)| *c);
        let span = span(state.watermark, to);
        let file_ids = files.ids();
        let added = files.finish(&context, span).await?;
        let mut delta = SilverDelta { outcomes, ..SilverDelta::default() };
        delta.deletion_vectors = vectors(&context, &state, &added, &file_ids, dead_new, dead_old).await?;
        write_index(&context, &state, &index, &slots, &file_ids, &mut delta).await?;
        if with_changes {
            // A session either takes commits or looks up anew.
            let cause = if delta.outcomes.is_empty() { Cause::Lookup } else { Cause::Source };
            let changed = Changed::of(slots.values(), &file_ids);
            delta.changes = write_changes(&context, &state, &added, changed, to, cause).await?;
        }
        delta.added = added;
        Ok(delta)
    }
}

async fn vectors(
    context: &SilverContext,
    state: &BucketState,
    added: &[DataFile],
    file_ids: &[FileId],
    dead_new: BTreeMap<u32, RoaringTreemap>,
    dead_old: BTreeMap<FileId, RoaringTreemap>,
) -> Result<Vec<crate::table::DeletionVectorRef>> {
    let mut out = Vec::new();
    let new = dead_new.into_iter().map(|(n, rows)| (file_ids[n as usize], rows));
    for (file, mut rows) in new.chain(dead_old) {
        let data = added.iter().chain(&state.files).find(|f| f.id == file);
        let data = data.ok_or_else(|| StorageError::corrupt("a merge", format!("it ends rows of file {file}, which is not live")))?;
        let mut version = 1;
        if let Some(old) = state.deletion_vectors.iter().find(|v| v.data_file == file) {
            rows |= deletion_vector::read(&context.store, old).await?;
            version = old.version + 1;
        }
        let path = context.key(SilverPart::DeletionVector, FileId::generate()).to_string();
        out.push(deletion_vector::write(&context.store, path, file, &data.path, version, &rows).await?);
    }
    Ok(out)
}

/// Writes the changed entries as a new run, merged with older runs where that is due.
async fn write_index(
    context: &SilverContext,
    state: &BucketState,
    index: &KeyIndex,
    slots: &HashMap<Key, Slot, Xxh3Builder>,
    file_ids: &[FileId],
    delta: &mut SilverDelta,
) -> Result<()> {
    let mut entries: Vec<Entry> = Vec::new();
    for slot in slots.values().filter(|s| s.dirty || s.seen) {
        let Some(entry) = slot.entry else { continue };
        let entry_state = match slot.place {
            Some(Place::New(file, row)) => State::Live { file: file_ids[file as usize], row },
            Some(Place::Old(file, row)) => State::Live { file, row },
            Some(Place::Batch(_)) => return Err(StorageError::corrupt("a merge", "a decided row was not written")),
            None => State::Tombstone,
        };
        entries.push(Entry { state: entry_state, ..entry });
    }
    entries.sort_unstable_by_key(|e| e.key);
    add_run(context, state, index.runs(), entries, delta).await
}

/// Writes sorted entries as a run; readers of the older runs are newest first.
pub(super) async fn add_run(
    context: &SilverContext,
    state: &BucketState,
    older: &[RunReader],
    entries: Vec<Entry>,
    delta: &mut SilverDelta,
) -> Result<()> {
    if entries.is_empty() {
        return Ok(());
    }
    let order = state.index.iter().map(|r| r.level_order).max().unwrap_or(0) + 1;
    let count = entries.len() as u64;
    let merged = &older[..merge_plan(&state.index, count).min(older.len())];
    let expected = count + merged.iter().map(|r| r.run().entries).sum::<u64>();
    let id = FileId::generate();
    let writer = RunWriter::new(&context.store, id, context.key(SilverPart::Index, id).to_string(), order, expected);
    delta.index_added.push(merge_runs(entries, merged, writer).await?);
    delta.index_removed.extend(merged.iter().map(|r| r.run().id));
    Ok(())
}

pub(super) fn key(keys: &FixedSizeBinaryArray, row: usize) -> Result<Key> {
    keys.value(row).try_into().map_err(|_| StorageError::corrupt("a batch", "its keys are not of 16 bytes"))
}

pub(super) fn column<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a ArrayRef> {
    batch.column_by_name(name).ok_or_else(|| StorageError::corrupt("a batch", format!("it has no column {name}")))
}

/// Sets the columns that only the merge knows.
fn with_columns(rows: &RecordBatch, commit: CommitSeq, partitions: Vec<i64>) -> Result<RecordBatch> {
    let mut columns = rows.columns().to_vec();
    let n = rows.num_rows();
    let at = |name: &str| rows.schema_ref().index_of(name);
    columns[at("_commit_seq")?] = Arc::new(Int64Array::from_value(commit.0 as i64, n));
    columns[at("_partition_at")?] = Arc::new(TimestampMicrosecondArray::from(partitions).with_timezone("UTC"));
    Ok(RecordBatch::try_new(rows.schema(), columns)?)
}
