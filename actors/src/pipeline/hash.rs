//! The hash of a row's content: of its typed values, not of the source's bytes, so that
//! differences of spelling are no change.

use arrow_array::cast::AsArray;
use arrow_array::types::{Date32Type, Decimal128Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, ArrayRef};
use arrow_schema::{ArrowError, DataType};
use xxhash_rust::xxh3::xxh3_128;

enum Column<'a> {
    Text(&'a arrow_array::StringArray),
    Long(&'a [i64], &'a ArrayRef),
    Days(&'a [i32], &'a ArrayRef),
    Wide(&'a [i128], &'a ArrayRef),
    Bool(&'a arrow_array::BooleanArray),
    List(&'a arrow_array::ListArray, &'a arrow_array::StringArray),
}

/// One hash per row. Each value is preceded by what it is, and texts by their length, so that
/// no two rows of other content have the same bytes.
pub fn rows(columns: &[&ArrayRef], len: usize) -> Result<Vec<u128>, ArrowError> {
    let columns: Vec<Column<'_>> = columns
        .iter()
        .map(|c| {
            Ok(match c.data_type() {
                DataType::Utf8 => Column::Text(c.as_string()),
                DataType::Int64 => Column::Long(c.as_primitive::<Int64Type>().values(), c),
                DataType::Timestamp(..) => Column::Long(c.as_primitive::<TimestampMicrosecondType>().values(), c),
                DataType::Date32 => Column::Days(c.as_primitive::<Date32Type>().values(), c),
                DataType::Decimal128(..) => Column::Wide(c.as_primitive::<Decimal128Type>().values(), c),
                DataType::Boolean => Column::Bool(c.as_boolean()),
                DataType::List(_) => {
                    let list = c.as_list::<i32>();
                    Column::List(list, list.values().as_string())
                }
                other => return Err(ArrowError::NotYetImplemented(format!("hashing a column of {other}"))),
            })
        })
        .collect::<Result<_, ArrowError>>()?;
    let mut bytes = Vec::with_capacity(4 << 10);
    Ok((0..len)
        .map(|row| {
            bytes.clear();
            for column in &columns {
                column.put(row, &mut bytes);
            }
            xxh3_128(&bytes)
        })
        .collect())
}

const NULL: u8 = 0;
const VALUE: u8 = 1;

impl Column<'_> {
    fn put(&self, row: usize, out: &mut Vec<u8>) {
        match self {
            Self::Text(a) if a.is_valid(row) => text(a.value(row), out),
            Self::Long(values, a) if a.is_valid(row) => fixed(&values[row].to_le_bytes(), out),
            Self::Days(values, a) if a.is_valid(row) => fixed(&values[row].to_le_bytes(), out),
            Self::Wide(values, a) if a.is_valid(row) => fixed(&values[row].to_le_bytes(), out),
            Self::Bool(a) if a.is_valid(row) => fixed(&[u8::from(a.value(row))], out),
            Self::List(list, values) if list.is_valid(row) => {
                let (from, to) = (list.value_offsets()[row] as usize, list.value_offsets()[row + 1] as usize);
                fixed(&((to - from) as u32).to_le_bytes(), out);
                for i in from..to {
                    if values.is_valid(i) {
                        text(values.value(i), out);
                    } else {
                        out.push(NULL);
                    }
                }
            }
            _ => out.push(NULL),
        }
    }
}

fn text(value: &str, out: &mut Vec<u8>) {
    fixed(&(value.len() as u32).to_le_bytes(), out);
    out.extend_from_slice(value.as_bytes());
}

fn fixed(bytes: &[u8], out: &mut Vec<u8>) {
    out.push(VALUE);
    out.extend_from_slice(bytes);
}
