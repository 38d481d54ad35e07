//! A small cluster with one tenant, connector, stream and entity, and builders of its commands.

use arrow_schema::{DataType, Schema};
use lakewright_proto::*;
use uuid::Uuid;

use crate::catalog::command::*;
use crate::catalog::keyspace::Webhooks;
use crate::catalog::records::*;
use crate::catalog::{decode_answer, encode_command, CatalogStore, Read as _};
use crate::query::encode_schema;
use crate::table::schemas::column;
use crate::table::*;

/// Some instant; ids in these tests are no UUIDv7 and tell no time.
pub const START: i64 = 1_760_000_000_000_000;

pub fn id(n: u128) -> Uuid {
    Uuid::from_u128(n)
}
pub const TENANT: u128 = 0x10;
pub fn tenant() -> TenantId {
    TenantId(id(TENANT))
}
pub fn connector() -> ConnectorId {
    ConnectorId(id(0x20))
}
pub fn bronze() -> TableId {
    TableId(id(0x30))
}
pub fn silver() -> TableId {
    TableId(id(0x31))
}

pub struct World {
    pub store: CatalogStore,
    pub dir: tempfile::TempDir,
    pub now: i64,
    pub index: u64,
    pub next_id: u128,
    /// Encoded entries, for replays into another state.
    pub log: Vec<(i64, Vec<Vec<u8>>)>,
}

