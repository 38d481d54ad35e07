//! Tests of freshness: the decision, and a catalog with a clock of the test's own that is closed and opened again.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::path::Path;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use async_trait::async_trait;
use lakewright_proto::*;
use lakewright_storage::catalog::command::*;
use lakewright_storage::catalog::keyspace::Alerts;
use lakewright_storage::catalog::records::*;
use lakewright_storage::catalog::{CatalogStore, Outcome, Proposer};
use lakewright_storage::table::{DataFile, StreamCounts};

use super::*;
use crate::runs::{bronze_table, pack_tables, system_tables};

const HOUR: i64 = 3_600 * 1_000_000;
const START: i64 = 1_760_000_000_000_000;
const PACK: &str = "\
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

fn tenant() -> TenantId {
    TenantId(uuid::Uuid::from_u128(0x10))
}

fn rule() -> AgeRule {
    AgeRule { table: "order".into(), name: "within_a_day".into(), max_age: 24 * HOUR }
}

#[test]
fn a_table_is_stale_only_past_its_rule_and_only_once() {
    let rule = rule();
    let kind = |rule, arrived, told, now| judge(now, &Known { table: "order", rule, arrived, told }, tenant()).map(|a| a.kind);
    assert_eq!(kind(Some(&rule), Some(START), false, START + 24 * HOUR), None, "just old enough");
    assert_eq!(kind(Some(&rule), Some(START), false, START + 24 * HOUR + 1).as_deref(), Some("freshness"));
    assert_eq!(kind(Some(&rule), Some(START), true, START + 25 * HOUR), None, "told already");
    assert_eq!(kind(Some(&rule), Some(START), true, START + HOUR).as_deref(), Some("freshness_restored"));
    assert_eq!(kind(Some(&rule), None, false, START + 1_000 * HOUR), None, "nothing ever came");
    assert_eq!(kind(None, Some(START), false, START + 1_000 * HOUR), None);
    assert_eq!(kind(None, Some(START), true, START + HOUR).as_deref(), Some("freshness_restored"), "the rule is gone");
}

