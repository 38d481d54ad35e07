//! Packs, tables, and the end of files.

use arrow_schema::SchemaRef;
use lakewright_proto::{CommitSeq, ErrorCode, FileId, Layer, TableId, TenantId};

use super::super::command::{Reply, TableSpec};
use super::super::keyspace::*;
use super::super::records::*;
use super::super::sweep::written_at;
use super::super::tx::{refuse, ApplyError, Tx};
use super::super::view::Read;
use crate::query::decode_schema;
use crate::table::{evolve, DataFile};

/// A file that was written longer ago than this may have been swept as unnamed.
const MAX_FILE_AGE: i64 = 12 * 3_600 * 1_000_000;

pub(super) fn put_pack(tx: &mut Tx<'_>, pack: &Pack) -> Result<Reply, ApplyError> {
    let mut stored = match tx.get::<Packs>(&pack.hash)? {
        Some(stored) => stored,
        None => Pack { created_at: tx.now, tenants: Default::default(), ..pack.clone() },
    };
    // The same content is one version, whoever loads it.
    stored.tenants.extend(pack.tenants.iter().copied());
    tx.put::<Packs>(&pack.hash, &stored)?;
    Ok(Reply::Done)
}

pub(super) fn pin_pack(tx: &mut Tx<'_>, tenant: TenantId, hash: &str, tables: &[TableSpec]) -> Result<Reply, ApplyError> {
    tx.need::<Tenants>(&tenant, || "the tenant".into())?;
    let pack = tx.need::<Packs>(&hash.to_owned(), || format!("pack {hash}"))?;
    let mut silver = Vec::new();
    // Change tables first: Silver tables name them.
    for spec in tables.iter().filter(|s| s.changes.is_none()) {
        ensure_table(tx, tenant, spec, Some(hash))?;
    }
    for spec in tables.iter().filter(|s| s.changes.is_some()) {
        silver.push(ensure_table(tx, tenant, spec, Some(hash))?);
    }
    tx.put::<PackPins>(&(tenant, pack.name), &hash.to_owned())?;
    Ok(Reply::Tables(silver))
}

/// Makes a table, or brings an existing one to a newer pack version.
pub(super) fn ensure_table(tx: &mut Tx<'_>, tenant: TenantId, spec: &TableSpec, pack: Option<&str>) -> Result<TableId, ApplyError> {
    let key = (tenant, spec.layer, spec.name.clone());
    if let Some(mut table) = tx.get::<Tables>(&key)? {
        if table.subject != spec.subject {
            return refuse(
                ErrorCode::AlreadyExists,
                format!("table {}.{} belongs to {:?}; give {:?} another name", spec.layer, spec.name, table.subject, spec.subject),
            );
        }
        if table.schema_ipc != spec.schema_ipc {
            let (old, new) = (columns(&table.name, &table.schema_ipc)?, columns(&spec.name, &spec.schema_ipc)?);
            match evolve::check(&old, table.last_field_id, &new, table.files == 0) {
                Ok(last) => table.last_field_id = last,
                Err(why) => {
                    let what = format!("table {}.{} cannot get these columns: {why}; plan the pack again", spec.layer, spec.name);
                    return refuse(ErrorCode::Conflict, what);
                }
            }
            table.schema_ipc = spec.schema_ipc.clone();
        }
        super::lookups::redefine(tx, &mut table, spec)?;
        table.streams = spec.streams.clone();
        table.pack = pack.map(str::to_owned).or(table.pack);
        super::rebuilds::want(&mut table, spec, tx.now);
        tx.put::<Tables>(&key, &table)?;
        return Ok(table.id);
    }
    super::control::fresh(tx.get::<TableIds>(&spec.id)?.is_none(), "table", &spec.id)?;
    let changes = match &spec.changes {
        Some(name) => Some(tx.need::<Tables>(&(tenant, spec.layer, name.clone()), || format!("the change table {name}"))?.id),
        None => None,
    };
    let buckets = u32::from(spec.changes.is_some());
    let mut table = Table {
        id: spec.id,
        tenant_id: tenant,
        layer: spec.layer,
        name: spec.name.clone(),
        subject: spec.subject.clone(),
        root: spec.root.clone(),
        schema_ipc: spec.schema_ipc.clone(),
        last_field_id: evolve::largest_id(&*columns(&spec.name, &spec.schema_ipc)?),
        pack: pack.map(str::to_owned),
        streams: spec.streams.clone(),
        changes,
        buckets,
        version: tx.version,
        created_at: tx.now,
        updated_at: tx.now,
        files: 0,
        rows: 0,
        bytes: 0,
        lookups: spec.lookups.clone(),
        rebuild: None,
        rebuilt: None,
    };
    super::rebuilds::want(&mut table, spec, tx.now);
    tx.put::<TableIds>(&table.id, &TableName { tenant_id: tenant, layer: table.layer, name: table.name.clone() })?;
    if buckets > 0 {
        // A table sees the Bronze commits made from now on: earlier ones are a rebuild's to bring.
        let watermark = CommitSeq(tx.cluster()?.last_commit_seq);
        tx.put::<Buckets>(&(table.id, 0), &Bucket { watermark, ..Bucket::default() })?;
    }
    let id = table.id;
    tx.put::<Tables>(&key, &table)?;
    Ok(id)
}

