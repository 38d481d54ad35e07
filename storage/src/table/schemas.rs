//! Schemas of the tables that Lakewright itself defines. Column ids are Iceberg field ids: they
//! are written in every file and never change their meaning.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};

/// The metadata key of a column's id.
pub const FIELD_ID: &str = "PARQUET:field_id";

/// The first id of a pack's columns; those below are ours.
pub const FIRST_FIELD_ID: i32 = 1_000;
/// The id of a list's element, less that of its column.
pub const ELEMENT_ID: i32 = 1_000_000;

/// A column with its id.
pub fn column(id: i32, name: &str, data_type: DataType, nullable: bool) -> Field {
    Field::new(name, data_type, nullable).with_metadata(HashMap::from([(FIELD_ID.to_owned(), id.to_string())]))
}

/// An instant: microseconds since 1970, UTC.
pub fn instant() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}

/// A list of text; the element has an id of its own.
pub fn text_list(element_id: i32) -> DataType {
    DataType::List(Arc::new(column(element_id, "item", DataType::Utf8, true)))
}

/// The columns that every Silver table begins with.
pub fn silver_system_columns() -> Vec<Field> {
    vec![
        column(1, "_address_shard", DataType::Int64, false),
        column(2, "_address_offset", DataType::Int64, false),
        column(3, "_commit_seq", DataType::Int64, false),
        column(4, "_version", DataType::Int64, false),
        column(5, "_source_key", DataType::Utf8, false),
        column(6, "_key_scope", DataType::Utf8, false),
        column(7, "_partition_at", instant(), false),
        column(8, "_ingested_at", instant(), false),
        column(9, "_run_id", DataType::Utf8, false),
        column(10, "_pack", DataType::Utf8, false),
        column(11, "_origin", DataType::Utf8, false),
        column(12, "_flags", text_list(14), true),
        column(13, "_extra", DataType::Utf8, true),
    ]
}

/// The columns that every change table begins with.
pub fn change_columns() -> Vec<Field> {
    vec![
        column(15, "_change", DataType::Utf8, false),
        column(16, "_change_commit", DataType::Int64, false),
        column(17, "_changed_at", instant(), false),
        column(20, "_change_cause", DataType::Utf8, true),
    ]
}

/// The columns that every Gold table begins with; the mart's own follow, `as_of_date` first.
pub fn gold_columns() -> Vec<Field> {
    vec![column(18, "_built_at", instant(), false), column(19, "_snapshot", DataType::Int64, false)]
}

/// Bronze: raw records and where they came from.
pub fn bronze() -> SchemaRef {
    Arc::new(Schema::new(vec![
        column(21, "_shard", DataType::Int64, false),
        column(22, "_offset", DataType::Int64, false),
        column(23, "_ingested_at", instant(), false),
        column(24, "_run_id", DataType::Utf8, false),
        column(25, "_connector_id", DataType::Utf8, false),
        column(26, "_source_key", DataType::Utf8, true),
        column(27, "_source_version", DataType::Int64, true),
        column(28, "_event_time", instant(), true),
        column(29, "_operation", DataType::Utf8, false),
        column(30, "_payload_format", DataType::Utf8, false),
        column(31, "_location", DataType::Utf8, true),
        column(32, "_request_id", DataType::Utf8, true),
        column(33, "payload", DataType::Binary, false),
    ]))
}

/// `data_quality_results`: one row per record and entity.
pub fn quality_results() -> SchemaRef {
    Arc::new(Schema::new(vec![
        column(41, "tenant_id", DataType::Utf8, false),
        column(42, "connector_id", DataType::Utf8, false),
        column(43, "ingestion_run_id", DataType::Utf8, false),
        column(44, "entity", DataType::Utf8, false),
        column(45, "address_shard", DataType::Int64, false),
        column(46, "address_offset", DataType::Int64, false),
        column(47, "source_key", DataType::Utf8, true),
        column(48, "is_valid", DataType::Boolean, false),
        column(49, "failed_rules", text_list(52), true),
        column(50, "warnings", text_list(53), true),
        column(51, "checked_at", instant(), false),
    ]))
}

/// `dead_letters`: rejected records with their bytes.
pub fn dead_letters() -> SchemaRef {
    Arc::new(Schema::new(vec![
        column(61, "tenant_id", DataType::Utf8, false),
        column(62, "connector_id", DataType::Utf8, false),
        column(63, "ingestion_run_id", DataType::Utf8, false),
        column(64, "entity", DataType::Utf8, true),
        column(65, "address_shard", DataType::Int64, false),
        column(66, "address_offset", DataType::Int64, false),
        column(67, "source_key", DataType::Utf8, true),
        column(68, "reason", DataType::Utf8, false),
        column(69, "detail", DataType::Utf8, false),
        column(70, "rule", DataType::Utf8, true),
        column(71, "location", DataType::Utf8, true),
        column(72, "payload", DataType::Binary, false),
        column(73, "payload_bytes", DataType::Int64, false),
        column(74, "payload_sha256", DataType::Utf8, true),
        column(75, "pack", DataType::Utf8, false),
        column(76, "rejected_at", instant(), false),
    ]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_id_is_used_twice() {
        let mut fields = silver_system_columns();
        fields.extend(change_columns());
        for schema in [bronze(), quality_results(), dead_letters()] {
            fields.extend(schema.fields().iter().map(|f| f.as_ref().clone()));
        }
        let mut ids: Vec<String> = Vec::new();
        for f in &fields {
            ids.extend(f.metadata().get(FIELD_ID).cloned());
            if let DataType::List(item) = f.data_type() {
                ids.extend(item.metadata().get(FIELD_ID).cloned());
            }
        }
        let n = ids.len();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), n);
    }
}
