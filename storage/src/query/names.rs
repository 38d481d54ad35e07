//! Names in SQL: catalog = tenant slug, schemas = layers, and the order in which a bare name is looked up.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::catalog::{CatalogProvider, SchemaProvider, TableProvider};
use datafusion::error::{DataFusionError, Result as DfResult};
use lakewright_proto::{Layer, TenantId};
use object_store::ObjectStore;

use super::deletes::DeletedRows;
use super::keys::KeyCache;
use super::passport::Passport;
use super::scan::SnapshotTable;
use super::system::SystemTable;
use crate::catalog::records::Table;
use crate::catalog::{Catalog, ManifestCache, TableSnapshot};
use crate::error::{Result, StorageError};
use crate::query::QueryOptions;

/// The schema behind bare names; it is not listed.
pub(super) const SEARCH_PATH: &str = "lakewright_search_path";

/// Schemas in the order in which a bare name is looked up.
pub(super) const SEARCH: [Layer; 5] = [Layer::Gold, Layer::Silver, Layer::Platinum, Layer::System, Layer::Bronze];

/// The order in which a bare name is looked up, with one schema first.
pub(super) fn search(first: Option<Layer>) -> Arc<[Layer]> {
    first.into_iter().chain(SEARCH.into_iter().filter(|l| Some(*l) != first)).collect()
}

/// One tenant at one catalog version.
#[derive(Clone)]
pub(super) struct Scope {
    pub(super) catalog: Catalog,
    pub(super) store: Arc<dyn ObjectStore>,
    pub(super) deletes: Arc<dyn DeletedRows>,
    pub(super) manifests: Arc<ManifestCache>,
    pub(super) options: Arc<QueryOptions>,
    pub(super) tenant: TenantId,
    pub(super) version: u64,
    /// Tables of the schema `system` that do not exist for this caller.
    pub(super) hidden: Arc<[&'static str]>,
    /// Schemas in the order in which a bare name is looked up.
    pub(super) search: Arc<[Layer]>,
    /// The passport of the client's last query.
    pub(super) last: Option<Arc<Passport>>,
    pub(super) keys: Arc<KeyCache>,
}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "tenant {} at version {}", self.tenant, self.version)
    }
}

impl Scope {
    /// The table in one schema.
    pub(super) fn find(&self, layer: Layer, name: &str) -> Result<Option<Table>> {
        if self.is_withheld(layer, name) {
            return Ok(None);
        }
        self.catalog.view().table_by_name(self.tenant, layer, name)
    }

    fn is_withheld(&self, layer: Layer, name: &str) -> bool {
        layer == Layer::System && self.hidden.contains(&name)
    }

    /// Whether a schema has the table.
    fn exists(&self, layer: Layer, name: &str) -> bool {
        let computed = layer == Layer::System && SystemTable::by_name(name).is_some() && !self.is_withheld(layer, name);
        computed || self.find(layer, name).is_ok_and(|t| t.is_some())
    }

    /// Names of the tables of a schema, in order.
    pub(super) fn names(&self, layer: Layer) -> Result<Vec<String>> {
        let mut names: Vec<String> =
            self.catalog.view().tables(self.tenant)?.into_iter().filter(|t| t.layer == layer).map(|t| t.name).collect();
        if layer == Layer::System {
            names.extend(SystemTable::ALL.iter().map(|t| t.name().to_owned()));
        }
        names.retain(|name| !self.is_withheld(layer, name));
        names.sort();
        names.dedup();
        Ok(names)
    }

    fn snapshot(&self, layer: Layer, name: &str) -> Result<Option<TableSnapshot>> {
        let view = self.catalog.view();
        match view.table_by_name(self.tenant, layer, name)? {
            Some(table) => view.table_snapshot(&table, Some(self.version)).map(Some),
            None => Ok(None),
        }
    }

    async fn provider(&self, layer: Layer, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        if self.is_withheld(layer, name) {
            return Ok(None);
        }
        if layer == Layer::System {
            if let Some(table) = SystemTable::by_name(name) {
                return Ok(Some(Arc::new(table.provider(self.clone()))));
            }
        }
        let (scope, name) = (self.clone(), name.to_owned());
        let read = tokio::task::spawn_blocking(move || scope.snapshot(layer, &name)).await;
        let snapshot = read.map_err(|e| StorageError::io("reading the catalog", std::io::Error::other(e)))??;
        let Some(snapshot) = snapshot else { return Ok(None) };
        let snapshot = snapshot.with_folded(self.store.as_ref(), &self.manifests).await?;
        Ok(Some(Arc::new(SnapshotTable::new(snapshot, self.tenant, self.deletes.clone())?)))
    }
}

/// A tenant's catalog.
#[derive(Debug)]
pub(super) struct TenantCatalog(pub(super) Scope);

impl CatalogProvider for TenantCatalog {
    fn schema_names(&self) -> Vec<String> {
        let mut names: Vec<_> = SEARCH.iter().map(|l| l.as_str().to_owned()).collect();
        names.sort();
        names
    }

    fn schema(&self, name: &str) -> Option<Arc<dyn SchemaProvider>> {
        if name == SEARCH_PATH {
            return Some(Arc::new(LayerSchema { scope: self.0.clone(), layers: self.0.search.to_vec() }));
        }
        let layer = SEARCH.into_iter().find(|l| l.as_str() == name)?;
        Some(Arc::new(LayerSchema { scope: self.0.clone(), layers: vec![layer] }))
    }
}

/// One schema, or all of them in search order.
#[derive(Debug)]
struct LayerSchema {
    scope: Scope,
    layers: Vec<Layer>,
}

#[async_trait]
impl SchemaProvider for LayerSchema {
    fn table_names(&self) -> Vec<String> {
        self.layers.iter().flat_map(|l| self.scope.names(*l).unwrap_or_default()).collect()
    }

    async fn table(&self, name: &str) -> DfResult<Option<Arc<dyn TableProvider>>> {
        for layer in &self.layers {
            let found = self.scope.provider(*layer, name).await.map_err(|e| DataFusionError::External(Box::new(e)))?;
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    fn table_exist(&self, name: &str) -> bool {
        self.layers.iter().any(|l| self.scope.exists(*l, name))
    }
}
