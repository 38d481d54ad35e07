//! What a merge or compaction of a Silver table needs of the node.

use std::sync::Arc;

use lakewright_proto::ShardEpoch;
use lakewright_storage::catalog::records::Table;
use lakewright_storage::query::decode_schema;
use lakewright_storage::silver::SilverContext;

use crate::error::WorkError;
use crate::services::{now_us, Services};

/// The context of a bucket's owner.
pub fn silver_context(services: &Arc<Services>, table: &Table, bucket: u32, epoch: ShardEpoch) -> Result<SilverContext, WorkError> {
    let changes = match table.changes {
        Some(id) => Some(services.catalog.view().table(id)?),
        None => None,
    };
    let changes = changes.ok_or_else(|| WorkError::Broken(format!("table {} has no change table", table.name)))?;
    let by_content = match &table.pack {
        Some(hash) => {
            let pack = services.packs.pack(&services.catalog, hash)?;
            let entity = pack.entities().iter().find(|e| e.name() == table.subject);
            entity.is_some_and(|e| e.version().is_none())
        }
        None => false,
    };
    Ok(SilverContext {
        store: services.store.clone(),
        blocks: Arc::clone(&services.blocks),
        cluster: services.cluster.id,
        incarnation: u64::from(services.cluster.incarnation),
        tenant: table.tenant_id,
        entity: table.subject.clone(),
        table: table.id,
        name: table.name.clone(),
        changes: changes.id,
        bucket,
        epoch,
        pack: table.pack.clone(),
        schema: decode_schema(&table.name, &table.schema_ipc)?,
        changes_schema: decode_schema(&changes.name, &changes.schema_ipc)?,
        by_content,
        now_us: now_us(),
    })
}
