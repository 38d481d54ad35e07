//! One query runtime a tenant: memory, spill space and caches are never shared between tenants.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::catalog::{CatalogProviderList, MemoryCatalogProviderList};
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::{FairSpillPool, TrackConsumersPool};
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::execution::{SessionState, SessionStateBuilder};
use datafusion::prelude::SessionConfig;
use lakewright_proto::{Error, ErrorCode, Layer, TenantId};
use object_store::ObjectStore;
use parking_lot::Mutex;

use super::deletes::{CachedDeletes, DeletedRows};
use super::failure::query_error;
use super::keys::KeyCache;
use super::names::{search, Scope, TenantCatalog, SEARCH_PATH};
use super::options::QueryOptions;
use super::passport::Passport;
use super::scan::STORE_URL;
use super::session::QuerySession;
use crate::catalog::keyspace::Tenants;
use crate::catalog::{Catalog, ManifestCache, Read};

/// What a session is to be like, beside its tenant.
#[derive(Clone, Debug, Default)]
pub struct SessionAsk<'a> {
    /// The catalog version; none: the current one.
    pub version: Option<u64>,
    /// Tables of the schema `system` that do not exist for this caller.
    pub hidden: &'a [&'static str],
    /// The schema in which bare names are looked up first.
    pub first: Option<Layer>,
    /// What `system.passport` shows: that of the client's last query.
    pub last: Option<Arc<Passport>>,
}

/// Makes sessions. Cheap to clone.
#[derive(Clone)]
pub struct QueryEngine {
    catalog: Catalog,
    store: Arc<dyn ObjectStore>,
    options: Arc<QueryOptions>,
    deletes: Arc<dyn DeletedRows>,
    manifests: Arc<ManifestCache>,
    keys: Arc<KeyCache>,
    /// One a tenant that has queried since the start; a tenant's runtime without queries holds caches alone.
    tenants: Arc<Mutex<HashMap<TenantId, (String, SessionState)>>>,
}

impl QueryEngine {
    /// Over a catalog and the lake's store.
    pub fn new(
        catalog: Catalog,
        store: Arc<dyn ObjectStore>,
        options: QueryOptions,
        deletes: Arc<dyn DeletedRows>,
        manifests: Arc<ManifestCache>,
    ) -> Self {
        let deletes = Arc::new(CachedDeletes::new(deletes, options.delete_cache));
        Self { catalog, store, options: Arc::new(options), deletes, manifests, keys: Arc::default(), tenants: Arc::default() }
    }

    /// The limits.
    pub fn options(&self) -> &QueryOptions {
        &self.options
    }

    /// The catalog version that a session made now would read.
    pub fn version(&self) -> Result<u64, Error> {
        self.catalog.view().version().map_err(Error::from)
    }

    /// A session of a tenant at a catalog version; at the current one for `None`. A version that
    /// this node has not reached yet is refused: it would read less than it promises.
    pub fn session(&self, tenant: TenantId, version: Option<u64>) -> Result<QuerySession, Error> {
        self.session_without(tenant, version, &[])
    }

    /// The same for a caller whose roles do not let them see these tables of the schema `system`.
    pub fn session_without(&self, tenant: TenantId, version: Option<u64>, hidden: &[&'static str]) -> Result<QuerySession, Error> {
        self.open(tenant, SessionAsk { version, hidden, ..SessionAsk::default() })
    }

    /// The same with all that a client's session has.
    pub fn open(&self, tenant: TenantId, ask: SessionAsk<'_>) -> Result<QuerySession, Error> {
        let SessionAsk { version, hidden, first, last } = ask;
        let (slug, current) = {
            let view = self.catalog.view();
            let tenant = view.get::<Tenants>(&tenant)?;
            let tenant = tenant.ok_or_else(|| Error::new(ErrorCode::NotFound, "the tenant does not exist"))?;
            (tenant.slug, view.version()?)
        };
        let version = version.unwrap_or(current);
        if version > current {
            let message = format!("this node has applied the catalog up to version {current}, and the query asks for {version}; try again");
            return Err(Error::new(ErrorCode::Unavailable, message));
        }
        let base = self.base(tenant, &slug)?;
        let scope = Scope {
            catalog: self.catalog.clone(),
            store: self.store.clone(),
            deletes: self.deletes.clone(),
            manifests: self.manifests.clone(),
            options: self.options.clone(),
            tenant,
            version,
            hidden: hidden.into(),
            search: search(first),
            last,
            keys: self.keys.clone(),
        };
        let catalogs = MemoryCatalogProviderList::new();
        catalogs.register_catalog(slug.clone(), Arc::new(TenantCatalog(scope.clone())));
        let mut state = SessionStateBuilder::new_from_existing(base).with_catalog_list(Arc::new(catalogs)).build();
        // The instant that now() is.
        state.mark_start_execution();
        Ok(QuerySession { state, scope, slug })
    }

    fn base(&self, tenant: TenantId, slug: &str) -> Result<SessionState, Error> {
        let mut tenants = self.tenants.lock();
        if let Some((known, state)) = tenants.get(&tenant) {
            if known == slug {
                return Ok(state.clone());
            }
        }
        let runtime = self.runtime().map_err(|e| query_error(&e))?;
        let config = self.config(slug);
        let state = SessionStateBuilder::new().with_config(config).with_runtime_env(runtime).with_default_features().build();
        tenants.insert(tenant, (slug.to_owned(), state.clone()));
        Ok(state)
    }

    fn runtime(&self) -> datafusion::error::Result<Arc<RuntimeEnv>> {
        let o = &self.options;
        let top = std::num::NonZeroUsize::MIN.saturating_add(2);
        let pool = TrackConsumersPool::new(FairSpillPool::new(o.memory_per_tenant), top);
        let disk = DiskManagerBuilder::default()
            .with_mode(DiskManagerMode::Directories(vec![o.temp_dir.clone()]))
            .with_max_temp_directory_size(o.spill_per_tenant);
        let runtime = RuntimeEnvBuilder::new()
            .with_memory_pool(Arc::new(pool))
            .with_disk_manager_builder(disk)
            .with_metadata_cache_limit(o.footer_cache)
            .build_arc()?;
        let url = ObjectStoreUrl::parse(STORE_URL)?;
        runtime.register_object_store(url.as_ref(), self.store.clone());
        Ok(runtime)
    }

    fn config(&self, slug: &str) -> SessionConfig {
        let mut config = SessionConfig::new()
            .with_default_catalog_and_schema(slug, SEARCH_PATH)
            .with_create_default_catalog_and_schema(false)
            .with_information_schema(true)
            .with_target_partitions(self.options.partitions)
            .with_batch_size(self.options.batch_rows);
        let options = config.options_mut();
        options.execution.parquet.schema_force_view_types = false;
        // Of rows that a filter leaves out the other columns, payloads among them, are not decoded.
        options.execution.parquet.pushdown_filters = true;
        options.execution.parquet.reorder_filters = true;
        options.sql_parser.map_string_types_to_utf8view = false;
        options.execution.time_zone = Some("UTC".to_owned());
        config
    }
}
