//! The order in which a node comes up: keys, catalog, Raft, cluster, store, actors, listeners.
//! Each step needs the ones before it, and nothing is served before all of them stand.

use std::sync::Arc;

use lakewright_actors::connectors::reach::SourceReach;
use lakewright_actors::connectors::registry;
use lakewright_actors::credit::Credit;
use lakewright_actors::exchange::Exchange;
use lakewright_actors::pack_cache::PackCache;
use lakewright_actors::rebuild::Rebuilds;
use lakewright_actors::restart::RestartPolicy;
use lakewright_actors::root::RootHandle;
use lakewright_actors::services::{now_us, IngestOptions, Services};
use lakewright_actors::webhooks::{Reach, Sender};
use lakewright_proto::{Error, ErrorCode, NodeId};
use lakewright_storage::catalog::{Catalog, CatalogStore, ManifestCache};
use lakewright_storage::keyindex::BlockCache;
use lakewright_storage::object::{Store, StoreConfig, StoreUrl};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::catalog_state::{failed, CatalogState, RaftProposer};
use crate::config::Config;
use crate::directory::Opener;
use crate::first_start;
use crate::raft::{LogOptions, RaftNode, RaftOptions, RaftRuntime};
use crate::secrets::{load_key_ring, KeyRing};

/// Memory for blocks of key indexes.
const INDEX_CACHE_BYTES: usize = 48 << 20;

/// Entries of manifests kept in memory, about 400 bytes each.
const MANIFEST_CACHE_ENTRIES: u64 = 65_536;

/// A node's parts, up and running but not yet served.
pub struct Parts {
    /// The configuration.
    pub config: Config,
    /// What actors share.
    pub services: Arc<Services>,
    /// The root of the actors.
    pub root: RootHandle,
    /// The keys of secrets.
    pub keys: Arc<KeyRing>,
    /// Raft.
    pub raft: RaftRuntime,
    /// The catalog's state.
    pub state: Arc<CatalogStore>,
    /// One process per data directory.
    _lock: std::fs::File,
}

/// Brings the parts up.
pub async fn start(config: Config) -> Result<Parts, Error> {
    let data = &config.node.data_dir;
    std::fs::create_dir_all(data).map_err(|e| failed(&format!("creating the data directory {}", data.display()), e))?;
    let lock = lock(data)?;
    let catalog_dir = data.join("catalog");
    let first_start = !catalog_dir.exists();
    let keys = Arc::new(load_key_ring(&config, first_start)?);

    let (state, trusted) = CatalogStore::open(&catalog_dir, config.catalog.state_cache_bytes.0).map_err(Error::from)?;
    let state = Arc::new(state);
    let defaults = RaftOptions::default();
    let options = RaftOptions {
        state_is_trusted: trusted,
        snapshot_after_entries: config.catalog.snapshot_entries,
        keep_entries: defaults.keep_entries.min(config.catalog.snapshot_entries / 2),
        log: LogOptions {
            cache_bytes: config.catalog.log_cache_bytes.as_usize(),
            snapshot_after_bytes: config.catalog.snapshot_log_bytes.0,
            ..defaults.log
        },
        ..defaults
    };
    let node = RaftNode { zone: config.node.zone.clone().unwrap_or_default(), ..RaftNode::default() };
    let replicated = Arc::new(CatalogState(Arc::clone(&state)));
    let raft = RaftRuntime::start(&data.join("raft"), config.node.id, node, replicated, options).await?;
    let catalog = Catalog::new(Arc::clone(&state), Arc::new(RaftProposer(Arc::new(raft.meta_log()))));
    let cluster = first_start::cluster(&config, &catalog, &keys).await?;

    let store = Store::open(&store_config(&config)).await.map_err(Error::from)?;
    first_start::claim_store(&store, &cluster).await?;

    // Before anything can verify a table again.
    lakewright_actors::verify::clear_left_behind(&store, NodeId(config.node.id)).await;

    let services = Arc::new(Services {
        node: NodeId(config.node.id),
        cluster,
        catalog,
        store,
        kinds: registry::kinds(),
        secrets: Arc::new(Opener(Arc::clone(&keys))),
        credit: Credit::new(config.ingest.credit_bytes.0, config.ingest.tenant_credit_bytes.0),
        exchange: Exchange::default(),
        rebuilds: Rebuilds::default(),
        reach: source_reach(&config),
        packs: PackCache::default(),
        blocks: Arc::new(BlockCache::new(INDEX_CACHE_BYTES)),
        manifests: Arc::new(ManifestCache::new(MANIFEST_CACHE_ENTRIES)),
        options: ingest_options(&config),
        stop_fetching: CancellationToken::new(),
        stop_merging: CancellationToken::new(),
        work: TaskTracker::new(),
    });
    let root = RootHandle::start(Arc::clone(&services)).await.map_err(|e| failed("starting the actors", e))?;
    services.work.spawn(lakewright_actors::housekeeping::keep(Arc::clone(&services)));
    services.work.spawn(lakewright_actors::orphans::sweep(Arc::clone(&services)));
    services.work.spawn(lakewright_actors::sweeper::sweep(Arc::clone(&services)));
    services.work.spawn(lakewright_actors::freshness::watch(Arc::clone(&services), now_us));
    services.work.spawn(lakewright_actors::rebuild::watch(Arc::clone(&services)));
    services.work.spawn(lakewright_actors::schedule::watch(Arc::clone(&services), now_us));
    services.work.spawn(lakewright_actors::webhooks::deliver(Arc::clone(&services), Sender::new(reach(&config))?));
    Ok(Parts { config, services, root, keys, raft, state, _lock: lock })
}