#[test]
fn an_alert_says_how_long_and_what_to_do() {
    let rule = rule();
    let known = Known { table: "order", rule: Some(&rule), arrived: Some(START), told: false };
    let alert = judge(START + 30 * HOUR, &known, tenant()).unwrap();
    assert_eq!((alert.subject.as_str(), alert.kind.as_str()), ("order", "freshness"));
    assert_eq!(
        alert.message,
        "silver.order got its last record 1d 6h ago, and the rule within_a_day allows 1d 0h: look at its source with `lakewright run list`"
    );
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
struct World {
    catalog: Catalog,
    packs: PackCache,
    rules: Rules,
    now: Arc<AtomicI64>,
}

impl World {
    fn open(dir: &Path, now: i64) -> Self {
        let store = Arc::new(CatalogStore::open(dir, 1 << 20).unwrap().0);
        let now = Arc::new(AtomicI64::new(now));
        let proposer = Clocked { store: Arc::clone(&store), now: Arc::clone(&now), applied: AtomicU64::new(0) };
        Self { catalog: Catalog::new(store, Arc::new(proposer)), packs: PackCache::default(), rules: Rules::new(), now }
    }

    async fn done(&self, command: Command) -> Reply {
        self.catalog.propose("node", command).await.unwrap()
    }

    /// At `hours` after the start: the ages in hours.
    async fn look(&mut self, hours: i64) -> Vec<i64> {
        let now = START + hours * HOUR;
        self.now.store(now, Ordering::SeqCst);
        let ages = look(&self.catalog, &self.packs, now, &mut self.rules).await.unwrap();
        // Each command of the same instant is a microsecond later.
        ages.iter().map(|a| (a.us + HOUR / 2) / HOUR).collect()
    }

    fn kinds(&self) -> Vec<String> {
        self.catalog.view().scan::<Alerts>(&tenant()).unwrap().into_iter().map(|(_, a)| a.kind).collect()
    }

    async fn pin(&self, text: &str) -> Vec<TableId> {
        let files = vec![("entities.yaml".to_owned(), text.as_bytes().to_vec())];
        let pack = lakewright_storage::pack::Pack::parse(&files).unwrap();
        let (hash, tables) = (pack.hash().to_owned(), pack_tables(tenant(), &pack).unwrap());
        let files = files.into_iter().map(|(path, content)| PackFile { path, content }).collect();
        self.done(Command::PutPack(Pack { hash: hash.clone(), name: "shop".into(), files, created_at: 0 })).await;
        match self.done(Command::PinPack { tenant: tenant(), hash, tables }).await {
            Reply::Tables(tables) => tables,
            r => panic!("{r:?}"),
        }
    }

    /// The shard and its epoch, the run, and the table of orders.
    async fn start(&self) -> (ShardId, ShardEpoch, RunId, TableId) {
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
        };
        let Reply::Run { shards, .. } = self.done(start).await else { panic!("no run") };
        let Reply::Epoch(epoch) = self.done(Command::ClaimShard { shard: shards[0], node: NodeId(1) }).await else { panic!("no epoch") };
        let named = |t: &&TableId| self.catalog.view().table(**t).unwrap().name == "order";
        (shards[0], epoch, run, *tables.iter().find(named).unwrap())
    }

    /// One record at an offset, at `hours` after the start.
    async fn record(&self, (shard, epoch, run, table): (ShardId, ShardEpoch, RunId, TableId), first_offset: u64, hours: i64) {
        self.now.store(START + hours * HOUR, Ordering::SeqCst);
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

#[tokio::test]
async fn silence_and_its_end_are_told_once_across_restarts() {
    let dir = tempfile::tempdir().unwrap();
    let mut w = World::open(dir.path(), START);
    let shard = w.start().await;
    assert!(w.look(1_000).await.is_empty(), "nothing came yet, so nothing has an age");
    w.record(shard, 0, 1_000).await;
    assert_eq!(w.look(1_024).await, [24]);
    assert!(w.kinds().is_empty());
    assert_eq!(w.look(1_025).await, [25], "the strictest of two rules holds");
    w.look(1_026).await;
    assert_eq!(w.kinds(), ["freshness"]);

    w.catalog.store().close().unwrap();
    drop(w);
    let mut w = World::open(dir.path(), START + 1_100 * HOUR);
    assert_eq!(w.look(1_100).await, [100]);
    assert_eq!(w.kinds(), ["freshness"], "a restarted node has told it already");

    w.record(shard, 1, 1_101).await;
    assert_eq!(w.look(1_102).await, [1]);
    w.look(1_103).await;
    assert_eq!(w.kinds(), ["freshness", "freshness_restored"]);
    w.look(1_200).await;
    assert_eq!(w.kinds(), ["freshness", "freshness_restored", "freshness"]);
    assert!(w.catalog.view().all::<Alerts>().unwrap().iter().all(|(_, a)| a.subject == "order"));
}

#[tokio::test]
async fn a_rule_that_is_dropped_ends_its_alert_and_a_suspended_tenant_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let mut w = World::open(dir.path(), START);
    let shard = w.start().await;
    w.record(shard, 0, 0).await;
    w.look(30).await;
    let without: String = PACK.lines().filter(|l| !l.contains("freshness") && !l.contains("rules:")).map(|l| format!("{l}\n")).collect();
    w.pin(&without).await;
    assert!(w.look(31).await.is_empty());
    assert_eq!(w.kinds(), ["freshness", "freshness_restored"]);
    w.pin(PACK).await;
    let record = w.catalog.view().get::<Tenants>(&tenant()).unwrap().unwrap();
    w.done(Command::UpdateTenant(Tenant { status: Status::Suspended, ..record.clone() })).await;
    assert!(w.look(32).await.is_empty());
    w.done(Command::UpdateTenant(record)).await;
    assert_eq!(w.look(33).await, [33]);
    assert_eq!(w.kinds(), ["freshness", "freshness_restored", "freshness"]);
}