impl World {
    pub fn empty() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (store, trusted) = CatalogStore::open(dir.path(), 32 << 20).unwrap();
        assert!(!trusted);
        Self { store, dir, now: START, index: 0, next_id: 0x1000, log: Vec::new() }
    }

    /// With everything up to a pinned pack.
    pub fn new() -> Self {
        let mut w = Self::empty();
        w.done(init());
        w.done(Command::CreateTenant { tenant: a_tenant(TENANT, "acme"), tables: system_tables(TENANT) });
        w.done(Command::CreateConnector { connector: a_connector(), secrets: vec![("key".into(), secret())] });
        w.done(Command::PutPack(pack()));
        w.done(Command::PinPack { tenant: tenant(), hash: "p1".into(), tables: silver_specs() });
        w
    }

    pub fn fresh(&mut self) -> Uuid {
        self.next_id += 1;
        id(self.next_id)
    }

    pub fn apply(&mut self, batch: Vec<Vec<u8>>) -> Vec<Answered> {
        self.index += 1;
        self.now += 1_000;
        self.log.push((self.now, batch.clone()));
        let answers = self.store.apply_entry(&self.index.to_be_bytes(), None, self.now, &batch).unwrap();
        answers.iter().map(|a| decode_answer(a).unwrap()).collect()
    }

    pub fn envelope(&mut self, command: Command) -> Envelope {
        Envelope { id: CommandId(self.fresh()), principal: "node".into(), command }
    }

    pub fn send(&mut self, envelope: &Envelope) -> Answered {
        self.apply(vec![encode_command(envelope).unwrap()]).remove(0)
    }

    pub fn propose(&mut self, command: Command) -> Answered {
        let e = self.envelope(command);
        self.send(&e)
    }

    pub fn done(&mut self, command: Command) -> Reply {
        let what = command.to_string();
        self.propose(command).unwrap_or_else(|e| panic!("{what}: {e}"))
    }

    pub fn refused(&mut self, command: Command) -> ErrorCode {
        let what = command.to_string();
        match self.propose(command) {
            Ok(r) => panic!("{what} was done: {r:?}"),
            Err(e) => e.code,
        }
    }

    pub fn webhook(&self, name: &str) -> Webhook {
        self.store.view().get::<Webhooks>(&(tenant(), name.to_owned())).unwrap().unwrap()
    }

    pub fn start_run(&mut self) -> (RunId, ShardId) {
        self.start(None)
    }

    pub fn start(&mut self, replay_of: Option<RunId>) -> (RunId, ShardId) {
        let run = RunId(self.fresh());
        match self.done(start_command(run, replay_of)) {
            Reply::Run { shards, .. } => (run, shards[0]),
            r => panic!("{r:?}"),
        }
    }

    pub fn claim(&mut self, shard: ShardId) -> ShardEpoch {
        self.epoch(Command::ClaimShard { shard, node: NodeId(1) })
    }

    pub fn claim_bucket(&mut self) -> ShardEpoch {
        self.epoch(Command::ClaimBucket { table: silver(), bucket: 0, node: NodeId(1) })
    }

    fn epoch(&mut self, command: Command) -> ShardEpoch {
        match self.done(command) {
            Reply::Epoch(e) => e,
            r => panic!("{r:?}"),
        }
    }

    pub fn file(&mut self, table: u128, rows: u64) -> DataFile {
        let id = FileId(self.fresh());
        let path = format!("{}{id}.parquet", root(table));
        DataFile { id, path, size: 100 + rows, rows, partition: String::new(), time_range: (self.now, self.now), created_at: self.now }
    }

    /// A build of the mart `funnel` for a day, of a snapshot, with so many rows.
    pub fn gold(&mut self, date: u32, snapshot: u64, rows: u64) -> CommitGold {
        let files = vec![self.file(0x50, rows)];
        let inputs = vec![GoldInput { table: silver(), watermark: CommitSeq(snapshot), looked_up: 0 }];
        let named = files.iter().map(|f| f.id).collect();
        let build = GoldBuild { date, snapshot, inputs, files: named, rows, pack: "p1".into(), took_us: 5, built_at: 0 };
        CommitGold { tenant: tenant(), spec: spec(0x50, Layer::Gold, "funnel", None), build, files }
    }

    /// A commit of `accepted` good records and `rejected` bad ones at `first`.
    pub fn bronze(&mut self, shard: ShardId, epoch: ShardEpoch, run: RunId, first: u64, accepted: u64, rejected: u64) -> CommitBronze {
        let count = accepted + rejected;
        let (files, quality) = if count == 0 { (vec![], vec![]) } else { (vec![self.file(0x30, count)], vec![self.file(0x40, count)]) };
        let dead_letters = if rejected == 0 { vec![] } else { vec![self.file(0x41, rejected)] };
        CommitBronze {
            shard,
            epoch,
            run,
            first_offset: first,
            count,
            files,
            quality,
            dead_letters,
            position: SourcePosition(format!("at {}", first + count)),
            counts: StreamCounts { read: count, accepted, rejected, bytes: count * 10, ..Default::default() },
            entities: if count == 0 { vec![] } else { vec![(silver(), EntityCounts { accepted, rejected, ..Default::default() })] },
            profiles: vec![],
            pack: "p1".into(),
            ingested_at: self.now,
        }
    }

    /// A merge of the whole queue in which each accepted record inserts a row.
    pub fn merge(&mut self, epoch: ShardEpoch) -> Option<CommitSilver> {
        let (queue, from) = {
            let view = self.store.view();
            (view.queue(silver(), 1_000).unwrap(), view.bucket_state(silver(), 0).unwrap().watermark)
        };
        let to = queue.last()?.seq;
        let rows: u64 = queue.iter().map(|c| c.counts.accepted).sum();
        let outcomes =
            queue.iter().map(|c| (c.seq, OutcomeCounts { inserted: c.counts.accepted, ..Default::default() })).collect::<Vec<_>>();
        let added = vec![self.file(0x31, rows)];
        let changes = vec![self.file(0x32, rows)];
        let run = FileId(self.fresh());
        let index = IndexRun { id: run, path: format!("{}{run}.run", root(0x31)), size: 9, entries: rows, level_order: to.0 };
        let delta = SilverDelta { added, changes, outcomes, index_added: vec![index], ..Default::default() };
        Some(CommitSilver { table: silver(), bucket: 0, epoch, from, to, delta })
    }

    /// One row of a file with what it looks up now, in tables as they are now.
    pub fn lookups(&mut self, epoch: ShardEpoch, file: FileId) -> CommitLookups {
        let (state, version) = {
            let view = self.store.view();
            (view.bucket_state(silver(), 0).unwrap(), view.version().unwrap())
        };
        let old = state.deletion_vectors.iter().find(|v| v.data_file == file);
        let (last, cardinality) = old.map_or((0, 0), |v| (v.version, v.cardinality));
        let path = format!("{}{}.puffin", root(0x31), self.fresh());
        let vector =
            DeletionVectorRef { data_file: file, version: last + 1, path, size: 9, offset: 0, length: 9, cardinality: cardinality + 1 };
        let (added, changes) = (vec![self.file(0x31, 1)], vec![self.file(0x32, 2)]);
        let delta = SilverDelta { added, changes, deletion_vectors: vec![vector], ..Default::default() };
        let sources = vec![(TableId(id(0x33)), version)];
        CommitLookups { table: silver(), bucket: 0, epoch, watermark: state.watermark, sources, delta }
    }

    /// The pack pinned anew, its Silver table with these lookups.
    pub fn pin_with_lookups(&mut self, definition: &str) {
        let mut tables = silver_specs();
        let lookups = TableLookups { tables: vec!["customer".into()], definition: definition.into() };
        tables.iter_mut().filter(|t| t.changes.is_some()).for_each(|t| t.lookups = Some(lookups.clone()));
        self.done(Command::PinPack { tenant: tenant(), hash: "p1".into(), tables });
    }

    pub fn run(&self, run: RunId) -> Run {
        use crate::catalog::Read;
        self.store.view().get::<crate::catalog::keyspace::Runs>(&(tenant(), run)).unwrap().unwrap()
    }

    pub fn finish(&mut self, run: RunId, status: RunStatus) {
        self.done(Command::FinishRun { tenant: tenant(), run, status, error: None, breaks: false });
    }
}

