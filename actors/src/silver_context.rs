//! What a merge or compaction of a Silver table needs of the node.

use std::sync::Arc;

use lakewright_proto::ShardEpoch;
use lakewright_storage::catalog::records::Table;
use lakewright_storage::pack::decode_schema;
use lakewright_storage::silver::{SilverContext, SilverPaths};

use crate::error::WorkError;
use crate::services::{now_us, Services};

/// The context of a bucket's owner.
pub fn silver_context(services: &Arc<Services>, table: &Table, bucket: u32, epoch: ShardEpoch) -> Result<SilverContext, WorkError> {
    let changes = match table.changes {
        Some(id) => Some(services.catalog.view().table(id)?),
        None => None,
    };
    let changes = changes.ok_or_else(|| WorkError::Broken(format!("table {} has no change table", table.name)))?;
    let mut footer = services.footer(table.id, format!("bucket/{bucket}"), epoch);
    footer.pack = table.pack.clone();
    Ok(SilverContext {
        store: services.store.inner(),
        paths: SilverPaths { root: table.root.clone(), changes_root: changes.root.clone() },
        blocks: Arc::clone(&services.blocks),
        schema: decode_schema(&table.schema_ipc)?,
        changes_schema: decode_schema(&changes.schema_ipc)?,
        footer: footer.to_key_values(),
        now_us: now_us(),
    })
}

