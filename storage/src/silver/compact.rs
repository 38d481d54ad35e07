//! Fewer, larger files with the same rows: what to compact is decided purely, then done streaming.

use std::collections::{BTreeMap, HashMap};

use arrow_array::cast::AsArray;
use arrow_array::types::TimestampMicrosecondType;
use futures::TryStreamExt;
use lakewright_proto::FileId;
use roaring::RoaringTreemap;

use super::context::SilverContext;
use super::read::live_rows;
use super::session::{add_run, column};
use super::write::{span, Files};
use crate::deletion_vector;
use crate::error::{Result, StorageError};
use crate::keyindex::{record_id, Entry, Key, KeyIndex, State};
use crate::table::{BucketState, DataFile, SilverDelta};

/// A file below this is small.
const SMALL: u64 = 64 << 20;
/// Small files that a month may have.
const MAX_SMALL: usize = 8;
/// A file with a larger share of deleted rows is rewritten, in percent.
const MAX_DELETED: u64 = 30;
/// Bytes read by one compaction, so that it ends soon.
const MAX_BYTES: u64 = 512 << 20;

/// Files to merge, all of one month.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompactionPlan {
    inputs: Vec<FileId>,
}

impl CompactionPlan {
    /// These files, which are of one month.
    pub fn of(inputs: Vec<FileId>) -> Self {
        Self { inputs }
    }

    /// The files.
    pub fn inputs(&self) -> &[FileId] {
        &self.inputs
    }
}

/// What to compact next, if anything: the month with too many small files, or a large file of which much is
/// deleted. A small one waits for its neighbours: by itself it would be written again and again.
pub fn plan(state: &BucketState) -> Option<CompactionPlan> {
    let deleted: HashMap<FileId, u64> = state.deletion_vectors.iter().map(|v| (v.data_file, v.cardinality)).collect();
    let mut months: BTreeMap<&str, Vec<&DataFile>> = BTreeMap::new();
    let mut hollow = None;
    for file in &state.files {
        let gone = deleted.get(&file.id).copied().unwrap_or(0);
        if file.size < SMALL {
            months.entry(&file.partition).or_default().push(file);
        } else if gone * 100 > file.rows * MAX_DELETED {
            hollow = hollow.or(Some(CompactionPlan { inputs: vec![file.id] }));
        }
    }
    let fullest = months.into_values().max_by_key(Vec::len).filter(|files| files.len() > MAX_SMALL);
    let Some(mut small) = fullest else { return hollow };
    small.sort_by_key(|f| f.size);
    let mut bytes = 0;
    let inputs = small.into_iter().take_while(|f| {
        bytes += f.size;
        bytes <= MAX_BYTES
    });
    Some(CompactionPlan { inputs: inputs.map(|f| f.id).collect() })
}

/// Writes the inputs' live rows as one file. Answers the change, and the version of each input's
/// deletion vector that was read (0: none).
pub async fn execute(context: SilverContext, state: &BucketState, plan: &CompactionPlan) -> Result<(SilverDelta, Vec<(FileId, u32)>)> {
    let span = span(state.watermark, state.watermark);
    let index = KeyIndex::open(&context.store, &state.index, &context.blocks).await?;
    let mut files = Files::default();
    let mut read = Vec::new();
    let mut moved: HashMap<Key, (FileId, u32, u32, u32)> = HashMap::new();
    let mut scratch = Vec::new();
    for id in &plan.inputs {
        let file = state.files.iter().find(|f| f.id == *id);
        let file = file.ok_or_else(|| StorageError::corrupt("a compaction", format!("file {id} is not live")))?;
        let vector = state.deletion_vectors.iter().find(|v| v.data_file == *id);
        let deleted = match vector {
            Some(v) => deletion_vector::read(&context.store, v).await?,
            None => RoaringTreemap::new(),
        };
        read.push((*id, vector.map_or(0, |v| v.version)));
        let mut live = (0..file.rows).filter(|r| !deleted.contains(*r));
        let mut batches = live_rows(&context.store, file, &deleted, None).await?;
        while let Some(batch) = batches.try_next().await? {
            let batch = super::verify::conform(&batch, &context.schema)?;
            let scopes = column(&batch, "_key_scope")?.as_string::<i32>();
            let keys = column(&batch, "_source_key")?.as_string::<i32>();
            let partitions = column(&batch, "_partition_at")?.as_primitive::<TimestampMicrosecondType>();
            let at = partitions.value(0);
            let (scopes, keys) = (scopes.clone(), keys.clone());
            let n = batch.num_rows();
            let put = files.append(&context, vec![(at, batch)], span).await?;
            let (number, first) = put.first().copied().ok_or_else(|| StorageError::corrupt("a compaction", "rows went to no file"))?;
            for row in 0..n {
                let key = record_id(context.tenant, &context.entity, scopes.value(row), keys.value(row), &mut scratch);
                let old = live.next().ok_or_else(|| StorageError::corrupt(&file.path, "it has more rows than the catalog says"))?;
                moved.insert(key, (*id, old as u32, number, first + row as u32));
            }
        }
    }
    let ids = files.ids();
    let mut delta = SilverDelta { added: files.finish(&context, span).await?, removed: plan.inputs.clone(), ..SilverDelta::default() };
    let mut keys: Vec<Key> = moved.keys().copied().collect();
    keys.sort_unstable();
    let mut entries: Vec<Entry> = Vec::with_capacity(keys.len());
    index
        .lookup(&keys, |entry| {
            if let Some((file, row, number, new_row)) = moved.get(&entry.key) {
                if entry.state == (State::Live { file: *file, row: *row }) {
                    entries.push(Entry { state: State::Live { file: ids[*number as usize], row: *new_row }, ..entry });
                }
            }
        })
        .await?;
    if entries.len() != moved.len() {
        let why = format!("it has {} live rows, and the key index knows {} of them; run `table verify`", moved.len(), entries.len());
        return Err(StorageError::corrupt(format!("table {}", context.name), why));
    }
    entries.sort_unstable_by_key(|e| e.key);
    add_run(&context, state, index.runs(), entries, &mut delta).await?;
    Ok((delta, read))
}