pub fn root(table: u128) -> String {
    format!("lake/tenant_id={}/entity=t{table:x}/", tenant())
}
pub fn a_tenant(n: u128, slug: &str) -> Tenant {
    let plan = "standard".to_owned();
    Tenant { id: TenantId(id(n)), slug: slug.into(), name: slug.into(), plan, status: Status::Active, created_at: 0 }
}
pub fn secret() -> SealedSecret {
    SealedSecret { sealed: vec![0xab; 60], version: 1 }
}
pub fn a_connector() -> Connector {
    Connector {
        id: connector(),
        tenant_id: tenant(),
        name: "c".into(),
        kind: "files".into(),
        config_json: "{}".into(),
        status: ConnectorStatus::Active,
        created_at: 0,
        version: 0,
    }
}
pub fn pack() -> Pack {
    let files = vec![PackFile { path: "entities.yaml".into(), content: b"entities: []".to_vec() }];
    Pack { hash: "p1".into(), name: "test".into(), files, created_at: 0, tenants: Default::default() }
}
pub fn init() -> Command {
    let system = a_tenant(1, "system");
    let admin = User {
        id: UserId(id(2)),
        tenant_id: system.id,
        email: "admin@example.com".into(),
        display_name: "Admin".into(),
        roles: vec![Role::Admin],
        status: Status::Active,
        created_at: 0,
    };
    let token = Token {
        id: TokenId(id(3)),
        tenant_id: system.id,
        user_id: admin.id,
        name: "first".into(),
        created_at: 0,
        expires_at: None,
        revoked_at: None,
    };
    let ticket_key = RingKey { id: 1, sealed: vec![0xcd; 60], created_at: START };
    let key_fingerprint = "f1".to_owned();
    Command::InitCluster { id: ClusterId(id(9)), key_fingerprint, system, admin, token, token_hash: [0xee; 32], ticket_key }
}
/// Two kilobytes of columns.
fn columns() -> Vec<u8> {
    let fields: Vec<_> = (1_001..=1_018).map(|id| column(id, &format!("column_{id}"), DataType::Utf8, true)).collect();
    encode_schema(&Schema::new(fields)).unwrap()
}
pub fn spec(n: u128, layer: Layer, name: &str, changes: Option<&str>) -> TableSpec {
    TableSpec {
        id: TableId(id(n)),
        layer,
        name: name.into(),
        subject: name.into(),
        root: root(n & 0xff),
        schema_ipc: columns(),
        streams: vec!["s".into()],
        changes: changes.map(str::to_owned),
        lookups: None,
        rebuild: None,
    }
}
/// Each night, due at 10.
pub fn a_schedule() -> Schedule {
    Schedule {
        tenant_id: tenant(),
        connector_id: connector(),
        cron: "0 3 * * *".into(),
        zone: "UTC".into(),
        jitter_us: 0,
        created_at: 0,
        next_at: 10,
        last_at: None,
        missed: 0,
        last_error: None,
        retry_at: 0,
    }
}
/// Ten calls of an account's quota.
pub fn an_ask() -> QuotaAsk {
    QuotaAsk {
        name: "111111111111/partnercentral-selling/reads".into(),
        tenant: tenant(),
        class: QuotaClass::Live,
        calls: 10,
        per_second: 10,
        per_day: 100_000,
    }
}
/// All alerts, to one address.
pub fn a_webhook(name: &str) -> Webhook {
    Webhook {
        tenant_id: tenant(),
        name: name.into(),
        url: "https://example.com/alerts".into(),
        kinds: vec![],
        secret: SealedSecret { sealed: vec![0xab; 60], version: 1 },
        created_at: 0,
        next: 0,
        attempts: 0,
        retry_at: 0,
        last_error: None,
        delivered: 0,
        given_up: 0,
    }
}
/// The tables that a tenant has from the start.
pub fn system_tables(n: u128) -> Vec<TableSpec> {
    let base = (n - TENANT) << 8;
    vec![spec(base + 0x40, Layer::System, "data_quality_results", None), spec(base + 0x41, Layer::System, "dead_letters", None)]
}
/// The Silver table before its change table, as a pack may list them.
pub fn silver_specs() -> Vec<TableSpec> {
    vec![spec(0x31, Layer::Silver, "thing", Some("thing_changes")), spec(0x32, Layer::Silver, "thing_changes", None)]
}
pub fn start_command(run: RunId, replay_of: Option<RunId>) -> Command {
    Command::StartRun {
        run,
        tenant: tenant(),
        connector: connector(),
        stream: "s".into(),
        mode: RunMode::Batch,
        trigger: "manual".into(),
        replay_of,
        bronze: spec(0x30, Layer::Bronze, "files_s", None),
        shards: vec![("a".into(), vec![]), ("b".into(), vec![])],
        scope: Default::default(),
    }
}
