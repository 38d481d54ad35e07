//! Columns of an entity's types, read from text.

use arrow_array::builder::StringBuilder;
use arrow_array::types::{Date32Type, Decimal128Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{
    Array, ArrayRef, BooleanArray, Date32Array, Decimal128Array, Int64Array, PrimitiveArray, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use arrow_schema::{ArrowError, DataType, Field};
use lakewright_storage::pack::{FieldDef, FieldType, OnError, Path, Transform};
use std::sync::Arc;

use super::extract::{text_lists, texts};
use super::parse::{self, Unreadable};
use super::reject::{Reason, Reject};
use super::row_state::RowState;

/// A field's column for all records.
pub fn column(
    batch: &RecordBatch,
    def: &FieldDef,
    path: &Path,
    transform: &Transform,
    field: &Field,
    rows: &mut RowState,
) -> Result<ArrayRef, ArrowError> {
    if def.kind == FieldType::TextList {
        let DataType::List(item) = field.data_type() else {
            return Err(ArrowError::SchemaError(format!("column {} is not a list", def.name)));
        };
        return Ok(Arc::new(text_lists(batch, path, item)?));
    }
    let text = transformed(texts(batch, path)?, def, transform, rows);
    Ok(match def.kind {
        FieldType::Text | FieldType::Json | FieldType::TextList => Arc::new(text),
        FieldType::Int => Arc::new(read::<Int64Type>(&text, def, rows, parse::int)),
        FieldType::Date => Arc::new(read::<Date32Type>(&text, def, rows, parse::date)),
        FieldType::Timestamp => Arc::new(read::<TimestampMicrosecondType>(&text, def, rows, parse::timestamp).with_timezone("UTC")),
        FieldType::Decimal { precision, scale } => {
            let values = read::<Decimal128Type>(&text, def, rows, |t| parse::decimal(t, precision, scale));
            Arc::new(values.with_precision_and_scale(precision, scale)?)
        }
        FieldType::Bool => {
            let values = (0..text.len()).map(|row| one(&text, row, def, rows, parse::boolean));
            Arc::new(BooleanArray::from_iter(values))
        }
    })
}

fn read<T: arrow_array::types::ArrowPrimitiveType>(
    text: &StringArray,
    def: &FieldDef,
    rows: &mut RowState,
    parse: impl Fn(&str) -> Result<Option<T::Native>, Unreadable>,
) -> PrimitiveArray<T> {
    let values: Vec<Option<T::Native>> = (0..text.len()).map(|row| one(text, row, def, rows, &parse)).collect();
    PrimitiveArray::from_iter(values)
}

fn one<V>(
    text: &StringArray,
    row: usize,
    def: &FieldDef,
    rows: &mut RowState,
    parse: impl Fn(&str) -> Result<Option<V>, Unreadable>,
) -> Option<V> {
    if text.is_null(row) {
        return None;
    }
    match parse(text.value(row)) {
        Ok(value) => value,
        Err((reason, why)) => {
            unreadable(row, text.value(row), def, rows, reason, why);
            None
        }
    }
}

fn unreadable(row: usize, text: &str, def: &FieldDef, rows: &mut RowState, reason: Reason, why: &str) {
    let shown: String = text.chars().take(100).collect();
    match def.on_error {
        // A delete carries a key and a version; whatever else stands in it does not count.
        _ if rows.is_delete(row) => {}
        OnError::Reject => {
            let reason = if reason == Reason::OutOfRange { reason } else { Reason::Schema };
            rows.reject(row, Reject { reason, detail: format!("{} {why}: {shown:?}", def.name), rule: Some(format!("type:{}", def.name)) });
        }
        OnError::Flag => rows.flags.add(row, &format!("unreadable:{}", def.name)),
    }
}

fn transformed(text: StringArray, def: &FieldDef, transform: &Transform, rows: &mut RowState) -> StringArray {
    let Transform { map, otherwise, only_mapped, flag_unknown } = transform;
    if map.is_none() && otherwise.is_none() {
        return text;
    }
    let mut out = StringBuilder::with_capacity(text.len(), text.len() * 12);
    for row in 0..text.len() {
        let value = text.is_valid(row).then(|| text.value(row));
        let mapped = value.and_then(|v| map.as_ref().map_or(Some(v), |m| m.get(v).map(String::as_str)));
        if value.is_some() && mapped.is_none() && *flag_unknown {
            rows.flags.add(row, &format!("unknown:{}", def.name));
        }
        let kept = if *only_mapped { mapped } else { mapped.or(value) };
        out.append_option(kept.or(otherwise.as_deref()));
    }
    out.finish()
}

/// The typed arrays that rules and sums of money look into.
pub fn decimals(array: &ArrayRef) -> Option<&Decimal128Array> {
    array.as_any().downcast_ref()
}

/// Likewise.
pub fn ints(array: &ArrayRef) -> Option<&Int64Array> {
    array.as_any().downcast_ref()
}

/// Likewise.
pub fn dates(array: &ArrayRef) -> Option<&Date32Array> {
    array.as_any().downcast_ref()
}

/// Likewise.
pub fn instants(array: &ArrayRef) -> Option<&TimestampMicrosecondArray> {
    array.as_any().downcast_ref()
}
