//! Arrow schemas as the catalog keeps them, and as clients see them.

use std::sync::Arc;

use arrow::ipc::convert::{fb_to_schema, try_schema_from_ipc_buffer};
use arrow::ipc::writer::{DictionaryTracker, IpcDataGenerator, IpcWriteOptions};
use arrow_schema::{DataType, Field, FieldRef, Fields, Schema, SchemaRef};

use crate::error::{Result, StorageError};

/// A schema as the catalog keeps it: an encapsulated Arrow IPC message.
pub fn encode_schema(schema: &Schema) -> Result<Vec<u8>> {
    let options = IpcWriteOptions::default();
    let mut tracker = DictionaryTracker::new(false);
    let data = IpcDataGenerator::default().schema_to_bytes_with_dictionary_tracker(schema, &mut tracker, &options);
    let mut out = Vec::new();
    arrow::ipc::writer::write_message(&mut out, data, &options)?;
    Ok(out)
}

/// Reads a schema message, encapsulated or bare.
pub fn decode_schema(table: &str, bytes: &[u8]) -> Result<SchemaRef> {
    if let Ok(schema) = try_schema_from_ipc_buffer(bytes) {
        return Ok(Arc::new(schema));
    }
    let message = arrow::ipc::root_as_message(bytes).ok();
    let schema = message.and_then(|m| m.header_as_schema());
    schema
        .map(|s| Arc::new(fb_to_schema(s)))
        .ok_or_else(|| StorageError::corrupt(format!("the schema of table {table}"), "it is no Arrow schema message"))
}

/// A table's schema in queries: no Parquet annotations, and every column may be null, since files
/// older than a column lack it.
pub(super) fn query_schema(schema: &Schema) -> SchemaRef {
    let fields: Fields = schema.fields().iter().map(|f| Arc::new(plain(f).as_ref().clone().with_nullable(true))).collect();
    Arc::new(Schema::new(fields))
}

fn plain(field: &FieldRef) -> FieldRef {
    let data_type = match field.data_type() {
        DataType::List(f) => DataType::List(plain(f)),
        DataType::LargeList(f) => DataType::LargeList(plain(f)),
        DataType::FixedSizeList(f, n) => DataType::FixedSizeList(plain(f), *n),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(plain).collect()),
        DataType::Map(f, sorted) => DataType::Map(plain(f), *sorted),
        other => other.clone(),
    };
    Arc::new(Field::new(field.name(), data_type, field.is_nullable()))
}
