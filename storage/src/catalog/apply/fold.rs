//! Folding: older entries of append-only tables leave the catalog for a manifest.

use lakewright_proto::{ErrorCode, FileId, TableId};
use sha2::{Digest, Sha256};

use super::super::command::Reply;
use super::super::keyspace::*;
use super::super::manifests::{encode_entries, ended, MAX_FOLD};
use super::super::records::*;
use super::super::tx::{refuse, ApplyError, Tx};
use super::super::view::Read;
use super::tables::{check_age, drop_object, table_by_id};

/// The entries must be as the manifest has them: readers of every version see what they saw. A
/// manifest of removed files goes when no reader can need it, as they do.
pub(super) fn fold(tx: &mut Tx<'_>, table: TableId, bucket: u32, manifest: &Manifest, files: &[FileId]) -> Result<Reply, ApplyError> {
    let t = table_by_id(tx, table)?;
    if t.buckets > 0 || t.layer == lakewright_proto::Layer::Gold {
        return refuse(ErrorCode::InvalidArgument, format!("files of {} may lose rows: only append-only tables are folded", t.name));
    }
    if (manifest.table, manifest.bucket) != (table, bucket) || !manifest.path.contains(&format!("tenant_id={}/", t.tenant_id)) {
        return refuse(ErrorCode::InvalidArgument, format!("manifest {} is not one of table {}", manifest.path, t.name));
    }
    check_age(tx, &manifest.path)?;
    if files.is_empty() || files.len() > MAX_FOLD {
        return refuse(ErrorCode::InvalidArgument, format!("a manifest takes 1 to {MAX_FOLD} files, not {}", files.len()));
    }
    if tx.get::<Manifests>(&(table, bucket, manifest.id))?.is_some() {
        return refuse(ErrorCode::AlreadyExists, format!("manifest {} is in the table already", manifest.path));
    }
    let mut entries = Vec::with_capacity(files.len());
    for id in files {
        let Some(entry) = tx.get::<Files>(&(table, bucket, *id))? else {
            return refuse(ErrorCode::Conflict, format!("file {id} of {} is not in the catalog, or was folded already", t.name));
        };
        tx.remove::<Files>(&(table, bucket, *id));
        entries.push(entry);
    }
    let ended = ended(&entries);
    if ended.is_none() && entries.iter().any(|e| e.removed.is_some()) {
        return refuse(ErrorCode::Conflict, format!("files of {} were removed meanwhile; read the state again", t.name));
    }
    let added = entries.iter().map(|e| e.added);
    let same = <[u8; 32]>::from(Sha256::digest(encode_entries(&entries)?)) == manifest.content
        && manifest.files == entries.len() as u64
        && manifest.ended == ended
        && manifest.rows == entries.iter().map(|e| e.file.rows).fold(0, u64::saturating_add)
        && added.clone().min() == Some(manifest.min_added)
        && added.max() == Some(manifest.max_added);
    if !same {
        return refuse(
            ErrorCode::Conflict,
            format!("manifest {} does not hold the entries that it replaces; write it again", manifest.path),
        );
    }
    tx.put::<Manifests>(&(table, bucket, manifest.id), manifest)?;
    if ended.is_some() {
        drop_object(tx, table, bucket, manifest.id, &manifest.path)?;
    }
    Ok(Reply::Done)
}
