//! The tables of a pack: as they are made, and as tables that exist are brought to it.

use arrow_schema::Schema;
use lakewright_proto::{Error, Layer, TableId, TenantId};
use lakewright_storage::catalog::command::TableSpec;
use lakewright_storage::catalog::records::{Table, TableLookups};
use lakewright_storage::catalog::View;
use lakewright_storage::pack::{Entity, FieldSource, Pack};
use lakewright_storage::paths;
use lakewright_storage::query::{decode_schema, encode_schema};
use lakewright_storage::table::evolve::{evolve, follow, Evolution};

/// What a pack does to one entity's tables.
pub struct EntityPlan {
    /// The entity.
    pub entity: String,
    /// What becomes of the Silver table's columns; none: the table is new.
    pub evolution: Option<Evolution>,
}

/// The Silver tables of a pack's entities, each with its change table before it, and what that does
/// to those that a tenant has already.
pub fn plan(view: &View<'_>, tenant: TenantId, pack: &Pack) -> Result<(Vec<TableSpec>, Vec<EntityPlan>), Error> {
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
        // The change table comes first, so that its owner finds it.
        specs.push(spec(tenant, entity, changes_name(entity), &changed, None)?);
        specs.push(spec(tenant, entity, entity.table().to_owned(), &rows, Some(changes_name(entity)))?);
        plans.push(EntityPlan { entity: entity.name().to_owned(), evolution });
    }
    Ok((specs, plans))
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
        lookups: if changes.is_some() { lookups(entity) } else { None },
        changes,
    })
}
