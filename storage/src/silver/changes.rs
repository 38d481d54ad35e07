//! The change rows of a merge: for each key the net of it, insert, update with before and after,
//! or delete. Rows are read back from the files: none is held for it while the merge goes on.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use arrow_array::builder::StringBuilder;
use arrow_array::{new_null_array, ArrayRef, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use futures::TryStreamExt;
use lakewright_proto::{CommitSeq, FileId};
use roaring::RoaringTreemap;

use super::context::SilverContext;
use super::read::rows_at;
use super::slot::{Place, Slot};
use super::write::span;
use crate::error::{Result, StorageError};
use crate::parquet::{FileWriter, Profile, Span};
use crate::paths::{Month, SilverPart};
use crate::table::{BucketState, DataFile};

/// Change rows below which one file is enough.
const ROWS_A_FILE: usize = 20_000;

/// Rows that changed, by file.
#[derive(Default)]
pub(super) struct Changed {
    /// Rows of older files that ended, and whether a new row took their place.
    before: BTreeMap<FileId, BTreeMap<u64, bool>>,
    /// Rows of new files that are live, and whether they took the place of an older one.
    after: BTreeMap<FileId, BTreeMap<u64, bool>>,
}

/// Why rows changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The source's records.
    Source,
    /// What rows look up in other tables.
    Lookup,
    /// The table was made again from Bronze.
    Rebuild,
}

impl Cause {
    fn name(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Lookup => "lookup",
            Self::Rebuild => "rebuild",
        }
    }
}

impl Changed {
    /// One key: the row that ended, the row that is live.
    pub fn insert(&mut self, before: Option<(FileId, u32)>, after: Option<(FileId, u32)>) {
        if let Some((file, row)) = before {
            self.before.entry(file).or_default().insert(u64::from(row), after.is_some());
        }
        if let Some((file, row)) = after {
            self.after.entry(file).or_default().insert(u64::from(row), before.is_some());
        }
    }

    /// The net of all keys.
    pub fn of<'a>(slots: impl Iterator<Item = &'a Slot>, file_ids: &[FileId]) -> Self {
        let mut me = Self::default();
        for slot in slots.filter(|s| s.dirty) {
            let after = match slot.place {
                Some(Place::New(file, row)) => Some((file_ids[file as usize], row)),
                _ => None,
            };
            me.insert(slot.base, after);
        }
        me
    }
}

/// Rows of one file that a change file takes, and what their changes are called.
struct Share<'a> {
    file: &'a DataFile,
    rows: BTreeMap<u64, bool>,
    names: [&'static str; 2],
}

/// Writes the change files, if anything changed: several side by side where there is much, since
/// nothing else of the merge goes on meanwhile.
pub(super) async fn write_changes(
    context: &SilverContext,
    state: &BucketState,
    added: &[DataFile],
    changed: Changed,
    to: CommitSeq,
    cause: Cause,
) -> Result<Vec<DataFile>> {
    let files: HashMap<FileId, &DataFile> = state.files.iter().chain(added).map(|f| (f.id, f)).collect();
    let mut shares = Vec::new();
    for (rows_by_file, names) in [(changed.before, ["delete", "update_before"]), (changed.after, ["insert", "update_after"])] {
        for (file, rows) in rows_by_file {
            let file = files.get(&file).ok_or_else(|| StorageError::corrupt("a merge", format!("file {file} is not live")))?;
            shares.push(Share { file, rows, names });
        }
    }
    let total: usize = shares.iter().map(|s| s.rows.len()).sum();
    if total == 0 {
        return Ok(Vec::new());
    }
    let workers = std::thread::available_parallelism().map_or(1, usize::from).min(total.div_ceil(ROWS_A_FILE));
    let parts = split(shares, total.div_ceil(workers));
    let span = span(state.watermark, to);
    let written = parts.into_iter().map(|part| write_part(context, part, to, span, cause));
    futures::future::try_join_all(written).await
}

/// Cuts shares into parts of so many rows, in their order.
fn split(shares: Vec<Share<'_>>, rows: usize) -> Vec<Vec<Share<'_>>> {
    let mut parts = vec![Vec::new()];
    let mut room = rows;
    for mut share in shares {
        loop {
            let rest = share.rows.keys().nth(room).copied().map(|at| share.rows.split_off(&at));
            room -= share.rows.len();
            let (file, names) = (share.file, share.names);
            if let Some(part) = parts.last_mut() {
                part.push(share);
            }
            let Some(rest) = rest else { break };
            parts.push(Vec::new());
            room = rows;
            share = Share { file, rows: rest, names };
        }
    }
    parts
}

async fn write_part(context: &SilverContext, part: Vec<Share<'_>>, to: CommitSeq, span: Span, cause: Cause) -> Result<DataFile> {
    let id = FileId::generate();
    let key = context.key(SilverPart::Changes(Month::of_micros(context.now_us)), id);
    let profile = Profile::Silver { time_column: "_changed_at".into(), raw: Vec::new() };
    let mut writer = FileWriter::start(&context.store, key, &context.changes_schema, &profile)?;
    for share in part {
        copy(context, share.file, &share.rows, share.names, (to, cause), &mut writer).await?;
    }
    writer.finish(&context.footer(context.changes, id, span)).await
}

async fn copy(
    context: &SilverContext,
    file: &DataFile,
    rows: &BTreeMap<u64, bool>,
    names: [&str; 2],
    (to, cause): (CommitSeq, Cause),
    writer: &mut FileWriter,
) -> Result<()> {
    let wanted: RoaringTreemap = rows.keys().copied().collect();
    let columns: Vec<&str> = context.changes_schema.fields().iter().map(|f| f.name().as_str()).filter(|n| !is_own(n)).collect();
    let mut batches = rows_at(&context.store, file, &wanted, Some(&columns)).await?;
    let mut kinds = rows.values();
    while let Some(batch) = batches.try_next().await? {
        let n = batch.num_rows();
        let mut change = StringBuilder::with_capacity(n, n * 12);
        for kind in kinds.by_ref().take(n) {
            change.append_value(names[usize::from(*kind)]);
        }
        let change: ArrayRef = Arc::new(change.finish());
        let mut out: Vec<ArrayRef> = Vec::with_capacity(context.changes_schema.fields().len());
        for field in context.changes_schema.fields() {
            out.push(match field.name().as_str() {
                "_change" => Arc::clone(&change),
                "_change_commit" => Arc::new(Int64Array::from_value(to.0 as i64, n)),
                "_change_cause" => Arc::new(StringArray::from_iter_values(std::iter::repeat_n(cause.name(), n))),
                "_changed_at" => Arc::new(TimestampMicrosecondArray::from_value(context.now_us, n).with_timezone("UTC")),
                name => match batch.column_by_name(name) {
                    Some(column) if column.data_type() == field.data_type() => Arc::clone(column),
                    Some(column) => arrow::compute::cast(column, field.data_type())?,
                    // A file of before the column was added.
                    None => new_null_array(field.data_type(), n),
                },
            });
        }
        writer.write(RecordBatch::try_new(Arc::clone(&context.changes_schema), out)?).await?;
    }
    Ok(())
}

fn is_own(name: &str) -> bool {
    matches!(name, "_change" | "_change_commit" | "_changed_at" | "_change_cause")
}
