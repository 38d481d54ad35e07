//! A whole node's worth of actors for tests: files in a directory, runs over them, tables at the
//! end; over a catalog without a log and a store in memory.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use arrow_array::RecordBatch;
use futures::TryStreamExt as _;
use lakewright_proto::*;
use lakewright_storage::catalog::command::*;
use lakewright_storage::catalog::keyspace::{Connectors, Runs};
use lakewright_storage::catalog::records::*;
use lakewright_storage::catalog::{Catalog, CatalogStore, LocalProposer, ManifestCache, Read as _};
use lakewright_storage::deletion_vector::StoredDeletes;
use lakewright_storage::keyindex::BlockCache;
use lakewright_storage::object::Store;
use lakewright_storage::pack::Pack as Parsed;
use lakewright_storage::paths;
use lakewright_storage::query::{QueryEngine, QueryOptions};
use object_store::memory::InMemory;
use serde_json::{json, Value};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::connectors::reach::SourceReach;
use crate::connectors::registry;
use crate::credit::Credit;
use crate::exchange::Exchange;
use crate::pack_cache::PackCache;
use crate::pack_tables;
use crate::rebuild::Rebuilds;
use crate::restart::RestartPolicy;
use crate::root::RootHandle;
use crate::runs::{self, system_tables};
use crate::services::{IngestOptions, SecretOpener, Services};
use crate::verify::{verify_from_bronze, Progress, Report};

/// Nothing here takes this long: what does has failed.
const PATIENCE: Duration = Duration::from_secs(60);

/// A pack with versions, deletes, decimals and lists.
pub const SHOP: &str = "\
pack: shop
entities:
  - name: Order
    table: purchase
    streams: [orders]
    key: {path: $.id}
    version: {path: $.v, type: int64}
    operation: {path: $.op, delete: [delete]}
    fields:
      - {name: id, type: uuid, from: $id}
      - {name: number, type: string, from: $.id}
      - {name: total, type: 'decimal(10,2)', from: $.total}
      - {name: tags, type: list<string>, from: '$.tags[*]'}
";

struct NoSecrets;

impl SecretOpener for NoSecrets {
    fn open(&self, _: TenantId, _: ConnectorId, _: &str, _: &SealedSecret) -> Result<String, Error> {
        Err(Error::new(ErrorCode::NotFound, "there are no secrets"))
    }

    fn open_webhook(&self, _: TenantId, _: &str, sealed: &SealedSecret) -> Result<String, Error> {
        String::from_utf8(sealed.sealed.clone()).map_err(|_| Error::new(ErrorCode::DataLoss, "no text"))
    }
}

/// One tenant on one node, with a directory to read from.
pub struct World {
    pub services: Arc<Services>,
    pub tenant: TenantId,
    pub files: tempfile::TempDir,
    root: RootHandle,
    _catalog: tempfile::TempDir,
}

impl World {
    /// With a pinned pack.
    pub async fn new(pack: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (state, _) = CatalogStore::open(dir.path(), 8 << 20).unwrap();
        let state = Arc::new(state);
        let catalog = Catalog::new(Arc::clone(&state), Arc::new(LocalProposer::new(state)));
        catalog.propose("test", init()).await.unwrap();
        let cluster = catalog.view().cluster().unwrap().unwrap();
        let options = IngestOptions {
            commit_interval: Duration::from_millis(5),
            silver_interval: Duration::ZERO,
            restart: RestartPolicy { backoff_min: Duration::from_millis(1), ..RestartPolicy::default() },
            ..IngestOptions::default()
        };
        let services = Arc::new(Services {
            node: NodeId(1),
            cluster,
            catalog,
            store: Store::over(Arc::new(InMemory::new()), "memory"),
            kinds: registry::kinds(),
            secrets: Arc::new(NoSecrets),
            credit: Credit::new(64 << 20, 64 << 20),
            exchange: Exchange::default(),
            rebuilds: Rebuilds::default(),
            reach: SourceReach::everything(),
            packs: PackCache::default(),
            blocks: Arc::new(BlockCache::new(1 << 20)),
            manifests: Arc::new(ManifestCache::new(10_000)),
            options,
            stop_fetching: CancellationToken::new(),
            stop_merging: CancellationToken::new(),
            work: TaskTracker::new(),
        });
        let record = tenant_record("acme");
        let root = RootHandle::start(Arc::clone(&services)).await.unwrap();
        let world = Self { services, tenant: record.id, files: tempfile::tempdir().unwrap(), root, _catalog: dir };
        world.propose(Command::CreateTenant { tenant: record, tables: system_tables(world.tenant).unwrap() }).await;
        world.pin(pack).await;
        world
    }

    pub async fn propose(&self, command: Command) -> Reply {
        let what = command.to_string();
        self.services.catalog.propose("test", command).await.unwrap_or_else(|e| panic!("{what}: {e}"))
    }

    /// Makes the tenant use a pack.
    pub async fn pin(&self, text: &str) {
        let pack = Parsed::parse(&[("entities.yaml".to_owned(), text.as_bytes().to_vec())]).unwrap_or_else(|e| panic!("{e}"));
        let files = vec![PackFile { path: "entities.yaml".into(), content: text.as_bytes().to_vec() }];
        let hash = pack.hash().to_owned();
        let (tables, _) = pack_tables::plan(&self.services.catalog.view(), self.tenant, &pack, &Default::default()).unwrap();
        self.propose(Command::PutPack(Pack {
            hash: hash.clone(),
            name: pack.name().to_owned(),
            files,
            created_at: 0,
            tenants: Default::default(),
        }))
        .await;
        self.propose(Command::PinPack { tenant: self.tenant, hash, tables }).await;
    }

