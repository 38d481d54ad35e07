//! One entity's share of a batch: typed rows of what is accepted, and what became of the rest.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::connectors::OP_UPSERT;
use arrow::compute::take;
use arrow_array::builder::{FixedSizeBinaryBuilder, StringBuilder};
use arrow_array::{Array, ArrayRef, FixedSizeBinaryArray, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray, UInt32Array};
use arrow_schema::{ArrowError, DataType, SchemaRef};
use lakewright_storage::catalog::records::{EntityCounts, EntityProfile};
use lakewright_storage::keyindex::record_id;
use lakewright_storage::pack::{Entity, FieldSource, FieldType, KeyScope, OnError};
use lakewright_storage::silver::MergeBatch;
use parking_lot::Mutex;
use uuid::Uuid;

use super::extra::Extra;
use super::layout::Layout;
use super::reject::{Reason, Reject};
use super::row_state::RowState;
use super::scan::{Capture, Mismatch};
use super::{extract, hash, kept, money, parse, profile, rules, told, typed, Context};

/// Accepted rows of one entity, in offset order, ready for its merge.
#[derive(Clone, Debug)]
pub struct EntityBatch {
    /// The entity.
    pub entity: String,
    /// Its Silver table.
    pub table: String,
    /// Rows in the table's schema; `_commit_seq` is for the merge to fill.
    pub rows: RecordBatch,
    /// The key of each row: its id.
    pub keys: FixedSizeBinaryArray,
    /// The version of each row.
    pub versions: Int64Array,
    /// 0: upsert, 1: delete.
    pub operations: Vec<i8>,
    /// Hash of each row's typed content.
    pub content_hash: Vec<u128>,
    /// What the checks counted.
    pub counts: EntityCounts,
    /// What the rows look like.
    pub profile: EntityProfile,
}

impl From<EntityBatch> for MergeBatch {
    fn from(b: EntityBatch) -> Self {
        Self { rows: b.rows, keys: b.keys, versions: b.versions, operations: b.operations, content_hash: b.content_hash }
    }
}

/// What is known of the records before any entity looks at them.
pub struct Records<'a> {
    /// Decoded columns, one row per record; null throughout where a record is refused already.
    pub decoded: &'a RecordBatch,
    /// The records as JSON text.
    pub json: &'a StringArray,
    /// Refused by everybody.
    pub rejects: &'a BTreeMap<usize, Reject>,
    /// Each record's shape, and whether a key is there twice.
    pub scans: &'a [Option<super::scan::Scan>],
    /// What kinds of values are expected where.
    pub layout: &'a Layout,
    /// Values that stay JSON.
    pub captures: &'a [Capture],
    /// Values of the wrong kind.
    pub mismatches: &'a [Mismatch],
    /// Keys that the source told.
    pub keys: Option<&'a StringArray>,
    /// Versions that the source told.
    pub versions: Option<&'a Int64Array>,
    /// Operations that the source told.
    pub operations: Option<&'a [i8]>,
    /// The records' shard.
    pub shard: i64,
    /// The records' offsets.
    pub offsets: &'a Int64Array,
    /// When they were taken in.
    pub ingested_at: &'a TimestampMicrosecondArray,
}

/// What became of a batch's records, for one entity.
pub struct Checked {
    /// What was accepted.
    pub batch: EntityBatch,
    /// Rejections and marks.
    pub state: RowState,
    /// Each record's key, where it has one.
    pub keys: StringArray,
}

/// A record's own scope lies within the one that the connector's configuration names.
fn within(context: &Context, scopes: StringArray) -> StringArray {
    if !context.key_scope_told {
        return scopes;
    }
    scopes.iter().map(|s| s.map(|s| format!("{}/{s}", context.key_scope))).collect()
}