/// What sources may reach from here.
fn source_reach(config: &Config) -> SourceReach {
    let lake = match StoreUrl::parse(&config.storage_url()) {
        Ok(StoreUrl::Local(dir)) => Some(dir),
        _ => None,
    };
    SourceReach {
        directories: config.sources.directories.clone(),
        own: std::iter::once(config.node.data_dir.clone()).chain(lake).collect(),
        own_credentials: config.sources.own_credentials,
        private_endpoints: config.sources.private_endpoints,
    }
}

/// Where this node sends alerts to.
pub(crate) fn reach(config: &Config) -> Reach {
    if config.webhooks.allow_private {
        Reach::Private
    } else {
        Reach::Public
    }
}

fn ingest_options(config: &Config) -> IngestOptions {
    let (ingest, restart) = (&config.ingest, &config.restart);
    let defaults = IngestOptions::default();
    IngestOptions {
        commit_bytes: ingest.batch_bytes.as_usize(),
        fetch_bytes: defaults.fetch_bytes.min(ingest.batch_bytes.as_usize()),
        commit_rows: ingest.batch_rows,
        commit_interval: ingest.commit_interval,
        silver_interval: ingest.silver_commit_interval,
        restart: RestartPolicy {
            max_restarts: restart.max_restarts,
            window: restart.window,
            backoff_min: restart.backoff_min,
            backoff_max: restart.backoff_max,
        },
        ..defaults
    }
}

fn store_config(config: &Config) -> StoreConfig {
    let s = &config.storage;
    let secret = s.secret_access_key.expose();
    let defaults = StoreConfig::default();
    StoreConfig {
        url: config.storage_url(),
        endpoint: s.endpoint.clone(),
        region: s.region.clone().unwrap_or_else(|| defaults.region.clone()),
        access_key_id: s.access_key_id.clone(),
        secret_access_key: (!secret.is_empty()).then(|| secret.to_owned()),
        allow_http: s.allow_http,
        ..defaults
    }
}

/// Takes the data directory for this process alone.
fn lock(data: &std::path::Path) -> Result<std::fs::File, Error> {
    let path = data.join("LOCK");
    let file = std::fs::File::create(&path).map_err(|e| failed(&format!("creating {}", path.display()), e))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(_) => Err(Error::new(
            ErrorCode::Conflict,
            format!("another lakewright process uses the data directory {}; stop it, or name another with node.data_dir", data.display()),
        )),
    }
}