    /// A connector over the directory.
    pub async fn connect(&self, more: Value) -> ConnectorId {
        let mut config = json!({"url": format!("file://{}", self.files.path().display()), "settle_ms": 0, "poll_ms": 10});
        config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let connector = Connector {
            id: ConnectorId::generate(),
            tenant_id: self.tenant,
            name: "in".into(),
            kind: "files".into(),
            config_json: config.to_string(),
            status: ConnectorStatus::Active,
            created_at: 0,
            version: 1,
        };
        let id = connector.id;
        self.propose(Command::CreateConnector { connector, secrets: vec![] }).await;
        id
    }

    /// Puts a file into the directory.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        // Never half there: a reader would take the half for the whole.
        let draft = self.files.path().join(format!(".{name}"));
        std::fs::write(&draft, content).unwrap();
        std::fs::rename(draft, Path::new(self.files.path()).join(name)).unwrap();
    }

    /// Reads what is new, to the end, and waits until Silver has it.
    pub async fn run(&self, connector: ConnectorId, stream: &str) -> Run {
        let record = self.services.catalog.view().get::<Connectors>(&(self.tenant, connector)).unwrap().unwrap();
        let id = runs::start(&self.services, "test", &record, Some(stream), RunMode::Batch, RunScope::Incremental, "manual").await.unwrap();
        self.sealed(id).await
    }

    /// Waits until a run is sealed.
    pub async fn sealed(&self, id: RunId) -> Run {
        let mut changed = self.services.catalog.store().subscribe();
        let sealed = async {
            loop {
                changed.borrow_and_update();
                let run = self.services.catalog.view().get::<Runs>(&(self.tenant, id)).unwrap().unwrap();
                if run.ended_at.is_some() {
                    return run;
                }
                changed.changed().await.unwrap();
            }
        };
        let run = tokio::time::timeout(PATIENCE, sealed).await.unwrap();
        assert_eq!(run.status, RunStatus::Succeeded, "{:?}", run.error);
        assert!(run.is_exact(), "{run:?}");
        run
    }

    pub fn table(&self, name: &str) -> Table {
        self.services.catalog.view().table_by_name(self.tenant, Layer::Silver, name).unwrap().unwrap()
    }

    /// A query's answer.
    pub async fn sql(&self, sql: &str) -> Vec<RecordBatch> {
        let s = &self.services;
        let options = QueryOptions { partitions: 1, ..QueryOptions::default() };
        let engine = QueryEngine::new(
            s.catalog.clone(),
            Arc::clone(s.store.inner()),
            options,
            Arc::new(StoredDeletes(s.store.clone())),
            Arc::clone(&s.manifests),
        );
        engine.session(self.tenant, None).unwrap().collect(sql).await.unwrap_or_else(|e| panic!("{sql}: {e}"))
    }

    /// The same as text, a line a row.
    pub async fn lines(&self, sql: &str) -> Vec<String> {
        use arrow::util::display::{ArrayFormatter, FormatOptions};
        let options = FormatOptions::default().with_null("-");
        let batches = self.sql(sql).await;
        let mut out = Vec::new();
        for b in &batches {
            let columns: Vec<_> = b.columns().iter().map(|c| ArrayFormatter::try_new(c, &options).unwrap()).collect();
            out.extend((0..b.num_rows()).map(|r| columns.iter().map(|c| c.value(r).to_string()).collect::<Vec<_>>().join("|")));
        }
        out
    }

    /// The table `purchase` against Bronze, which leaves nothing behind.
    pub async fn verified(&self) -> Report {
        let (tell, told) = watch::channel(Progress::default());
        let report = verify_from_bronze(&self.services, self.table("purchase").id, &tell).await.unwrap_or_else(|e| panic!("{e}"));
        let last = *told.borrow();
        assert_eq!((last.commit, last.compared), (last.watermark, last.to_compare), "it told of all that it did");
        let left = self.services.store.list(&paths::scratch_root(self.services.node));
        assert_eq!(left.try_collect::<Vec<_>>().await.unwrap(), Vec::new(), "nothing is left behind");
        report
    }

    /// Ends the actors.
    pub async fn end(self) {
        assert!(self.root.drain(PATIENCE).await);
    }
}

fn tenant_record(slug: &str) -> Tenant {
    let plan = "standard".to_owned();
    Tenant { id: TenantId::generate(), slug: slug.into(), name: slug.into(), plan, status: Status::Active, created_at: 0 }
}

fn init() -> Command {
    let (system, user_id) = (tenant_record("system"), UserId::generate());
    let token = Token {
        id: TokenId::generate(),
        tenant_id: system.id,
        user_id,
        name: "first".into(),
        created_at: 0,
        expires_at: None,
        revoked_at: None,
    };
    let admin = User {
        id: user_id,
        tenant_id: system.id,
        email: "admin@example.com".into(),
        display_name: String::new(),
        roles: vec![Role::Admin],
        status: Status::Active,
        created_at: 0,
    };
    let ticket_key = RingKey { id: 1, sealed: vec![1], created_at: 0 };
    Command::InitCluster { id: ClusterId::generate(), key_fingerprint: "f".into(), system, admin, token, token_hash: [7; 32], ticket_key }
}
