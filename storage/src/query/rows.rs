//! Small tables built from records of the catalog.

use std::sync::Arc;

use arrow_array::builder::{BooleanBuilder, Float64Builder, Int64Builder, StringBuilder, TimestampMicrosecondBuilder};
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};

use crate::error::Result;

/// The type of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Number,
    Flag,
    Time,
    Real,
}

/// One value; the column's kind says how it is read.
#[derive(Clone, Debug)]
pub(super) enum Cell {
    Null,
    Text(String),
    Number(i64),
    Flag(bool),
    Real(f64),
}

pub(super) fn text(v: impl ToString) -> Cell {
    Cell::Text(v.to_string())
}

pub(super) fn maybe(v: Option<impl ToString>) -> Cell {
    v.map_or(Cell::Null, |v| Cell::Text(v.to_string()))
}

/// A count, or microseconds since 1970.
pub(super) fn number(v: impl TryInto<i64>) -> Cell {
    v.try_into().map_or(Cell::Null, Cell::Number)
}

pub(super) fn maybe_number(v: Option<i64>) -> Cell {
    v.map_or(Cell::Null, Cell::Number)
}

/// A serde name of a closed word: `running`, `batch`.
pub(super) fn word(v: &impl serde::Serialize) -> Cell {
    match serde_json::to_value(v) {
        Ok(serde_json::Value::String(s)) => Cell::Text(s),
        Ok(serde_json::Value::Object(o)) => maybe(o.keys().next()),
        _ => Cell::Null,
    }
}

pub(super) fn schema(columns: &[(&str, Kind)]) -> SchemaRef {
    let field = |(name, kind): &(&str, Kind)| {
        let data_type = match kind {
            Kind::Text => DataType::Utf8,
            Kind::Number => DataType::Int64,
            Kind::Flag => DataType::Boolean,
            Kind::Real => DataType::Float64,
            Kind::Time => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        };
        Field::new(*name, data_type, true)
    };
    Arc::new(Schema::new(columns.iter().map(field).collect::<Vec<_>>()))
}

/// Rows as one batch; a row shorter than the columns ends in nulls.
pub(super) fn batch(columns: &[(&str, Kind)], rows: &[Vec<Cell>]) -> Result<RecordBatch> {
    let mut arrays: Vec<ArrayRef> = Vec::with_capacity(columns.len());
    for (i, (_, kind)) in columns.iter().enumerate() {
        let cells = rows.iter().map(|r| r.get(i).unwrap_or(&Cell::Null));
        arrays.push(column(*kind, cells));
    }
    let options = arrow_array::RecordBatchOptions::new().with_row_count(Some(rows.len()));
    Ok(RecordBatch::try_new_with_options(schema(columns), arrays, &options)?)
}

fn column<'a>(kind: Kind, cells: impl Iterator<Item = &'a Cell>) -> ArrayRef {
    let whole = |c: &Cell| if let Cell::Number(n) = c { Some(*n) } else { None };
    match kind {
        Kind::Text => {
            let mut b = StringBuilder::new();
            cells.for_each(|c| b.append_option(if let Cell::Text(s) = c { Some(s.as_str()) } else { None }));
            Arc::new(b.finish())
        }
        Kind::Number => {
            let mut b = Int64Builder::new();
            cells.for_each(|c| b.append_option(whole(c)));
            Arc::new(b.finish())
        }
        Kind::Flag => {
            let mut b = BooleanBuilder::new();
            cells.for_each(|c| b.append_option(if let Cell::Flag(f) = c { Some(*f) } else { None }));
            Arc::new(b.finish())
        }
        Kind::Real => {
            let mut b = Float64Builder::new();
            cells.for_each(|c| b.append_option(if let Cell::Real(f) = c { Some(*f) } else { None }));
            Arc::new(b.finish())
        }
        Kind::Time => {
            let mut b = TimestampMicrosecondBuilder::new();
            cells.for_each(|c| b.append_option(whole(c)));
            Arc::new(b.finish().with_timezone("UTC"))
        }
    }
}
