//! A catalog for tests: one tenant that reads orders, and a clock that the test sets.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::path::Path;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::Arc;

use async_trait::async_trait;
use lakewright_proto::*;
use lakewright_storage::catalog::command::*;
use lakewright_storage::catalog::keyspace::Alerts;
use lakewright_storage::catalog::records::*;
use lakewright_storage::catalog::{Catalog, CatalogStore, Outcome, Proposer, Read as _};
use lakewright_storage::table::{DataFile, StreamCounts};

use crate::pack_cache::PackCache;
use crate::pack_tables;
use crate::runs::{bronze_table, system_tables};

pub const HOUR: i64 = 3_600 * 1_000_000;
pub const START: i64 = 1_760_000_000_000_000;
pub const PACK: &str = "\
pack: shop
entities:
  - name: Order
    table: order
    streams: [orders]
    key: {path: $.id}
    fields:
      - {name: id, type: uuid, from: $id}
      - {name: total, type: 'decimal(38,2)', from: $.total}
    rules:
      - {name: within_two_days, type: freshness, max_age: 48h}
      - {name: within_a_day, type: freshness, max_age: 24h}
  - name: Customer
    table: customer
    streams: [customers]
    key: {path: $.id}
    fields:
      - {name: id, type: uuid, from: $id}
";

pub fn tenant() -> TenantId {
    TenantId(uuid::Uuid::from_u128(0x10))
}

/// Applies at the time that the test says.
struct Clocked {
    store: Arc<CatalogStore>,
    now: Arc<AtomicI64>,
    applied: AtomicU64,
}

#[async_trait]
impl Proposer for Clocked {
    async fn propose(&self, command: Vec<u8>) -> Outcome {
        let n = self.applied.fetch_add(1, Ordering::SeqCst) + 1;
        Outcome::Done(self.store.apply_entry(&n.to_be_bytes(), None, self.now.load(Ordering::SeqCst), &[command]).unwrap().pop().unwrap())
    }
}

/// A node's catalog with one tenant that reads orders.
pub struct World {
    pub catalog: Catalog,
    pub packs: PackCache,
    now: Arc<AtomicI64>,
}

impl World {
    pub fn open(dir: &Path, now: i64) -> Self {
        let store = Arc::new(CatalogStore::open(dir, 1 << 20).unwrap().0);
        let now = Arc::new(AtomicI64::new(now));
        let proposer = Clocked { store: Arc::clone(&store), now: Arc::clone(&now), applied: AtomicU64::new(0) };
        Self { catalog: Catalog::new(store, Arc::new(proposer)), packs: PackCache::default(), now }
    }

    pub async fn done(&self, command: Command) -> Reply {
        self.catalog.propose("node", command).await.unwrap()
    }

    /// Moves the clock to so many hours after the start.
    pub fn at(&self, hours: i64) -> i64 {
        let now = START + hours * HOUR;
        self.now.store(now, Ordering::SeqCst);
        now
    }

    pub fn kinds(&self) -> Vec<String> {
        self.catalog.view().scan::<Alerts>(&tenant()).unwrap().into_iter().map(|(_, a)| a.kind).collect()
    }

    pub async fn pin(&self, text: &str) -> Vec<TableId> {
        let files = vec![("entities.yaml".to_owned(), text.as_bytes().to_vec())];
        let pack = lakewright_storage::pack::Pack::parse(&files).unwrap();
        let (hash, tables) =
            (pack.hash().to_owned(), pack_tables::plan(&self.catalog.view(), tenant(), &pack, &Default::default()).unwrap().0);
        let files = files.into_iter().map(|(path, content)| PackFile { path, content }).collect();
        self.done(Command::PutPack(Pack { hash: hash.clone(), name: "shop".into(), files, created_at: 0, tenants: Default::default() }))
            .await;
        match self.done(Command::PinPack { tenant: tenant(), hash, tables }).await {
            Reply::Tables(tables) => tables,
            r => panic!("{r:?}"),
        }
    }

    /// The shard and its epoch, the run, and the table of orders.
    pub async fn start(&self) -> (ShardId, ShardEpoch, RunId, TableId) {
        let record = |n, slug: &str| Tenant {
            id: TenantId(uuid::Uuid::from_u128(n)),
            slug: slug.into(),
            name: slug.into(),
            plan: "standard".into(),
            status: Status::Active,
            created_at: 0,
        };
        let system = record(1, "system");
        let admin = User {
            id: UserId::generate(),
            tenant_id: system.id,
            email: "a@b.c".into(),
            display_name: String::new(),
            roles: vec![Role::Admin],
            status: Status::Active,
            created_at: 0,
        };
        let token = Token {
            id: TokenId::generate(),
            tenant_id: system.id,
            user_id: admin.id,
            name: "t".into(),
            created_at: 0,
            expires_at: None,
            revoked_at: None,
        };
        let ticket_key = RingKey { id: 1, sealed: vec![1], created_at: 0 };
        let id = ClusterId::generate();
        self.done(Command::InitCluster { id, key_fingerprint: "f".into(), system, admin, token, token_hash: [1; 32], ticket_key }).await;
        self.done(Command::CreateTenant { tenant: record(0x10, "acme"), tables: system_tables(tenant()).unwrap() }).await;
        let connector = Connector {
            id: ConnectorId::generate(),
            tenant_id: tenant(),
            name: "c".into(),
            kind: "files".into(),
            config_json: "{}".into(),
            status: ConnectorStatus::Active,
            created_at: 0,
            version: 0,
        };
        let (connector_id, run) = (connector.id, RunId::generate());
        self.done(Command::CreateConnector { connector, secrets: vec![] }).await;
        let tables = self.pin(PACK).await;
        let start = Command::StartRun {
            run,
            tenant: tenant(),
            connector: connector_id,
            stream: "orders".into(),
            mode: RunMode::Batch,
            trigger: "manual".into(),
            replay_of: None,
            bronze: bronze_table(tenant(), "files", "orders").unwrap(),
            shards: vec![("all".into(), vec![])],
            scope: Default::default(),
        };
        let Reply::Run { shards, .. } = self.done(start).await else { panic!("no run") };
        let Reply::Epoch(epoch) = self.done(Command::ClaimShard { shard: shards[0], node: NodeId(1) }).await else { panic!("no epoch") };
        let named = |t: &&TableId| self.catalog.view().table(**t).unwrap().name == "order";
        (shards[0], epoch, run, *tables.iter().find(named).unwrap())
    }

    /// One record at an offset, at `hours` after the start.
    pub async fn record(&self, (shard, epoch, run, table): (ShardId, ShardEpoch, RunId, TableId), first_offset: u64, hours: i64) {
        self.at(hours);
        let path = format!("bronze/tenant_id={}/source=files.orders/f{first_offset}", tenant());
        let id = FileId::generate();
        let file = DataFile { id, path, size: 1, rows: 1, partition: String::new(), time_range: (0, 0), created_at: START + hours * HOUR };
        self.done(Command::CommitBronze(CommitBronze {
            shard,
            epoch,
            run,
            first_offset,
            count: 1,
            files: vec![file],
            quality: vec![],
            dead_letters: vec![],
            position: SourcePosition(first_offset.to_string()),
            counts: StreamCounts { read: 1, accepted: 1, ..StreamCounts::default() },
            entities: vec![(table, EntityCounts { accepted: 1, ..EntityCounts::default() })],
            profiles: vec![],
            pack: "p".into(),
            ingested_at: 0,
        }))
        .await;
    }
}
