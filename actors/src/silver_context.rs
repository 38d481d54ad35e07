//! What a merge or compaction of a Silver table needs of the node.

use std::sync::Arc;

use lakewright_proto::{CommitSeq, FileId, ShardEpoch};
use lakewright_storage::catalog::records::Table;
use lakewright_storage::query::decode_schema;
use lakewright_storage::parquet::{Owner, Span};
use lakewright_storage::silver::{SilverContext, SilverPaths};

use crate::error::WorkError;
use crate::services::{now_us, Services};

/// The context of a bucket's owner.
pub fn silver_context(services: &Arc<Services>, table: &Table, bucket: u32, epoch: ShardEpoch, watermark: CommitSeq) -> Result<SilverContext, WorkError> {
    let changes = match table.changes {
        Some(id) => Some(services.catalog.view().table(id)?),
        None => None,
    };
    let changes = changes.ok_or_else(|| WorkError::Broken(format!("table {} has no change table", table.name)))?;
    let span = Span::Watermark { from: watermark, to: watermark };
    let file = FileId::generate();
    let mut footer = services.footer(table.tenant_id, table.id, file, Owner::Bucket(bucket), epoch, span);
    footer.pack = table.pack.clone();
    let footer = footer.encode().into_iter().map(|kv| (kv.key, kv.value.unwrap_or_default())).collect();
    Ok(SilverContext {
        store: Arc::clone(services.store.inner()),
        paths: SilverPaths { root: table.root.clone(), changes_root: changes.root.clone() },
        blocks: Arc::clone(&services.blocks),
        schema: decode_schema(&table.name, &table.schema_ipc)?,
        changes_schema: decode_schema(&changes.name, &changes.schema_ipc)?,
        footer,
        now_us: now_us(),
    })
}

