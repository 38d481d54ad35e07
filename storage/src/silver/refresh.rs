//! Rows whose looked-up columns are no longer what the other tables say, written anew: the same
//! record, version and address, with changes like any merge's.

use std::collections::BTreeMap;

use arrow::compute::{filter_record_batch, kernels::cmp::distinct, or};
use arrow_array::cast::AsArray;
use arrow_array::types::TimestampMicrosecondType;
use arrow_array::{BooleanArray, FixedSizeBinaryArray, RecordBatch};
use futures::TryStreamExt;
use roaring::RoaringTreemap;

use super::lookups::{each_tuple, Lookups, Tuples};
use super::read::{live_rows, rows_at};
use super::session::{column, key, MergeSession};
use super::slot::Place;
use super::write::span;
use crate::deletion_vector;
use crate::error::{Result, StorageError};
use crate::keyindex::record_id;
use crate::object::Store;
use crate::paths::Month;
use crate::table::{BucketState, DataFile};

/// Rows that one session writes: each costs some hundred bytes until it is committed.
const MAX_ROWS: u64 = 250_000;

impl MergeSession {
    /// Looks up again what the rows look up that changed rows of `table` concern; answers how many rows
    /// changed, and whether that is all: if not, another session goes on. The session takes no commit besides.
    pub async fn refresh(&mut self, table: &str, changed: &[RecordBatch]) -> Result<(u64, bool)> {
        let Some(lookups) = self.context.lookups.clone() else { return Ok((0, true)) };
        let concerned = lookups.concerned(table, changed).await?;
        if concerned.iter().all(Tuples::is_empty) {
            return Ok((0, true));
        }
        let mut written = 0;
        for file in self.state.files.clone() {
            let rows = concerned_rows(&self.context.store, &self.state, &lookups, &file, &concerned).await?;
            if rows.is_empty() {
                continue;
            }
            let mut places = rows.iter();
            let mut batches = rows_at(&self.context.store, &file, &rows, None).await?;
            while let Some(batch) = batches.try_next().await? {
                let places: Vec<u32> = places.by_ref().take(batch.num_rows()).map(|r| r as u32).collect();
                let batch = super::verify::conform(&batch, &self.context.schema)?;
                written += self.refresh_batch(&lookups, &file, batch, &places).await?;
                if written >= MAX_ROWS {
                    return Ok((written, false));
                }
            }
        }
        Ok((written, true))
    }

    async fn refresh_batch(&mut self, lookups: &Lookups, file: &DataFile, batch: RecordBatch, places: &[u32]) -> Result<u64> {
        let filled = lookups.fill(&batch).await?;
        let mut differs: Option<BooleanArray> = None;
        for name in lookups.columns() {
            let one = distinct(column(&batch, name)?, column(&filled, name)?)?;
            differs = Some(match differs {
                Some(others) => or(&others, &one)?,
                None => one,
            });
        }
        let Some(differs) = differs.filter(|d| d.true_count() > 0) else { return Ok(0) };
        let rows = filter_record_batch(&filled, &differs)?;
        let places: Vec<u32> = differs.iter().zip(places).filter_map(|(d, place)| (d == Some(true)).then_some(*place)).collect();
        let keys = self.keys_of(&rows)?;
        self.load_slots(&keys).await?;
        let mut months: BTreeMap<String, (i64, Vec<u32>)> = BTreeMap::new();
        let partitions = column(&rows, "_partition_at")?.as_primitive::<TimestampMicrosecondType>();
        for (row, place) in (0u32..).zip(&places) {
            let slot = self.slots.get(&key(&keys, row as usize)?).filter(|s| s.place == Some(Place::Old(file.id, *place)));
            if slot.is_none() {
                let why = format!("row {place} of {} is live, and the key index has it elsewhere; run `table verify`", file.path);
                return Err(StorageError::corrupt(format!("table {}", self.context.name), why));
            }
            let at = partitions.value(row as usize);
            months.entry(Month::of_micros(at).to_string()).or_insert_with(|| (at, Vec::new())).1.push(row);
        }
        let mut parts = Vec::with_capacity(months.len());
        for (at, picked) in months.values() {
            parts.push((*at, arrow::compute::take_record_batch(&rows, &arrow_array::UInt32Array::from(picked.clone()))?));
        }
        let span = span(self.state.watermark, self.state.watermark);
        let put = self.files.append(&self.context, parts, span).await?;
        for ((_, picked), (number, first)) in months.values().zip(put) {
            for (i, row) in (0u32..).zip(picked) {
                if let Some(slot) = self.slots.get_mut(&key(&keys, *row as usize)?) {
                    slot.place = Some(Place::New(number, first + i));
                    slot.dirty = true;
                }
            }
        }
        self.dead_old.entry(file.id).or_default().extend(places.iter().map(|p| u64::from(*p)));
        Ok(places.len() as u64)
    }

    fn keys_of(&self, rows: &RecordBatch) -> Result<FixedSizeBinaryArray> {
        let scopes = column(rows, "_key_scope")?.as_string::<i32>();
        let keys = column(rows, "_source_key")?.as_string::<i32>();
        let mut scratch = Vec::new();
        let ids = (0..rows.num_rows())
            .map(|row| record_id(self.context.tenant, &self.context.entity, scopes.value(row), keys.value(row), &mut scratch));
        Ok(FixedSizeBinaryArray::try_from_iter(ids)?)
    }
}

/// The live rows of a file that start from one of these values.
async fn concerned_rows(
    store: &Store,
    state: &BucketState,
    lookups: &Lookups,
    file: &DataFile,
    concerned: &[Tuples],
) -> Result<RoaringTreemap> {
    let deleted = match state.deletion_vectors.iter().find(|v| v.data_file == file.id) {
        Some(v) => deletion_vector::read(store, v).await?,
        None => RoaringTreemap::new(),
    };
    let mut columns: Vec<&str> = (0..lookups.len()).flat_map(|l| lookups.starts(l)).collect();
    columns.sort_unstable();
    columns.dedup();
    let mut live = (0..file.rows).filter(|r| !deleted.contains(*r));
    let mut rows = RoaringTreemap::new();
    let mut batches = live_rows(store, file, &deleted, Some(&columns)).await?;
    while let Some(batch) = batches.try_next().await? {
        let places: Vec<u64> = live.by_ref().take(batch.num_rows()).collect();
        for (l, tuples) in concerned.iter().enumerate().filter(|(_, t)| !t.is_empty()) {
            each_tuple(&batch, &lookups.starts(l), |row, tuple| {
                if tuples.contains(tuple) {
                    rows.extend(places.get(row as usize));
                }
            })?;
        }
    }
    Ok(rows)
}
