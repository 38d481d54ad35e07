//! The tables of a pack: as they are made, and as tables that exist are brought to it.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_schema::Schema;
use lakewright_proto::{Error, Layer, TableId, TenantId};
use lakewright_storage::catalog::command::TableSpec;
use lakewright_storage::catalog::keyspace::{Shards, SourceShards};
use lakewright_storage::catalog::records::{Table, TableLookups};
use lakewright_storage::catalog::{Read as _, View};
use lakewright_storage::pack::{Entity, EntityChange, FieldSource, Pack};
use lakewright_storage::paths;
use lakewright_storage::query::{decode_schema, encode_schema};
use lakewright_storage::table::evolve::{evolve, follow, Evolution};

/// What a pack does to one entity's tables.
pub struct EntityPlan {
    /// The entity.
    pub entity: String,
    /// What becomes of the Silver table's columns; none: the table is new.
    pub evolution: Option<Evolution>,
    /// What changes in how rows are made; none: it is not known, or the table is new.
    pub change: Option<EntityChange>,
    /// Why its rows are made again from Bronze; none: they are not.
    pub rebuild: Option<String>,
}

/// The Silver tables of a pack's entities, each with its change table before it, and what that does
/// to those that a tenant has already.
/// `old` are the packs that the tenant's tables are of.
pub fn plan(
    view: &View<'_>,
    tenant: TenantId,
    pack: &Pack,
    old: &HashMap<String, Arc<Pack>>,
) -> Result<(Vec<TableSpec>, Vec<EntityPlan>), Error> {
    let (mut specs, mut plans) = (Vec::new(), Vec::new());
    for entity in pack.entities() {
        let table = view.table_by_name(tenant, Layer::Silver, entity.table())?;
        let changes = view.table_by_name(tenant, Layer::Silver, &changes_name(entity))?;
        let (mut rows, mut changed) = (entity.silver_schema().as_ref().clone(), entity.changes_schema().as_ref().clone());
        let mut evolution = None;
        if let Some(table) = &table {
            let empty = table.files == 0 && changes.as_ref().is_none_or(|c| c.files == 0);
            let new = evolve(&schema(table)?, table.last_field_id, &rows, empty);
            rows = new.schema.clone();
            let before = changes.as_ref().map(schema).transpose()?;
            changed = follow(before.as_ref().filter(|_| !empty), &changed, &rows);
            evolution = Some(new);
        }
        let was =
            table.as_ref().and_then(|t| old.get(t.pack.as_ref()?)).and_then(|p| p.entities().iter().find(|e| e.name() == entity.name()));
        let mut change = was.map(|was| EntityChange::between(was, entity));
        if table.as_ref().is_some_and(|t| t.files == 0) {
            // Of a table without rows none can become another one.
            change.iter_mut().for_each(|c| c.refused.clear());
        }
        if let Some(other) = table.as_ref().filter(|t| t.subject != entity.name()) {
            let why = format!("table {} is the entity {}'s; give {} another", other.name, other.subject, entity.name());
            change.get_or_insert_default().refused.push(why);
        }
        let widened = evolution.as_ref().filter(|e| !e.widened.is_empty()).map(|e| {
            let names: Vec<&str> = e.widened.iter().map(|w| w.column.as_str()).collect();
            format!("wider: {}", names.join(", "))
        });
        // A table sees the commits from when it was made: what Bronze had before is a rebuild's to bring.
        let reason = match &table {
            None => Some("a new entity".to_owned()),
            Some(_) => widened.or_else(|| change.as_ref().and_then(EntityChange::reason)),
        };
        let rebuild = reason.filter(|_| has_history(view, tenant, entity).unwrap_or(true));
        // The change table comes first, so that its owner finds it.
        specs.push(spec(tenant, entity, changes_name(entity), &changed, None)?);
        let rows = spec(tenant, entity, entity.table().to_owned(), &rows, Some(changes_name(entity)))?;
        specs.push(TableSpec { rebuild: rebuild.clone(), ..rows });
        plans.push(EntityPlan { entity: entity.name().to_owned(), evolution, change, rebuild });
    }
    Ok((specs, plans))
}

/// Whether Bronze has records of an entity's streams.
fn has_history(view: &View<'_>, tenant: TenantId, entity: &Entity) -> Result<bool, Error> {
    for ((_, _, stream, _), id) in view.scan::<SourceShards>(&tenant).map_err(Error::from)? {
        if entity.streams().contains(&stream) && view.get::<Shards>(&id).map_err(Error::from)?.is_some_and(|s| s.next_offset > 0) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// What an entity's table looks up; none: nothing.
fn lookups(entity: &Entity) -> Option<TableLookups> {
    let columns: Vec<_> =
        entity.fields().iter().filter(|f| matches!(f.source, FieldSource::Lookup(..))).map(|f| (&f.name, &f.source)).collect();
    if columns.is_empty() {
        return None;
    }
    let mut tables: Vec<String> = entity.lookups().iter().flat_map(|l| l.steps.iter().map(|s| s.table.clone())).collect();
    tables.sort();
    tables.dedup();
    let definition = format!("{:?}", (columns, entity.lookups()));
    Some(TableLookups { tables, definition: format!("{:032x}", xxhash_rust::xxh3::xxh3_128(definition.as_bytes())) })
}

fn changes_name(entity: &Entity) -> String {
    format!("{}__changes", entity.table())
}

fn schema(table: &Table) -> Result<Schema, Error> {
    Ok(decode_schema(&table.name, &table.schema_ipc)?.as_ref().clone())
}

fn spec(tenant: TenantId, entity: &Entity, name: String, schema: &Schema, changes: Option<String>) -> Result<TableSpec, Error> {
    let root = if changes.is_some() { paths::silver_root(tenant, entity.table()) } else { paths::changes_root(tenant, entity.table()) };
    Ok(TableSpec {
        id: TableId::generate(),
        layer: Layer::Silver,
        name,
        subject: entity.name().to_owned(),
        root,
        schema_ipc: encode_schema(schema)?,
        streams: entity.streams().to_vec(),
        rebuild: None,
        lookups: if changes.is_some() { lookups(entity) } else { None },
        changes,
    })
}
