//! Packs compiled once per version, and the pipeline of a shard made of them.

use std::collections::HashMap;
use std::sync::Arc;

use lakewright_proto::{Error, ErrorCode};
use lakewright_storage::catalog::keyspace::{Connectors, Packs, Runs};
use lakewright_storage::catalog::records::{Run, Shard};
use lakewright_storage::catalog::{Catalog, Read as _};
use lakewright_storage::pack::Pack;
use parking_lot::Mutex;

use crate::error::WorkError;
use crate::pipeline::{Context, Pipeline};

/// Compiled packs kept at most; a version is a few kilobytes.
const KEPT: usize = 64;

/// Compiled packs by content hash.
#[derive(Default)]
pub struct PackCache {
    packs: Mutex<HashMap<String, Arc<Pack>>>,
}

impl PackCache {
    /// The pack version with this hash.
    pub fn pack(&self, catalog: &Catalog, hash: &str) -> Result<Arc<Pack>, WorkError> {
        if let Some(pack) = self.packs.lock().get(hash) {
            return Ok(Arc::clone(pack));
        }
        let record = catalog.view().get::<Packs>(&hash.to_owned())?;
        let record = record.ok_or_else(|| WorkError::Broken(format!("pack {hash} is not in the catalog")))?;
        let files: Vec<(String, Vec<u8>)> = record.files.into_iter().map(|f| (f.path, f.content)).collect();
        let pack = Arc::new(Pack::parse(&files).map_err(|e| WorkError::Broken(format!("pack {hash}: {e}")))?);
        let mut packs = self.packs.lock();
        if packs.len() >= KEPT {
            packs.clear();
        }
        packs.insert(hash.to_owned(), Arc::clone(&pack));
        Ok(pack)
    }

    /// The pipeline that checks a shard's records: of the given pack version, or of the one that
    /// the tenant uses now.
    pub fn pipeline(&self, catalog: &Catalog, shard: &Shard, run: &Run, hash: Option<&str>) -> Result<Pipeline, WorkError> {
        let hashes: Vec<String> = match hash {
            Some(hash) => vec![hash.to_owned()],
            None => catalog.view().pinned_packs(shard.tenant_id)?.into_iter().map(|p| p.hash).collect(),
        };
        let connector = catalog.view().get::<Connectors>(&(shard.tenant_id, shard.connector_id))?;
        let connector = connector.ok_or_else(|| WorkError::Superseded("the connector does not exist any more".into()))?;
        let config: serde_json::Value = serde_json::from_str(&connector.config_json).unwrap_or_default();
        let told = config.get("key_scope").and_then(|v| v.as_str());
        let (key_scope, key_scope_told) = (told.map_or_else(|| connector.id.to_string(), str::to_owned), told.is_some());
        let mut chosen: Option<Arc<Pack>> = None;
        for hash in &hashes {
            let pack = self.pack(catalog, hash)?;
            if pack.entities_for(&shard.stream).next().is_some() {
                chosen = Some(pack);
                break;
            }
            chosen.get_or_insert(pack);
        }
        let pack = chosen.ok_or_else(|| {
            WorkError::from(Error::new(
                ErrorCode::InvalidArgument,
                "the tenant uses no pack, so nothing says what its records mean; `lakewright pack load DIR --pin --tenant SLUG`",
            ))
        })?;
        // A dead letter that is checked again is as old as it was: its version is the number of the run that read it.
        let scan = match run.replay_of {
            Some(first) => catalog.view().get::<Runs>(&(shard.tenant_id, first))?.map_or(run.scan, |r| r.scan),
            None => run.scan,
        };
        let context =
            Context { tenant: shard.tenant_id, connector: shard.connector_id, run: run.id, key_scope, key_scope_told, scan: scan as i64 };
        Pipeline::new(&pack, &shard.stream, context).map_err(|e| WorkError::Broken(e.to_string()))
    }
}
