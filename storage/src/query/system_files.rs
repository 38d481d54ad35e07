//! `system.files`: every file that the session's version sees, those in manifests too.

use std::collections::HashMap;

use lakewright_proto::FileId;

use super::names::Scope;
use super::rows::{number, text, Cell};
use super::system_rows::NEWEST;
use crate::catalog::keyspace::{DeletionVectors, Files, Manifests};
use crate::catalog::records::{FileEntry, Manifest, Table};
use crate::catalog::Read;
use crate::error::{Result, StorageError};

/// Files of the catalog, and what is needed to find the others.
type Found = (Vec<Vec<Cell>>, Vec<(Table, Manifest)>);

pub(super) async fn files(scope: &Scope) -> Result<Vec<Vec<Cell>>> {
    let s = scope.clone();
    let read = tokio::task::spawn_blocking(move || in_catalog(&s)).await;
    let (mut rows, manifests) = read.map_err(|e| StorageError::io("reading the catalog", std::io::Error::other(e)))??;
    for (table, manifest) in manifests {
        if rows.len() >= NEWEST {
            break;
        }
        let entries = scope.manifests.load(scope.store.as_ref(), &manifest).await?;
        let live = entries.iter().filter(|e| e.is_live_at(scope.version));
        rows.extend(live.map(|e| row(&table, manifest.bucket, e, 0)));
    }
    rows.truncate(NEWEST);
    Ok(rows)
}

fn in_catalog(s: &Scope) -> Result<Found> {
    let view = s.catalog.view();
    let (mut rows, mut manifests) = (Vec::new(), Vec::new());
    for t in view.tables(s.tenant)? {
        let gone: HashMap<(u32, FileId), u64> = view
            .scan::<DeletionVectors>(&t.id)?
            .into_iter()
            .filter(|(_, v)| v.is_live_at(s.version))
            .map(|((_, bucket, file, _), v)| ((bucket, file), v.vector.cardinality))
            .collect();
        for ((_, bucket, id), e) in view.scan::<Files>(&t.id)? {
            if e.is_live_at(s.version) {
                rows.push(row(&t, bucket, &e, gone.get(&(bucket, id)).copied().unwrap_or(0)));
            }
        }
        if rows.len() >= NEWEST {
            break;
        }
        let folded = view.scan::<Manifests>(&t.id)?.into_iter().filter(|(_, m)| m.is_seen_at(s.version));
        manifests.extend(folded.map(|(_, m)| (t.clone(), m)));
    }
    Ok((rows, manifests))
}

fn row(t: &Table, bucket: u32, e: &FileEntry, deleted: u64) -> Vec<Cell> {
    let f = &e.file;
    vec![
        text(t.layer),
        text(&t.name),
        text(f.id),
        number(bucket),
        text(&f.path),
        text(&f.partition),
        number(f.size),
        number(f.rows),
        number(deleted),
        number(f.time_range.0),
        number(f.time_range.1),
        number(e.added),
        number(f.created_at),
    ]
}
