//! Records as Bronze rows, and Bronze rows as records again: both ways give the same checks.

use std::sync::Arc;

use arrow_array::builder::{BinaryBuilder, StringBuilder};
use arrow_array::cast::AsArray;
use arrow_array::types::{Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, ArrayRef, BinaryArray, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow_schema::ArrowError;
use lakewright_storage::table::schemas;

use super::Context;
use crate::connectors::{PayloadFormat, RawBatch, OP_DELETE, OP_UPSERT};

/// Records in one form, from a source or from Bronze.
pub struct Input {
    /// The records' shard.
    pub shard: i64,
    /// Dense in a batch from a source, ascending in one from Bronze.
    pub offsets: Int64Array,
    /// When each was taken in.
    pub ingested_at: TimestampMicrosecondArray,
    /// As received.
    pub payload: BinaryArray,
    /// How to read each: `json`, `csv:HEADER`, `csv;:HEADER`, `parquet_json`, `oversize:LENGTH:SHA256`.
    pub format: StringArray,
    /// Where each was.
    pub location: Option<StringArray>,
    /// Keys that the source told.
    pub keys: Option<StringArray>,
    /// Versions that the source told.
    pub versions: Option<Int64Array>,
    /// When each event happened.
    pub event_time: Option<TimestampMicrosecondArray>,
    /// Operations that the source told.
    pub operations: Option<Vec<i8>>,
    /// The request that brought them.
    pub request_id: Option<StringArray>,
}

/// Begins the format of a record that was too large to keep.
pub const OVERSIZE: &str = "oversize:";
/// Begins the format of a CSV line.
const CSV: &str = "csv";

/// The format of a CSV line: `csv:HEADER` with the header as a JSON list, `csv;:HEADER` where `;` and not
/// a comma is between the cells.
fn csv_format(delimiter: char, header: &[String]) -> String {
    let header = serde_json::json!(header);
    match delimiter {
        ',' => format!("{CSV}:{header}"),
        other => format!("{CSV}{other}:{header}"),
    }
}

/// The delimiter and header of a CSV line's format; none of another's.
pub fn csv_of(format: &str) -> Option<(char, &str)> {
    let rest = format.strip_prefix(CSV)?;
    if let Some(header) = rest.strip_prefix(':').filter(|h| h.starts_with('[')) {
        return Some((',', header));
    }
    let delimiter = rest.chars().next()?;
    Some((delimiter, rest.strip_prefix(delimiter)?.strip_prefix(':')?))
}

/// Takes a source's batch, each oversize record at its place.
pub fn from_source(batch: &RawBatch, shard: u64, first_offset: u64, ingested_at: i64) -> Input {
    let total = batch.payload.len() + batch.oversize.len();
    let bytes: usize = batch.payload.iter().flatten().map(<[u8]>::len).sum();
    let mut payload = BinaryBuilder::with_capacity(total, bytes);
    let mut format = StringBuilder::with_capacity(total, total * 8);
    let mut location = StringBuilder::new();
    let plain = match (&batch.format, &batch.csv_header) {
        (PayloadFormat::Json, _) => "json".to_owned(),
        (PayloadFormat::ParquetJson, _) => "parquet_json".to_owned(),
        (PayloadFormat::Csv { delimiter }, header) => csv_format(*delimiter, header.as_deref().unwrap_or_default()),
    };
    // Where each row of the answer comes from: a row of the batch, or an oversize record.
    let mut sources: Vec<Option<usize>> = Vec::with_capacity(total);
    let mut large = batch.oversize.iter().peekable();
    for row in 0..=batch.payload.len() {
        while let Some(o) = large.next_if(|o| o.before_row <= row) {
            payload.append_value(&o.head);
            format.append_value(format!("{OVERSIZE}{}:{}", o.length, hex::encode(o.sha256)));
            location.append_value(&o.location);
            sources.push(None);
        }
        if row < batch.payload.len() {
            payload.append_value(batch.payload.value(row));
            format.append_value(&plain);
            location.append_option(batch.location.as_ref().filter(|l| l.is_valid(row)).map(|l| l.value(row)));
            sources.push(Some(row));
        }
    }
    let texts = |a: &StringArray| -> StringArray { sources.iter().map(|s| s.filter(|r| a.is_valid(*r)).map(|r| a.value(r))).collect() };
    Input {
        shard: shard as i64,
        offsets: Int64Array::from_iter_values((0..total as i64).map(|i| first_offset as i64 + i)),
        ingested_at: TimestampMicrosecondArray::from_value(ingested_at, total).with_timezone("UTC"),
        payload: payload.finish(),
        format: format.finish(),
        location: Some(location.finish()),
        keys: batch.key.as_ref().map(texts),
        versions: batch.version.as_ref().map(|v| sources.iter().map(|s| s.filter(|r| v.is_valid(*r)).map(|r| v.value(r))).collect()),
        event_time: batch.event_time.as_ref().map(|t| {
            let times: TimestampMicrosecondArray = sources.iter().map(|s| s.filter(|r| t.is_valid(*r)).map(|r| t.value(r))).collect();
            times.with_timezone("UTC")
        }),
        operations: batch.operation.as_ref().map(|o| sources.iter().map(|s| s.map_or(OP_UPSERT, |r| o[r])).collect()),
        request_id: batch.request_id.as_ref().map(texts),
    }
}

/// Takes rows of Bronze.
pub fn from_rows(batch: &RecordBatch) -> Result<Input, ArrowError> {
    let column =
        |name: &str| batch.column_by_name(name).ok_or_else(|| ArrowError::SchemaError(format!("Bronze rows have no column {name}")));
    let texts = |name: &str| -> Result<StringArray, ArrowError> { Ok(column(name)?.as_string::<i32>().clone()) };
    let longs = |name: &str| -> Result<Int64Array, ArrowError> { Ok(column(name)?.as_primitive::<Int64Type>().clone()) };
    let shards = longs("_shard")?;
    let told = |a: StringArray| (a.null_count() < a.len()).then_some(a);
    let versions = longs("_source_version")?;
    let operation = texts("_operation")?;
    let keys = told(texts("_source_key")?);
    let deletes = operation.iter().any(|o| o == Some("delete"));
    let request = told(texts("_request_id")?);
    Ok(Input {
        shard: if shards.is_empty() { 0 } else { shards.value(0) },
        offsets: longs("_offset")?,
        ingested_at: column("_ingested_at")?.as_primitive::<TimestampMicrosecondType>().clone(),
        payload: column("payload")?.as_binary::<i32>().clone(),
        format: texts("_payload_format")?,
        location: told(texts("_location")?),
        keys,
        versions: (versions.null_count() < versions.len()).then_some(versions),
        event_time: None,
        operations: deletes.then(|| operation.iter().map(|o| if o == Some("delete") { OP_DELETE } else { OP_UPSERT }).collect()),
        request_id: request,
    })
}

/// The rows of Bronze.
pub fn to_rows(input: &Input, context: &Context) -> Result<RecordBatch, ArrowError> {
    let n = input.payload.len();
    let same = |text: &str| -> ArrayRef { Arc::new(StringArray::from_iter_values(std::iter::repeat_n(text, n))) };
    let optional = |a: Option<&StringArray>| -> ArrayRef { Arc::new(a.cloned().unwrap_or_else(|| StringArray::new_null(n))) };
    let operation: ArrayRef = match &input.operations {
        None => same("upsert"),
        Some(o) => Arc::new(StringArray::from_iter_values(o.iter().map(|o| if *o == OP_DELETE { "delete" } else { "upsert" }))),
    };
    let no_time = || TimestampMicrosecondArray::new_null(n).with_timezone("UTC");
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from_value(input.shard, n)),
        Arc::new(input.offsets.clone()),
        Arc::new(input.ingested_at.clone()),
        same(&context.run.to_string()),
        same(&context.connector.to_string()),
        optional(input.keys.as_ref()),
        Arc::new(input.versions.clone().unwrap_or_else(|| Int64Array::new_null(n))),
        Arc::new(input.event_time.clone().unwrap_or_else(no_time)),
        operation,
        Arc::new(input.format.clone()),
        optional(input.location.as_ref()),
        optional(input.request_id.as_ref()),
        Arc::new(input.payload.clone()),
    ];
    RecordBatch::try_new(schemas::bronze(), columns)
}