fn columns(table: &str, schema_ipc: &[u8]) -> Result<SchemaRef, ApplyError> {
    match decode_schema(table, schema_ipc) {
        Ok(schema) => Ok(schema),
        Err(e) => refuse(ErrorCode::InvalidArgument, format!("the columns of table {table} cannot be read: {e}")),
    }
}

/// The table with this id.
pub(super) fn table_by_id(tx: &Tx<'_>, id: TableId) -> Result<Table, ApplyError> {
    let n = tx.need::<TableIds>(&id, || format!("table {id}"))?;
    tx.need::<Tables>(&(n.tenant_id, n.layer, n.name), || format!("table {id}"))
}

/// A tenant's system table.
pub(super) fn system_table(tx: &Tx<'_>, tenant: TenantId, name: &str) -> Result<Table, ApplyError> {
    tx.need::<Tables>(&(tenant, Layer::System, name.to_owned()), || format!("table system.{name}"))
}

/// Puts a table back after a commit to it.
pub(super) fn touch(tx: &mut Tx<'_>, mut table: Table) -> Result<(), ApplyError> {
    table.version = tx.version;
    table.updated_at = tx.now;
    tx.put::<Tables>(&(table.tenant_id, table.layer, table.name.clone()), &table)?;
    Ok(())
}

/// Adds a file to a table, refusing one that the sweep may have deleted or that stands elsewhere.
pub(super) fn add_file(tx: &mut Tx<'_>, table: &mut Table, bucket: u32, file: &DataFile, range: FileRange) -> Result<(), ApplyError> {
    if file.created_at < tx.now - MAX_FILE_AGE {
        return refuse(ErrorCode::Conflict, format!("file {} was written over 12 hours ago and may be swept; write it again", file.path));
    }
    check_object(tx, table, &file.path)?;
    let key = (table.id, bucket, file.id);
    if tx.get::<Files>(&key)?.is_some() {
        return refuse(ErrorCode::Conflict, format!("file {} is in the table already", file.path));
    }
    table.files += 1;
    table.rows = table.rows.saturating_add(file.rows);
    table.bytes = table.bytes.saturating_add(file.size);
    tx.put::<Files>(&key, &FileEntry { file: file.clone(), range, added: tx.version, removed: None })?;
    Ok(())
}

/// Refuses an object outside the table's root, or one that by its name (a UUIDv7) is so old that
/// the sweep may have deleted it as unnamed.
pub(super) fn check_object(tx: &Tx<'_>, table: &Table, path: &str) -> Result<(), ApplyError> {
    let below = path.strip_prefix(table.root.as_str()).is_some_and(|rest| table.root.ends_with('/') || rest.starts_with('/'));
    if !below || path.split('/').any(|part| part == "..") {
        return refuse(ErrorCode::InvalidArgument, format!("file {path} is not below {}", table.root));
    }
    check_age(tx, path)
}

/// Refuses an object that the sweep may have deleted as unnamed.
pub(super) fn check_age(tx: &Tx<'_>, path: &str) -> Result<(), ApplyError> {
    if written_at(path).is_some_and(|at| at < tx.now - MAX_FILE_AGE) {
        return refuse(ErrorCode::Conflict, format!("file {path} was written over 12 hours ago and may be swept; write it again"));
    }
    Ok(())
}

/// Ends a file for readers from this version on; its object goes when no reader can need it.
pub(super) fn remove_file(tx: &mut Tx<'_>, table: &mut Table, bucket: u32, id: FileId) -> Result<FileEntry, ApplyError> {
    let key = (table.id, bucket, id);
    let mut entry = tx.need::<Files>(&key, || format!("file {id} of table {}", table.name))?;
    if entry.removed.is_some() {
        return refuse(ErrorCode::Conflict, format!("file {} was removed already", entry.file.path));
    }
    entry.removed = Some(tx.version);
    table.files = table.files.saturating_sub(1);
    table.bytes = table.bytes.saturating_sub(entry.file.size);
    tx.put::<Files>(&key, &entry)?;
    drop_object(tx, table.id, bucket, id, &entry.file.path)?;
    Ok(entry)
}

/// Hands an object to the sweep.
pub(super) fn drop_object(tx: &mut Tx<'_>, table: TableId, bucket: u32, id: FileId, path: &str) -> Result<(), ApplyError> {
    tx.put::<Dropped>(&(tx.now as u64, id), &DroppedFile { path: path.to_owned(), table, bucket, vector: None })?;
    Ok(())
}

pub(super) fn forget_files(tx: &mut Tx<'_>, files: &[(u64, FileId)]) -> Result<Reply, ApplyError> {
    for key in files {
        let Some(dropped) = tx.get::<Dropped>(key)? else {
            continue;
        };
        tx.remove::<Dropped>(key);
        if let Some((file, version)) = dropped.vector {
            tx.remove::<DeletionVectors>(&(dropped.table, dropped.bucket, file, version));
            continue;
        }
        let file_key = (dropped.table, dropped.bucket, key.1);
        if tx.get::<Files>(&file_key)?.is_some_and(|f| f.removed.is_some()) {
            tx.remove::<Files>(&file_key);
        }
        if tx.get::<Manifests>(&file_key)?.is_some_and(|m| m.ended.is_some()) {
            tx.remove::<Manifests>(&file_key);
        }
        let vectors = tx.scan::<DeletionVectors>(&file_key)?;
        for (vector_key, entry) in vectors {
            if entry.removed.is_some() {
                tx.remove::<DeletionVectors>(&vector_key);
            }
        }
    }
    Ok(Reply::Done)
}
