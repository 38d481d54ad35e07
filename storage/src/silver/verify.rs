//! Is it all true: every live row is where the key index says, and the index knows no other.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{new_null_array, RecordBatch};
use arrow_schema::SchemaRef;
use futures::TryStreamExt;
use lakewright_proto::{FileId, TenantId};
use roaring::RoaringTreemap;

use super::read::live_rows;
use super::session::column;
use crate::deletion_vector;
use crate::error::Result;
use crate::keyindex::{record_id, scan_all, BlockCache, Key, KeyIndex, State};
use crate::object::Store;
use crate::table::BucketState;

/// Faults told at most.
const MAX_FAULTS: usize = 20;

/// What a check found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Data files read.
    pub files: u64,
    /// Live rows read.
    pub rows: u64,
    /// Live keys of the index.
    pub keys: u64,
    /// What does not agree.
    pub faults: Vec<String>,
}

impl Report {
    fn fault(&mut self, text: String) {
        if self.faults.len() < MAX_FAULTS {
            self.faults.push(text);
        }
    }
}

/// Reads all of a bucket and compares. Memory: 36 bytes a live row.
pub async fn verify(store: &Store, blocks: &Arc<BlockCache>, tenant: TenantId, entity: &str, state: &BucketState) -> Result<Report> {
    let mut report = Report::default();
    let mut rows: HashMap<Key, (FileId, u32)> = HashMap::new();
    let mut scratch = Vec::new();
    for file in &state.files {
        let deleted = match state.deletion_vectors.iter().find(|v| v.data_file == file.id) {
            Some(v) => deletion_vector::read(store, v).await?,
            None => RoaringTreemap::new(),
        };
        let mut live = (0..file.rows).filter(|r| !deleted.contains(*r));
        let mut batches = live_rows(store, file, &deleted, Some(&["_key_scope", "_source_key"])).await?;
        while let Some(batch) = batches.try_next().await? {
            let scopes = column(&batch, "_key_scope")?.as_string::<i32>();
            let keys = column(&batch, "_source_key")?.as_string::<i32>();
            for row in 0..batch.num_rows() {
                let key = record_id(tenant, entity, scopes.value(row), keys.value(row), &mut scratch);
                let Some(place) = live.next() else { break };
                if let Some((other, _)) = rows.insert(key, (file.id, place as u32)) {
                    report.fault(format!("key {:?} has a live row in {other} and in {}", keys.value(row), file.id));
                }
            }
        }
        if live.next().is_some() {
            report.fault(format!("file {} has fewer rows than the catalog says", file.path));
        }
        report.files += 1;
    }
    report.rows = rows.len() as u64;
    let index = KeyIndex::open(store, &state.index, blocks).await?;
    scan_all(index.runs(), |entry| {
        if let State::Live { file, row } = entry.state {
            report.keys += 1;
            match rows.remove(&entry.key) {
                Some(place) if place == (file, row) => {}
                Some((f, r)) => report.fault(format!("the index says row {row} of {file}, and the row is {r} of {f}")),
                None => report.fault(format!("the index says row {row} of {file}, and there is no live row")),
            }
        }
        Ok(())
    })
    .await?;
    if !rows.is_empty() {
        report.fault(format!("{} live rows are not in the index", rows.len()));
    }
    if report.rows != state.live_rows {
        report.fault(format!("there are {} live rows, and the catalog says {}", report.rows, state.live_rows));
    }
    Ok(report)
}

/// A batch of an older schema in the table's: columns by name, added ones null.
pub(super) fn conform(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
    if batch.schema_ref() == schema {
        return Ok(batch.clone());
    }
    let mut columns = Vec::with_capacity(schema.fields().len());
    for field in schema.fields() {
        columns.push(match batch.column_by_name(field.name()) {
            Some(c) if c.data_type() == field.data_type() => Arc::clone(c),
            Some(c) => arrow::compute::cast(c, field.data_type())?,
            None => new_null_array(field.data_type(), batch.num_rows()),
        });
    }
    Ok(RecordBatch::try_new(Arc::clone(schema), columns)?)
}
