//! The four kinds of rules, with exactly their actions: schema rejects, format flags, business
//! warns; freshness is looked at by the scheduler, not by record.

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::{ArrowError, DataType, Field};
use lakewright_storage::pack::{Comparison, Entity, Path, Rule, RuleCheck};
use std::sync::Arc;

use super::extract::{text_lists, texts};
use super::reject::{Reason, Reject};
use super::row_state::RowState;
use super::typed::{decimals, ints};

/// Applies an entity's rules to all records.
pub fn apply(entity: &Entity, batch: &RecordBatch, columns: &[ArrayRef], rows: &mut RowState) -> Result<(), ArrowError> {
    for rule in entity.rules() {
        match &rule.check {
            RuleCheck::Required(fields) => required(entity, rule, fields, columns, rows),
            RuleCheck::Matches(path, regex) => matches(rule, path, regex, batch, rows)?,
            RuleCheck::Compare(field, comparison) => compare(rule, &columns[*field], *comparison, rows),
            RuleCheck::MaxAge(_) => {}
        }
    }
    Ok(())
}

fn required(entity: &Entity, rule: &Rule, fields: &[usize], columns: &[ArrayRef], rows: &mut RowState) {
    for field in fields {
        let column = &columns[*field];
        if column.null_count() == 0 {
            continue;
        }
        for row in (0..column.len()).filter(|row| column.is_null(*row)) {
            if rows.is_delete(row) || rows.is_rejected(row) {
                continue;
            }
            let detail = format!("{} has no value", entity.fields()[*field].name);
            rows.reject(row, Reject { reason: Reason::Schema, detail, rule: Some(rule.name.clone()) });
        }
    }
}

fn matches(rule: &Rule, path: &Path, regex: &regex::bytes::Regex, batch: &RecordBatch, rows: &mut RowState) -> Result<(), ArrowError> {
    let fail = |row: usize, rows: &mut RowState| {
        if !rows.is_delete(row) && !rows.is_rejected(row) {
            rows.failed.add(row, &rule.name);
            rows.flags.add(row, &rule.name);
        }
    };
    if path.is_list() {
        let item = Arc::new(Field::new("item", DataType::Utf8, true));
        let lists = text_lists(batch, path, &item)?;
        let values = lists.values().as_string::<i32>();
        for row in 0..lists.len() {
            let range = lists.value_offsets()[row] as usize..lists.value_offsets()[row + 1] as usize;
            let bad = lists.is_valid(row) && range.into_iter().any(|i| values.is_valid(i) && !regex.is_match(values.value(i).as_bytes()));
            if bad {
                fail(row, rows);
            }
        }
    } else {
        let values = texts(batch, path)?;
        for row in 0..values.len() {
            if values.is_valid(row) && !regex.is_match(values.value(row).as_bytes()) {
                fail(row, rows);
            }
        }
    }
    Ok(())
}

fn compare(rule: &Rule, column: &ArrayRef, comparison: Comparison, rows: &mut RowState) {
    let number = |row: usize| -> Option<i128> {
        if column.is_null(row) {
            return None;
        }
        decimals(column).map(|a| a.value(row)).or_else(|| ints(column).map(|a| i128::from(a.value(row))))
    };
    for row in 0..column.len() {
        if rows.is_delete(row) || rows.is_rejected(row) {
            continue;
        }
        let holds = match (comparison, number(row)) {
            (Comparison::Present, _) => column.is_valid(row),
            // Nothing is known of what is not there: no comparison fails on it.
            (_, None) => true,
            (Comparison::Above(n), Some(v)) => v > n,
            (Comparison::AtLeast(n), Some(v)) => v >= n,
            (Comparison::Below(n), Some(v)) => v < n,
            (Comparison::AtMost(n), Some(v)) => v <= n,
            (Comparison::Not(n), Some(v)) => v != n,
        };
        if !holds {
            rows.warnings.add(row, &rule.name);
        }
    }
}
