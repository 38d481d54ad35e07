//! The values at a path, row by row, out of decoded columns.

use std::sync::Arc;

use arrow::compute::take;
use arrow_array::cast::AsArray;
use arrow_array::{new_null_array, Array, ArrayRef, ListArray, RecordBatch, StringArray, UInt32Array};
use arrow_schema::{ArrowError, DataType, Field};
use lakewright_storage::pack::{Path, Segment};

use super::projection::field;

/// One text per row, or null.
pub fn texts(batch: &RecordBatch, path: &Path) -> Result<StringArray, ArrowError> {
    let mut found = one_text(batch, path)?;
    for way in &path.1 {
        if found.null_count() == 0 {
            break;
        }
        let other = one_text(batch, way)?;
        let value = |row: usize| if found.is_valid(row) { Some(found.value(row)) } else { other.is_valid(row).then(|| other.value(row)) };
        found = (0..found.len()).map(value).collect();
    }
    Ok(found)
}

fn one_text(batch: &RecordBatch, path: &Path) -> Result<StringArray, ArrowError> {
    Ok(match walk(batch, &path.0)? {
        Some(array) if array.data_type() == &DataType::Utf8 => array.as_string::<i32>().clone(),
        // The path ends at an object or a list: there is no text.
        _ => StringArray::new_null(batch.num_rows()),
    })
}

/// A list of texts per row, or null.
pub fn text_lists(batch: &RecordBatch, path: &Path, item: &Arc<Field>) -> Result<ListArray, ArrowError> {
    let rows = batch.num_rows();
    let null = || new_null_array(&DataType::List(Arc::clone(item)), rows).as_list::<i32>().clone();
    let split = path.0.iter().position(|s| matches!(s, Segment::Each));
    let Some(split) = split else { return Ok(null()) };
    let Some(array) = walk(batch, &path.0[..split])? else { return Ok(null()) };
    let Some(list) = array.as_list_opt::<i32>() else { return Ok(null()) };
    let values = steps(Arc::clone(list.values()), &path.0[split + 1..])?;
    match values {
        Some(values) if values.data_type() == &DataType::Utf8 => {
            ListArray::try_new(Arc::clone(item), list.offsets().clone(), values, list.nulls().cloned())
        }
        _ => Ok(null()),
    }
}

fn walk(batch: &RecordBatch, segments: &[Segment]) -> Result<Option<ArrayRef>, ArrowError> {
    let Some((Segment::Field(name), rest)) = segments.split_first() else { return Ok(None) };
    match field(batch.schema_ref().fields(), batch.columns(), name) {
        Some(column) => steps(Arc::clone(column), rest),
        None => Ok(None),
    }
}

fn steps(mut array: ArrayRef, segments: &[Segment]) -> Result<Option<ArrayRef>, ArrowError> {
    for segment in segments {
        array = match segment {
            Segment::Field(name) => match array.as_struct_opt() {
                Some(s) => match field(s.fields(), s.columns(), name) {
                    // The decoder leaves children of a null object null, so the child alone tells.
                    Some(child) => Arc::clone(child),
                    None => return Ok(None),
                },
                None => return Ok(None),
            },
            Segment::Index(n) => match array.as_list_opt::<i32>() {
                Some(list) => nth(list, |list, row| {
                    let (start, end) = (list.value_offsets()[row], list.value_offsets()[row + 1]);
                    (start as usize + n < end as usize).then(|| start as usize + n)
                })?,
                None => return Ok(None),
            },
            Segment::Where(name, value) => {
                let Some(list) = array.as_list_opt::<i32>() else { return Ok(None) };
                let entries = list.values().as_struct_opt().and_then(|s| field(s.fields(), s.columns(), name));
                let Some(entries) = entries.and_then(|e| e.as_string_opt::<i32>()) else { return Ok(None) };
                nth(list, |list, row| {
                    let (start, end) = (list.value_offsets()[row] as usize, list.value_offsets()[row + 1] as usize);
                    (start..end).find(|i| entries.is_valid(*i) && entries.value(*i) == value)
                })?
            }
            Segment::Each => return Ok(None),
        };
    }
    Ok(Some(array))
}

/// One entry of each row's list.
fn nth(list: &ListArray, pick: impl Fn(&ListArray, usize) -> Option<usize>) -> Result<ArrayRef, ArrowError> {
    let picked: UInt32Array = (0..list.len()).map(|row| if list.is_null(row) { None } else { pick(list, row).map(|i| i as u32) }).collect();
    take(list.values(), &picked, None)
}
