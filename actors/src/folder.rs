//! Moves older file entries of append-only tables from the catalog into manifests, so that what the
//! catalog holds of a table stays bounded however many commits it has had.

use std::sync::Arc;

use lakewright_proto::{ErrorCode, FileId, TenantId};
use lakewright_storage::catalog::command::Command;
use lakewright_storage::catalog::{fold_due, manifests, FoldPlan, ProposeError};
use lakewright_storage::paths::Key;

use crate::error::WorkError;
use crate::metrics;
use crate::services::Services;

/// Tables folded in one round.
const ROUND: usize = 32;

/// One round; answers how many entries were folded.
pub async fn fold_once(services: &Arc<Services>) -> Result<u64, WorkError> {
    let reader = Arc::clone(services);
    let due = tokio::task::spawn_blocking(move || {
        let view = reader.catalog.view();
        let plans = fold_due(&view, ROUND)?;
        plans.into_iter().map(|p| Ok((view.table(p.table)?.tenant_id, p))).collect::<Result<Vec<_>, WorkError>>()
    });
    let due = due.await.map_err(|e| WorkError::Restart(format!("reading the catalog failed: {e}")))??;
    let mut folded = 0;
    for (tenant, plan) in due {
        let table = plan.table;
        match fold_table(services, tenant, plan).await {
            Ok(n) => folded += n,
            Err(e) => tracing::warn!(%table, error = %e, "file entries of a table stay in the catalog for now"),
        }
    }
    Ok(folded)
}

/// The object first, then the command that names it: a crash between leaves an object that nobody
/// names, for the orphan sweep.
async fn fold_table(services: &Services, tenant: TenantId, plan: FoldPlan) -> Result<u64, WorkError> {
    let file = FileId::generate();
    let path = Key::Manifest { tenant, table: plan.table, file }.to_string();
    let manifest = manifests::write(services.store.inner().as_ref(), file, path, &plan).await?;
    let files: Vec<FileId> = plan.entries.iter().map(|e| e.file.id).collect();
    let count = manifest.files;
    let command = Command::FoldFiles { table: plan.table, bucket: plan.bucket, manifest, files };
    match services.catalog.propose("node", command).await {
        Ok(_) => {
            metrics::folded(services, tenant, count);
            Ok(count)
        }
        // The entries have changed since they were read: the next round reads them again.
        Err(ProposeError::NotDone(e)) if e.code == ErrorCode::Conflict => Ok(0),
        Err(e) => Err(e.into()),
    }
}

#[cfg(test)]
#[path = "folder_tests.rs"]
mod tests;