/// Checks and types the records for one entity.
pub fn check(
    entity: &Entity,
    schema: &SchemaRef,
    context: &Context,
    pack: &str,
    extra: &Mutex<Extra>,
    r: &Records<'_>,
) -> Result<Checked, ArrowError> {
    let len = r.json.len();
    let operations = told::operations(entity, r)?;
    let mut rows = RowState::new(r.rejects.clone(), operations.iter().map(|o| *o != OP_UPSERT).collect());
    if let Some(absent) = told::absent(entity, r, &operations)? {
        rows.leave_out(absent);
    }
    let keys = told::keys(entity, r, &mut rows)?;
    let versions = told::versions(entity, context, r, &operations, &mut rows)?;
    let scopes = match entity.scope() {
        KeyScope::Path(path) => Some(within(context, extract::texts(r.decoded, path)?)),
        KeyScope::Connector => None,
    };
    let scope = |row: usize| scopes.as_ref().filter(|s| s.is_valid(row)).map_or(context.key_scope.as_str(), |s| s.value(row));

    let ids = ids(entity, context, &keys, scope, len)?;
    let columns = columns(entity, schema, context, r, &ids, &mut rows)?;
    wrong_kinds(entity, r, &mut rows);
    rules::apply(entity, r.decoded, &columns, &mut rows)?;
    for (row, scan) in r.scans.iter().enumerate() {
        if scan.is_some_and(|s| s.duplicate_keys) {
            rows.flags.add(row, "duplicate_keys");
        }
    }
    rows.failed.settle();
    rows.warnings.settle();
    rows.flags.settle();

    let accepted: Vec<u32> = (0..len).filter(|row| !rows.is_rejected(*row) && !rows.is_absent(*row)).map(|row| row as u32).collect();
    let whole = accepted.len() == len;
    let picks = UInt32Array::from(accepted);
    let pick = |array: &ArrayRef| -> Result<ArrayRef, ArrowError> {
        if whole {
            Ok(Arc::clone(array))
        } else {
            take(array, &picks, None)
        }
    };
    let partition = partition(entity, r)?;
    let mut scope_column = StringBuilder::new();
    let mut extras = StringBuilder::new();
    let mut extra = extra.lock();
    for row in picks.values().iter().map(|p| *p as usize) {
        scope_column.append_value(scope(row));
        extras.append_option(r.scans[row].and_then(|s| extra.of(s.shape, r.json.value(row))));
    }
    drop(extra);
    let n = picks.len();
    let same = |text: &str| -> ArrayRef { Arc::new(StringArray::from_iter_values(std::iter::repeat_n(text, n))) };
    let flags_field = schema.field_with_name("_flags")?;
    let DataType::List(item) = flags_field.data_type() else {
        return Err(ArrowError::SchemaError("_flags is not a list".into()));
    };
    let versions: ArrayRef = Arc::new(versions);
    let versions = pick(&versions)?;
    let system: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from_value(r.shard, n)),
        pick(&(Arc::new(r.offsets.clone()) as ArrayRef))?,
        Arc::new(Int64Array::from_value(0, n)),
        Arc::clone(&versions),
        pick(&(Arc::new(keys.clone()) as ArrayRef))?,
        Arc::new(scope_column.finish()),
        pick(&(Arc::new(partition) as ArrayRef))?,
        pick(&(Arc::new(r.ingested_at.clone()) as ArrayRef))?,
        same(&context.run.to_string()),
        same(pack),
        same("source"),
        Arc::new(rows.flags.lists(picks.values().iter().map(|p| *p as usize), item, true)),
        Arc::new(extras.finish()),
    ];
    let mut all = system;
    for column in &columns {
        all.push(pick(column)?);
    }
    let operations: Vec<i8> = picks.values().iter().map(|p| operations[*p as usize]).collect();
    let profile = profile::of(entity, &all[all.len() - columns.len()..], &operations);
    let hashed: Vec<&ArrayRef> = entity
        .fields()
        .iter()
        .zip(&all[all.len() - columns.len()..])
        .filter(|(f, _)| !f.payload && !matches!(f.source, FieldSource::Id | FieldSource::Tenant))
        .map(|(_, c)| c)
        .collect();
    let content_hash = hash::rows(&hashed, n)?;
    let keys16 = pick(&(Arc::new(ids) as ArrayRef))?;
    let keys16 = keys16.as_any().downcast_ref::<FixedSizeBinaryArray>().cloned();
    let versions = versions.as_any().downcast_ref::<Int64Array>().cloned();
    let (Some(keys16), Some(versions)) = (keys16, versions) else {
        return Err(ArrowError::SchemaError("keys and versions lost their types".into()));
    };
    let accepted = picks.values().iter().map(|p| *p as usize);
    let counts = EntityCounts {
        accepted: n as u64,
        rejected: (len - n - rows.absent()) as u64,
        flagged: accepted.clone().filter(|row| rows.failed.has(*row)).count() as u64,
        warned: accepted.filter(|row| rows.warnings.has(*row)).count() as u64,
    };
    let batch = EntityBatch {
        entity: entity.name().to_owned(),
        table: entity.table().to_owned(),
        rows: RecordBatch::try_new(Arc::clone(schema), all)?,
        keys: keys16,
        versions,
        operations,
        content_hash,
        counts,
        profile,
    };
    Ok(Checked { batch, state: rows, keys })
}

