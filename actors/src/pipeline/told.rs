//! Each record's key, version and operation: what the source told, else what stands in the record.
//! Decided record by record, so that records check out the same however they are batched.

use arrow_array::{Array, Int64Array, StringArray};
use arrow_schema::ArrowError;
use lakewright_storage::pack::{Entity, Path, VersionType};

use super::entity::Records;
use super::extract::texts;
use super::reject::{Reason, Reject};
use super::row_state::RowState;
use super::{parse, Context};
use crate::connectors::{OP_ABSENT, OP_DELETE, OP_UPSERT};

/// The keys; a record without one is refused.
pub fn keys(entity: &Entity, r: &Records<'_>, rows: &mut RowState) -> Result<StringArray, ArrowError> {
    let own = texts(r.decoded, entity.key())?;
    let keys: StringArray = match r.keys {
        None => own,
        Some(told) => (0..own.len())
            .map(|row| if told.is_valid(row) { Some(told.value(row)) } else { own.is_valid(row).then(|| own.value(row)) })
            .collect(),
    };
    for row in (0..keys.len()).filter(|row| keys.is_null(*row) || keys.value(*row).is_empty()) {
        if !rows.is_rejected(row) {
            rows.reject(
                row,
                Reject { reason: Reason::Schema, detail: format!("the key {} has no value", entity.key()), rule: Some("key".into()) },
            );
        }
    }
    Ok(keys)
}

/// 0: upsert, 1: delete, 2: absent. A record deletes if the source or the record itself says so.
pub fn operations(entity: &Entity, r: &Records<'_>) -> Result<Vec<i8>, ArrowError> {
    let mut out = match r.operations {
        Some(told) => told.to_vec(),
        None => vec![OP_UPSERT; r.json.len()],
    };
    if let Some(operation) = entity.operation() {
        let values = texts(r.decoded, &operation.path)?;
        for (row, op) in out.iter_mut().enumerate() {
            if values.is_valid(row) && operation.delete.iter().any(|d| d == values.value(row)) {
                *op = OP_DELETE;
            }
            if values.is_valid(row) && operation.absent.iter().any(|d| d == values.value(row)) {
                *op = OP_ABSENT;
            }
        }
    }
    Ok(out)
}

/// Which records are none of the entity's; none: all are its. A delete says nothing but its key, so it is everybody's.
pub fn absent(entity: &Entity, r: &Records<'_>, operations: &[i8]) -> Result<Option<Vec<bool>>, ArrowError> {
    let Some(only) = entity.only() else { return Ok(None) };
    // Each way by itself: a record may have another value at the first.
    let ways = only.path.ways().map(|way| texts(r.decoded, &Path(way.0.clone(), Vec::new()))).collect::<Result<Vec<_>, _>>()?;
    let is = |row: usize| ways.iter().any(|w| w.is_valid(row) && only.is.iter().any(|v| v == w.value(row)));
    Ok(Some(operations.iter().enumerate().map(|(row, op)| *op == OP_UPSERT && !is(row)).collect()))
}

/// The versions; a record that should tell its own and does not is refused, unless it stands for an absent one.
pub fn versions(
    entity: &Entity,
    context: &Context,
    r: &Records<'_>,
    operations: &[i8],
    rows: &mut RowState,
) -> Result<Int64Array, ArrowError> {
    let own = match entity.version() {
        Some((path, kind)) => Some((path, kind, texts(r.decoded, path)?)),
        None => None,
    };
    let version = |row: usize| {
        if let Some(told) = r.versions.filter(|v| v.is_valid(row)) {
            return told.value(row);
        }
        let Some((path, kind, text)) = &own else { return context.scan };
        let value = if text.is_valid(row) { text.value(row) } else { "" };
        if value.is_empty() && operations.get(row) == Some(&OP_ABSENT) {
            // A list that has the key no more knows no version of it: whatever was read before it ends.
            return i64::MAX;
        }
        let parsed = match kind {
            VersionType::Timestamp => parse::timestamp(value),
            VersionType::Int => parse::int(value),
        };
        let detail = match parsed {
            Ok(Some(version)) => return version,
            Ok(None) => format!("the version {path} has no value"),
            Err((_, why)) => format!("the version {path} {why}: {:?}", value.chars().take(100).collect::<String>()),
        };
        if !rows.is_rejected(row) {
            rows.reject(row, Reject { reason: Reason::Schema, detail, rule: Some("version".into()) });
        }
        0
    };
    Ok(Int64Array::from_iter_values((0..r.json.len()).map(version)))
}
