//! The rows of `data_quality_results` and `dead_letters`.

use std::sync::Arc;

use arrow::compute::filter_record_batch;
use arrow_array::builder::{BinaryBuilder, BooleanBuilder, Int64Builder, StringBuilder, TimestampMicrosecondBuilder};
use arrow_array::{ArrayRef, BooleanArray, Int64Array, RecordBatch, StringArray};
use arrow_schema::{ArrowError, DataType};
use lakewright_storage::table::schemas;

use super::entity::Checked;
use super::reject::Reject;
use super::Context;

/// Where records are and when they are checked.
pub struct Place<'a> {
    /// For whom.
    pub context: &'a Context,
    /// The pack version that checks.
    pub pack: &'a str,
    /// The records' shard.
    pub shard: i64,
    /// The records' offsets.
    pub offsets: &'a Int64Array,
    /// When, microseconds since 1970.
    pub checked_at: i64,
}

/// One row per record that is the entity's.
pub fn quality(place: &Place<'_>, entity: &str, checked: &Checked) -> Result<RecordBatch, ArrowError> {
    let n = place.offsets.len();
    let schema = schemas::quality_results();
    let list = |name: &str| match schema.field_with_name(name).map(|f| f.data_type().clone()) {
        Ok(DataType::List(item)) => Ok(item),
        _ => Err(ArrowError::SchemaError(format!("{name} is not a list"))),
    };
    let same = |text: &str| -> ArrayRef { Arc::new(StringArray::from_iter_values(std::iter::repeat_n(text, n))) };
    let mut valid = BooleanBuilder::with_capacity(n);
    for row in 0..n {
        valid.append_value(!checked.state.failed.has(row));
    }
    let columns: Vec<ArrayRef> = vec![
        same(&place.context.tenant.to_string()),
        same(&place.context.connector.to_string()),
        same(&place.context.run.to_string()),
        same(entity),
        Arc::new(Int64Array::from_value(place.shard, n)),
        Arc::new(place.offsets.clone()),
        Arc::new(checked.keys.clone()),
        Arc::new(valid.finish()),
        Arc::new(checked.state.failed.lists(0..n, &list("failed_rules")?, false)),
        Arc::new(checked.state.warnings.lists(0..n, &list("warnings")?, false)),
        Arc::new(arrow_array::TimestampMicrosecondArray::from_value(place.checked_at, n).with_timezone("UTC")),
    ];
    let rows = RecordBatch::try_new(schema, columns)?;
    if checked.state.absent() == 0 {
        return Ok(rows);
    }
    let ours: BooleanArray = (0..n).map(|row| Some(!checked.state.is_absent(row))).collect();
    filter_record_batch(&rows, &ours)
}

/// The bytes of a rejected record, and what is known of all of them.
pub struct Payload<'a> {
    /// What was kept of it.
    pub bytes: &'a [u8],
    /// The whole record's length.
    pub length: u64,
    /// SHA-256 of all of it, where only the head was kept.
    pub sha256: Option<String>,
    /// Where it is in the source.
    pub location: Option<&'a str>,
}

/// Gathers dead letters.
#[derive(Default)]
pub struct DeadLetters {
    entity: StringBuilder,
    offset: Int64Builder,
    key: StringBuilder,
    reason: StringBuilder,
    detail: StringBuilder,
    rule: StringBuilder,
    location: StringBuilder,
    payload: BinaryBuilder,
    bytes: Int64Builder,
    sha256: StringBuilder,
    rejected_at: TimestampMicrosecondBuilder,
}

impl DeadLetters {
    /// Adds one.
    pub fn add(&mut self, place: &Place<'_>, entity: Option<&str>, row: usize, key: Option<&str>, reject: &Reject, payload: &Payload<'_>) {
        self.entity.append_option(entity);
        self.offset.append_value(place.offsets.value(row));
        self.key.append_option(key);
        self.reason.append_value(reject.reason.as_str());
        self.detail.append_value(&reject.detail);
        self.rule.append_option(reject.rule.as_deref());
        self.location.append_option(payload.location);
        self.payload.append_value(payload.bytes);
        self.bytes.append_value(payload.length as i64);
        self.sha256.append_option(payload.sha256.as_deref());
        self.rejected_at.append_value(place.checked_at);
    }

    /// The rows.
    pub fn finish(mut self, place: &Place<'_>) -> Result<RecordBatch, ArrowError> {
        let offsets = self.offset.finish();
        let n = offsets.len();
        let same = |text: &str| -> ArrayRef { Arc::new(StringArray::from_iter_values(std::iter::repeat_n(text, n))) };
        let columns: Vec<ArrayRef> = vec![
            same(&place.context.tenant.to_string()),
            same(&place.context.connector.to_string()),
            same(&place.context.run.to_string()),
            Arc::new(self.entity.finish()),
            Arc::new(Int64Array::from_value(place.shard, n)),
            Arc::new(offsets),
            Arc::new(self.key.finish()),
            Arc::new(self.reason.finish()),
            Arc::new(self.detail.finish()),
            Arc::new(self.rule.finish()),
            Arc::new(self.location.finish()),
            Arc::new(self.payload.finish()),
            Arc::new(self.bytes.finish()),
            Arc::new(self.sha256.finish()),
            same(place.pack),
            Arc::new(self.rejected_at.finish().with_timezone("UTC")),
        ];
        RecordBatch::try_new(schemas::dead_letters(), columns)
    }
}