/// A value of the wrong kind (an object where a date should be) has no text to read: it rejects
/// where an unreadable text would, else its row is flagged.
fn wrong_kinds(entity: &Entity, r: &Records<'_>, rows: &mut RowState) {
    for mismatch in r.mismatches {
        let (row, path) = (mismatch.row as usize, r.layout.expects(mismatch.slot).path.as_str());
        if rows.is_rejected(row) || rows.is_delete(row) {
            continue;
        }
        let strict = entity.fields().iter().find(|f| {
            let typed = !matches!(f.kind, FieldType::Text | FieldType::Json | FieldType::TextList);
            typed && f.on_error == OnError::Reject && matches!(&f.source, FieldSource::Path(p, _) if p.is_spelt(path))
        });
        match strict {
            Some(f) => {
                let detail = format!("{} is of another kind than expected at {path}", f.name);
                rows.reject(row, Reject { reason: Reason::Schema, detail, rule: Some(format!("type:{}", f.name)) });
            }
            None => rows.flags.add(row, &format!("type_mismatch:{path}")),
        }
    }
}

/// The partition instant: the pack's field, or the ingest time where it has no value.
fn partition(entity: &Entity, r: &Records<'_>) -> Result<TimestampMicrosecondArray, ArrowError> {
    let Some(path) = entity.partition() else { return Ok(r.ingested_at.clone()) };
    let text = extract::texts(r.decoded, path)?;
    let value = |row: usize| {
        let parsed = if text.is_valid(row) { parse::timestamp(text.value(row)).ok().flatten() } else { None };
        parsed.unwrap_or_else(|| r.ingested_at.value(row))
    };
    Ok(TimestampMicrosecondArray::from_iter_values((0..text.len()).map(value)).with_timezone("UTC"))
}

fn ids<'a>(
    entity: &Entity,
    context: &Context,
    keys: &StringArray,
    scope: impl Fn(usize) -> &'a str,
    len: usize,
) -> Result<FixedSizeBinaryArray, ArrowError> {
    let mut builder = FixedSizeBinaryBuilder::with_capacity(len, 16);
    let mut scratch = Vec::with_capacity(128);
    for row in 0..len {
        let key = if keys.is_valid(row) { keys.value(row) } else { "" };
        builder.append_value(record_id(context.tenant, entity.name(), scope(row), key, &mut scratch))?;
    }
    Ok(builder.finish())
}

fn columns(
    entity: &Entity,
    schema: &SchemaRef,
    context: &Context,
    r: &Records<'_>,
    ids: &FixedSizeBinaryArray,
    rows: &mut RowState,
) -> Result<Vec<ArrayRef>, ArrowError> {
    let len = r.json.len();
    let mut columns: Vec<ArrayRef> = Vec::with_capacity(entity.fields().len());
    for def in entity.fields() {
        let field = schema.field_with_name(&def.name)?;
        columns.push(match &def.source {
            FieldSource::Id => {
                let mut out = StringBuilder::with_capacity(len, len * 36);
                let mut buffer = Uuid::encode_buffer();
                for id in ids.iter() {
                    let id = id.and_then(|b| Uuid::from_slice(b).ok());
                    out.append_option(id.map(|u| &*u.hyphenated().encode_lower(&mut buffer)));
                }
                Arc::new(out.finish())
            }
            FieldSource::Tenant => {
                let tenant = context.tenant.to_string();
                Arc::new(StringArray::from_iter_values(std::iter::repeat_n(tenant.as_str(), len)))
            }
            FieldSource::Payload => Arc::new(r.json.clone()),
            FieldSource::Path(path, _) if def.kind == FieldType::Json => match r.layout.named(&path.to_string()) {
                Some(slot) => Arc::new(kept::column(r.json, r.scans, r.captures, slot, path)),
                None => arrow_array::new_null_array(field.data_type(), len),
            },
            FieldSource::Path(path, transform) => typed::column(r.decoded, def, path, transform, field, rows)?,
            // Sums are made of columns that may stand after them: in a second round.
            // What is looked up comes with the merge.
            FieldSource::FirstOf(_) | FieldSource::Lookup(..) => arrow_array::new_null_array(field.data_type(), len),
        });
    }
    for (i, def) in entity.fields().iter().enumerate() {
        if let FieldSource::FirstOf(sum) = &def.source {
            columns[i] = money::column(def, sum, entity.rates(), &columns, rows)?;
        }
    }
    Ok(columns)
}
