//! Deletes objects that no commit ever named: what a crash leaves between writing a file and the
//! command that names it. A table at a time, once a day; an object goes only if its name is one that
//! we write, says that it is over a day old, and stands neither in the catalog nor in a manifest.

use std::sync::Arc;
use std::time::Duration;

use futures::stream::{self, StreamExt, TryStreamExt};
use lakewright_proto::{FileId, TableId};
use lakewright_storage::catalog::keyspace::TableIds;
use lakewright_storage::catalog::records::Table;
use lakewright_storage::catalog::{is_orphan, manifests, NamedFiles, Read as _};
use lakewright_storage::paths::{manifest_root, Key};

use crate::error::WorkError;
use crate::metrics;
use crate::services::Services;

/// The first sweep waits until a starting node has other things behind it.
const FIRST: Duration = Duration::from_secs(600);
/// How often all tables are swept.
const EVERY: Duration = Duration::from_secs(24 * 3_600);
/// Between two tables.
const PAUSE: Duration = Duration::from_secs(1);
/// Old objects that are held at a time.
const BATCH: usize = 4_096;

/// Sweeps until the node stops.
pub async fn sweep(services: Arc<Services>) {
    let mut wait = FIRST;
    loop {
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = services.stop_fetching.cancelled() => return,
        }
        if let Err(e) = sweep_all(&services, PAUSE).await {
            tracing::warn!(error = %e, "the sweep of unnamed objects failed and will be tried again");
        }
        wait = EVERY;
    }
}

/// All tables, one after the other; answers how many objects were deleted.
pub async fn sweep_all(services: &Arc<Services>, pause: Duration) -> Result<u64, WorkError> {
    let tables: Vec<TableId> = services.catalog.view().all::<TableIds>()?.into_iter().map(|(id, _)| id).collect();
    let mut deleted = 0;
    for id in tables {
        if services.stop_fetching.is_cancelled() {
            break;
        }
        let (table, now) = {
            let view = services.catalog.view();
            (view.table(id)?, view.store().clock()?.0)
        };
        match sweep_table(services, &table, now).await {
            Ok(n) => deleted += n,
            Err(e) => tracing::warn!(table = table.name, error = %e, "unnamed objects of a table stay until the next sweep"),
        }
        tokio::time::sleep(pause).await;
    }
    Ok(deleted)
}

/// One table's objects and manifests. `now` is the catalog's clock, microseconds since 1970.
pub async fn sweep_table(services: &Arc<Services>, table: &Table, now: i64) -> Result<u64, WorkError> {
    let mut deleted = 0;
    for root in [table.root.clone(), manifest_root(table.tenant_id, table.id)] {
        let mut listing = services.store.list(&root);
        let mut old = Vec::new();
        loop {
            let object = listing.try_next().await?;
            let end = object.is_none();
            old.extend(object.and_then(|o| old_object(table, o.location.as_ref(), now)));
            if old.len() == BATCH || (end && !old.is_empty()) {
                deleted += delete_unnamed(services, table, now, std::mem::take(&mut old)).await?;
            }
            if end {
                break;
            }
        }
    }
    if deleted > 0 {
        metrics::orphans(services, table, deleted);
        tracing::info!(table = table.name, tenant = %table.tenant_id, objects = deleted, "unnamed objects deleted");
    }
    Ok(deleted)
}

/// An object that may be an orphan: one of our names, of this tenant, and old enough.
fn old_object(table: &Table, path: &str, now: i64) -> Option<(FileId, String)> {
    let key: Key = path.parse().ok()?;
    let old = key.tenant() == Some(table.tenant_id) && is_orphan(key.file(), false, now);
    old.then(|| (key.file(), path.to_owned()))
}

/// Deletes those that nobody names. What is named is read after the listing: a commit in between is
/// seen, and a later one cannot name what is so old.
async fn delete_unnamed(services: &Arc<Services>, table: &Table, now: i64, mut old: Vec<(FileId, String)>) -> Result<u64, WorkError> {
    let (reader, id) = (Arc::clone(services), table.id);
    let named = tokio::task::spawn_blocking(move || reader.catalog.view().named_files(id));
    let named = named.await.map_err(|e| WorkError::Restart(format!("reading the catalog failed: {e}")))??;
    old.retain(|(_, path)| !named.contains(path));
    // One manifest in memory at a time, and past the cache: a sweep does not push out what queries use.
    for manifest in &named.manifests {
        if old.is_empty() {
            break;
        }
        let mut listed = NamedFiles::default();
        listed.add(&manifests::load(services.store.inner().as_ref(), manifest).await?);
        old.retain(|(_, path)| !listed.contains(path));
    }
    let orphans = old.into_iter().filter(|(file, _)| is_orphan(*file, false, now));
    let deleted = stream::iter(orphans).map(|(_, path)| async move {
        match services.store.delete(&path).await {
            Ok(()) => {
                tracing::info!(path, "unnamed object deleted");
                1
            }
            Err(e) => {
                tracing::warn!(path, error = %e, "an unnamed object could not be deleted and stays until the next sweep");
                0
            }
        }
    });
    Ok(deleted.buffer_unordered(8).fold(0, |sum, n| async move { sum + n }).await)
}

#[cfg(test)]
#[path = "orphans_tests.rs"]
mod tests;
