//! What a batch's accepted records look like: nulls by column, which Arrow has counted already, and the values of the
//! columns that the pack calls enums. Nothing is done per record for the rest.

use arrow_array::{Array, ArrayRef, StringArray};
use arrow_buffer::BooleanBuffer;
use lakewright_storage::catalog::records::{Distinct, EntityProfile, MAX_COLUMNS, MAX_ENUMS, MAX_VALUES, MAX_VALUE_BYTES};
use lakewright_storage::pack::{Entity, FieldSource};

/// Looks at the columns of accepted rows, in the order of the entity's fields.
pub fn of(entity: &Entity, columns: &[ArrayRef], operations: &[i8]) -> EntityProfile {
    let deletes = operations.iter().filter(|o| **o != 0).count();
    // A record that deletes has a key and no values: its nulls say nothing.
    let upserts = (deletes > 0).then(|| BooleanBuffer::collect_bool(operations.len(), |row| operations[row] == 0));
    let mut profile = EntityProfile { rows: (operations.len() - deletes) as u64, ..EntityProfile::default() };
    let told = |s: &FieldSource| matches!(s, FieldSource::Path(..) | FieldSource::FirstOf(_));
    for (field, column) in entity.fields().iter().zip(columns).filter(|(f, _)| told(&f.source)).take(MAX_COLUMNS) {
        profile.nulls.insert(field.name.clone(), nulls(column, upserts.as_ref()) as u64);
        // Values of columns that tell of persons stay where rows are.
        let watched = field.enumerated && !field.pii && profile.values.len() < MAX_ENUMS;
        if let (true, Some(texts)) = (watched, column.as_any().downcast_ref::<StringArray>()) {
            profile.values.insert(field.name.clone(), distinct(texts));
        }
    }
    profile
}

fn nulls(column: &ArrayRef, upserts: Option<&BooleanBuffer>) -> usize {
    match (column.nulls(), upserts) {
        (None, _) => 0,
        (Some(valid), None) => valid.null_count(),
        (Some(valid), Some(upserts)) => upserts.count_set_bits() - (valid.inner() & upserts).count_set_bits(),
    }
}

/// The values of a column that has few: mostly a row has the value of the row before it.
fn distinct(texts: &StringArray) -> Distinct {
    let (mut seen, mut bytes, mut last): (Vec<&str>, usize, usize) = (Vec::new(), 0, 0);
    for value in texts.iter().flatten() {
        if seen.get(last) == Some(&value) {
            continue;
        }
        if let Some(at) = seen.iter().position(|s| *s == value) {
            last = at;
            continue;
        }
        bytes += value.len();
        if seen.len() == MAX_VALUES || bytes > MAX_VALUE_BYTES {
            return Distinct { many: true, ..Distinct::default() };
        }
        last = seen.len();
        seen.push(value);
    }
    Distinct { seen: seen.into_iter().map(str::to_owned).collect(), many: false }
}
