//! Primary and foreign keys, as the tenant's packs tell them. Nothing enforces a foreign key.

use std::sync::Arc;

use arrow_array::{ArrayRef, Int32Array, RecordBatch, StringArray, UInt8Array};
use arrow_flight::sql::CommandGetPrimaryKeys;
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use lakewright_proto::Layer;
use lakewright_storage::query::ForeignKey;

use crate::answer;
use crate::auth::Session;
use crate::metadata::{fault, Answer};
use crate::server::Parts;

/// JDBC's `importedKeyNoAction`.
const NO_ACTION: u8 = 3;

/// Columns of the primary keys' answer.
pub(crate) fn primary_keys() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("catalog_name", DataType::Utf8, true),
        Field::new("db_schema_name", DataType::Utf8, true),
        Field::new("table_name", DataType::Utf8, false),
        Field::new("column_name", DataType::Utf8, false),
        Field::new("key_name", DataType::Utf8, true),
        Field::new("key_sequence", DataType::Int32, false),
    ]))
}

fn texts<S: AsRef<str>>(values: impl IntoIterator<Item = S>) -> ArrayRef {
    Arc::new(StringArray::from_iter_values(values))
}

/// The key of a Silver table; no other layer has one.
pub(crate) fn primary_key_rows(parts: &Parts, session: &Session, query: &CommandGetPrimaryKeys) -> Answer {
    let side = Side { catalog: query.catalog.clone(), schema: query.db_schema.clone(), table: query.table.clone() };
    let columns =
        if side.is(session, &query.table) { parts.session(session)?.primary_key(Layer::Silver, &query.table)? } else { Vec::new() };
    let all = |text: &str| texts(columns.iter().map(|_| text.to_owned()));
    let key = format!("{}_pkey", query.table);
    let numbers = Int32Array::from_iter_values(1..=columns.len() as i32);
    let arrays = vec![all(&session.slug), all("silver"), all(&query.table), texts(&columns), all(&key), Arc::new(numbers)];
    RecordBatch::try_new(primary_keys(), arrays).map(answer::batch).map_err(fault)
}

/// Columns of the three foreign-key answers.
pub(crate) fn foreign_keys() -> SchemaRef {
    let text = |name: &str, nullable| Field::new(name, DataType::Utf8, nullable);
    Arc::new(Schema::new(vec![
        text("pk_catalog_name", true),
        text("pk_db_schema_name", true),
        text("pk_table_name", false),
        text("pk_column_name", false),
        text("fk_catalog_name", true),
        text("fk_db_schema_name", true),
        text("fk_table_name", false),
        text("fk_column_name", false),
        Field::new("key_sequence", DataType::Int32, false),
        text("fk_key_name", true),
        text("pk_key_name", true),
        Field::new("update_rule", DataType::UInt8, false),
        Field::new("delete_rule", DataType::UInt8, false),
    ]))
}

/// A table that is asked for.
pub(crate) struct Side {
    pub(crate) catalog: Option<String>,
    pub(crate) schema: Option<String>,
    pub(crate) table: String,
}

impl Side {
    fn is(&self, session: &Session, table: &str) -> bool {
        let own = self.catalog.as_deref().is_none_or(|c| c == session.slug);
        own && self.schema.as_deref().is_none_or(|s| s == "silver") && self.table == table
    }
}

/// The foreign keys that lead to a table, from a table, or both.
pub(crate) fn foreign_key_rows(parts: &Parts, session: &Session, to: Option<Side>, from: Option<Side>) -> Answer {
    let fits =
        |k: &ForeignKey| to.as_ref().is_none_or(|s| s.is(session, &k.to_table)) && from.as_ref().is_none_or(|s| s.is(session, &k.table));
    let keys: Vec<ForeignKey> = parts.session(session)?.foreign_keys()?.into_iter().filter(fits).collect();
    let all = |text: &str| texts(keys.iter().map(|_| text.to_owned()));
    let rule = || Arc::new(UInt8Array::from_iter_values(keys.iter().map(|_| NO_ACTION)));
    let arrays: Vec<ArrayRef> = vec![
        all(&session.slug),
        all("silver"),
        texts(keys.iter().map(|k| &k.to_table)),
        texts(keys.iter().map(|k| &k.to_column)),
        all(&session.slug),
        all("silver"),
        texts(keys.iter().map(|k| &k.table)),
        texts(keys.iter().map(|k| &k.column)),
        Arc::new(Int32Array::from_iter_values(keys.iter().map(|_| 1))),
        texts(keys.iter().map(|k| format!("{}_{}_fkey", k.table, k.column))),
        texts(keys.iter().map(|k| format!("{}_pkey", k.to_table))),
        rule(),
        rule(),
    ];
    RecordBatch::try_new(foreign_keys(), arrays).map(answer::batch).map_err(fault)
}
