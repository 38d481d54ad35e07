//! A sum of money picked from several fields and converted: exact, or null with a warning.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, Decimal128Array};
use arrow_schema::ArrowError;
use lakewright_storage::pack::{CurrencyRates, FieldDef, FieldType, FirstOf};

use super::row_state::RowState;
use super::typed::{dates, decimals, ints};

/// Rates have eight decimal places.
const RATE: i128 = 100_000_000;

/// The column of a `first_of` field, from columns that are read already.
pub fn column(
    def: &FieldDef,
    sum: &FirstOf,
    rates: &CurrencyRates,
    columns: &[ArrayRef],
    rows: &mut RowState,
) -> Result<ArrayRef, ArrowError> {
    let FieldType::Decimal { precision, scale } = def.kind else {
        return Err(ArrowError::SchemaError(format!("column {} picks sums of money and is no decimal", def.name)));
    };
    let len = columns.iter().map(|c| c.len()).max().unwrap_or(0);
    let limit = 10i128.pow(u32::from(precision));
    let mut out: Vec<Option<i128>> = Vec::with_capacity(len);
    for row in 0..len {
        let picked = sum.choices.iter().find_map(|(field, times)| {
            let value = decimals(&columns[*field]).filter(|a| a.is_valid(row))?.value(row);
            let times = match times {
                None => 1,
                Some(t) => i128::from(ints(&columns[t.field]).filter(|a| a.is_valid(row)).map_or(t.default, |a| a.value(row))),
            };
            Some(value.checked_mul(times))
        });
        let converted = match picked {
            None => None,
            Some(value) => {
                let done = value.and_then(|v| convert(v, sum, rates, columns, row)).filter(|v| v.abs() < limit);
                if done.is_none() && !rows.is_delete(row) && !rows.is_rejected(row) {
                    rows.warnings.add(row, &format!("not_converted:{}", def.name));
                }
                done
            }
        };
        out.push(converted);
    }
    Ok(Arc::new(Decimal128Array::from(out).with_precision_and_scale(precision, scale)?))
}

fn convert(value: i128, sum: &FirstOf, rates: &CurrencyRates, columns: &[ArrayRef], row: usize) -> Option<i128> {
    let Some(currency) = sum.currency else { return Some(value) };
    let codes = columns[currency].as_string::<i32>();
    let dated = rates.get(codes.is_valid(row).then(|| codes.value(row))?)?;
    let day = sum.rates_at.and_then(|d| dates(&columns[d]).filter(|a| a.is_valid(row)).map(|a| a.value(row)));
    // The rate of the day, or the newest where no day is known.
    let rate = match day {
        Some(day) => dated.iter().rev().find(|(from, _)| *from <= day)?.1,
        None => dated.last()?.1,
    };
    if rate == RATE {
        return Some(value);
    }
    // To the nearest unit of the scale, halves away from zero.
    let scaled = value.checked_mul(rate)?;
    Some((scaled + scaled.signum() * RATE / 2) / RATE)
}
