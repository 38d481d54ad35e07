//! What a merge or compaction of a Silver table needs of the node.

use std::collections::BTreeMap;
use std::sync::Arc;

use lakewright_proto::ShardEpoch;
use lakewright_storage::catalog::records::Table;
use lakewright_storage::catalog::{LookupSource, View};
use lakewright_storage::pack::Entity;
use lakewright_storage::query::decode_schema;
use lakewright_storage::silver::{Lookups, SilverContext};
use lakewright_storage::table::BucketState;

use crate::error::WorkError;
use crate::services::{now_us, Services};

/// The context of a bucket's owner.
pub fn silver_context(services: &Arc<Services>, table: &Table, bucket: u32, epoch: ShardEpoch) -> Result<SilverContext, WorkError> {
    let changes = match table.changes {
        Some(id) => Some(services.catalog.view().table(id)?),
        None => None,
    };
    let changes = changes.ok_or_else(|| WorkError::Broken(format!("table {} has no change table", table.name)))?;
    let pack = table.pack.as_ref().map(|hash| services.packs.pack(&services.catalog, hash)).transpose()?;
    let entity = pack.as_ref().and_then(|p| p.entities().iter().find(|e| e.name() == table.subject));
    let lookups = entity.map(|e| lookups(services, table, bucket, e)).transpose()?.flatten();
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
        by_content: entity.is_some_and(|e| e.version().is_none()),
        lookups: lookups.map(Arc::new),
        now_us: now_us(),
    })
}

/// What an entity's table looks up, in the other tables as they are now.
fn lookups(services: &Arc<Services>, table: &Table, bucket: u32, entity: &Entity) -> Result<Option<Lookups>, WorkError> {
    if entity.lookups().is_empty() {
        return Ok(None);
    }
    let view = services.catalog.view();
    let sources = view.lookup_sources(table, bucket)?;
    let settled = !sources.iter().any(LookupSource::has_changed);
    let mut states = BTreeMap::new();
    for source in sources {
        states.insert(source.table.name.clone(), whole_state(&view, &source.table)?);
    }
    Ok(Lookups::new(services.store.clone(), entity, states, settled))
}

/// The files of all of a table's buckets.
fn whole_state(view: &View<'_>, table: &Table) -> Result<BucketState, WorkError> {
    let mut whole = BucketState::default();
    for bucket in 0..table.buckets {
        let state = view.bucket_state(table.id, bucket)?;
        whole.files.extend(state.files);
        whole.deletion_vectors.extend(state.deletion_vectors);
    }
    Ok(whole)
}
