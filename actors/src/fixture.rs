//! A small lake for tests: one tenant, one stream, and commits written as a shard writes them,
//! over a catalog without a log and a store in memory.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::BinaryViewArray;
use lakewright_proto::*;
use lakewright_storage::catalog::command::*;
use lakewright_storage::catalog::keyspace::{Runs, Shards};
use lakewright_storage::catalog::records::*;
use lakewright_storage::catalog::{Catalog, CatalogStore, LocalProposer, ManifestCache, Read as _};
use lakewright_storage::deletion_vector::StoredDeletes;
use lakewright_storage::keyindex::BlockCache;
use lakewright_storage::object::Store;
use lakewright_storage::pack::Pack;
use lakewright_storage::parquet::{write_file, Footer, Owner, Profile, Span};
use lakewright_storage::paths::{Day, Key, Month};
use lakewright_storage::query::{QueryEngine, QueryOptions};
use lakewright_storage::table::{schemas, DataFile, OutcomeCounts, SilverDelta};
use object_store::memory::InMemory;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::connectors::reach::SourceReach;
use crate::connectors::{PayloadFormat, RawBatch};
use crate::credit::Credit;
use crate::exchange::Exchange;
use crate::pack_cache::PackCache;
use crate::pack_tables;
use crate::rebuild::Rebuilds;
use crate::runs::{bronze_table, system_tables};
use crate::services::{now_us, IngestOptions, SecretOpener, Services};

const NOTES: &str = "\
pack: notes
entities:
  - name: Note
    table: note
    streams: [notes]
    key: {path: $.id}
    fields:
      - {name: id, type: uuid, from: $id}
      - {name: number, type: string, from: $.id}
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

pub struct Lake {
    pub services: Arc<Services>,
    pack: Pack,
    _dir: tempfile::TempDir,
}

/// A tenant with one shard of one stream.
pub struct Stream {
    pub tenant: TenantId,
    pub shard: Shard,
    pub silver: TableId,
    pub run: RunId,
    bucket_epoch: ShardEpoch,
    next: u64,
}

impl Lake {
    pub async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (state, _) = CatalogStore::open(dir.path(), 8 << 20).unwrap();
        let state = Arc::new(state);
        let catalog = Catalog::new(Arc::clone(&state), Arc::new(LocalProposer::new(state)));
        let pack = Pack::parse(&[("entities.yaml".to_owned(), NOTES.as_bytes().to_vec())]).unwrap();
        let (system, admin) = (tenant_record("system"), UserId::generate());
        let token = Token {
            id: TokenId::generate(),
            tenant_id: system.id,
            user_id: admin,
            name: "first".into(),
            created_at: 0,
            expires_at: None,
            revoked_at: None,
        };
        let admin = User {
            id: admin,
            tenant_id: system.id,
            email: "admin@example.com".into(),
            display_name: String::new(),
            roles: vec![Role::Admin],
            status: Status::Active,
            created_at: 0,
        };
        let ticket_key = RingKey { id: 1, sealed: vec![1], created_at: 0 };
        let (id, key_fingerprint) = (ClusterId::generate(), "f".to_owned());
        let init = Command::InitCluster { id, key_fingerprint, system, admin, token, token_hash: [7; 32], ticket_key };
        catalog.propose("test", init).await.unwrap();
        let files = vec![PackFile { path: "entities.yaml".into(), content: NOTES.as_bytes().to_vec() }];
        let record = lakewright_storage::catalog::records::Pack {
            hash: pack.hash().to_owned(),
            name: "notes".into(),
            files,
            created_at: 0,
            tenants: Default::default(),
        };
        catalog.propose("test", Command::PutPack(record)).await.unwrap();
        let cluster = catalog.view().cluster().unwrap().unwrap();
        let services = Services {
            node: NodeId(1),
            cluster,
            catalog,
            store: Store::over(Arc::new(InMemory::new()), "memory"),
            kinds: Vec::new(),
            secrets: Arc::new(NoSecrets),
            credit: Credit::new(1 << 20, 1 << 20),
            exchange: Exchange::default(),
            rebuilds: Rebuilds::default(),
            reach: SourceReach::everything(),
            packs: PackCache::default(),
            blocks: Arc::new(BlockCache::new(1 << 20)),
            manifests: Arc::new(ManifestCache::new(10_000)),
            options: IngestOptions::default(),
            stop_fetching: CancellationToken::new(),
            stop_merging: CancellationToken::new(),
            work: TaskTracker::new(),
        };
        Self { services: Arc::new(services), pack, _dir: dir }
    }

    pub async fn propose(&self, command: Command) -> Reply {
        let what = command.to_string();
        self.services.catalog.propose("test", command).await.unwrap_or_else(|e| panic!("{what}: {e}"))
    }

    /// A tenant whose stream `notes` is being read.
    pub async fn stream(&self, slug: &str) -> Stream {
        let record = tenant_record(slug);
        let tenant = record.id;
        self.propose(Command::CreateTenant { tenant: record, tables: system_tables(tenant).unwrap() }).await;
        let connector = Connector {
            id: ConnectorId::generate(),
            tenant_id: tenant,
            name: "in".into(),
            kind: "files".into(),
            config_json: "{}".into(),
            status: ConnectorStatus::Active,
            created_at: 0,
            version: 1,
        };
        let connector_id = connector.id;
        self.propose(Command::CreateConnector { connector, secrets: vec![] }).await;
        let pin = Command::PinPack {
            tenant,
            hash: self.pack.hash().to_owned(),
            tables: pack_tables::plan(&self.services.catalog.view(), tenant, &self.pack, &Default::default()).unwrap().0,
        };
        let Reply::Tables(silver) = self.propose(pin).await else { panic!("tables") };
        let run = RunId::generate();
        let start = Command::StartRun {
            run,
            tenant,
            connector: connector_id,
            stream: "notes".into(),
            mode: RunMode::Streaming,
            trigger: "manual".into(),
            replay_of: None,
            bronze: bronze_table(tenant, "files", "notes").unwrap(),
            shards: vec![("0".into(), vec![])],
            scope: RunScope::Incremental,
        };
        let Reply::Run { shards, .. } = self.propose(start).await else { panic!("run") };
        self.propose(Command::ClaimShard { shard: shards[0], node: NodeId(1) }).await;
        let claim = Command::ClaimBucket { table: silver[0], bucket: 0, node: NodeId(1) };
        let Reply::Epoch(bucket_epoch) = self.propose(claim).await else { panic!("epoch") };
        let shard = self.services.catalog.view().get::<Shards>(&shards[0]).unwrap().unwrap();
        Stream { tenant, shard, silver: silver[0], run, bucket_epoch, next: 0 }
    }

    /// Commits so many good records, taken in at this time.
    pub async fn commit(&self, s: &mut Stream, count: u64, ingested_at: i64) -> CommitSeq {
        let services = &self.services;
        let run = services.catalog.view().get::<Runs>(&(s.tenant, s.run)).unwrap().unwrap();
        let pipeline = services.packs.pipeline(&services.catalog, &s.shard, &run, None).unwrap();
        let records: Vec<String> = (s.next..s.next + count).map(|i| format!("{{ \"id\": \"note-{i}\" }}")).collect();
        let output = pipeline.normalise(&raw(&records), s.shard.id, s.next, ingested_at).unwrap();
        let span = Span::Offsets { first: s.next, end: s.next + count };
        let position = |n: u64| SourcePosition(format!("line {n}"));
        let footer = |file| Footer {
            previous: (s.next > 0).then(|| position(s.next)),
            next: Some(position(s.next + count)),
            run: Some(s.run),
            pack: Some(pipeline.pack_hash().to_owned()),
            ..services.footer(s.tenant, s.shard.bronze_table, file, Owner::Shard(s.shard.id), s.shard.epoch, span)
        };
        let file = FileId::generate();
        let key = Key::Bronze { tenant: s.tenant, source: "files.notes".into(), day: Day::of_micros(ingested_at), file };
        let store = &services.store;
        let bronze = write_file(store, key, &schemas::bronze(), [output.bronze], &footer(file), &Profile::Bronze).await.unwrap();
        let file = FileId::generate();
        let month = Month::of_micros(ingested_at);
        let key = Key::System { tenant: s.tenant, table: "data_quality_results".into(), month, file };
        let profile = Profile::System { time_column: "checked_at".into() };
        let quality = write_file(store, key, &schemas::quality_results(), [output.quality], &footer(file), &profile).await.unwrap();
        let entity = EntityCounts { accepted: count, ..EntityCounts::default() };
        let command = CommitBronze {
            profiles: Vec::new(),
            shard: s.shard.id,
            epoch: s.shard.epoch,
            run: s.run,
            first_offset: s.next,
            count,
            files: vec![bronze],
            quality: vec![quality],
            dead_letters: vec![],
            position: position(s.next + count),
            counts: output.counts,
            entities: vec![(s.silver, entity)],
            pack: pipeline.pack_hash().to_owned(),
            ingested_at,
        };
        let Reply::Bronze(seq) = self.propose(Command::CommitBronze(command)).await else { panic!("bronze") };
        s.next += count;
        seq
    }

    /// So many commits of three records each, now.
    pub async fn commits(&self, s: &mut Stream, n: u64) {
        for _ in 0..n {
            self.commit(s, 3, now_us()).await;
        }
    }

    /// Consumes the whole queue into Silver, as if nothing had changed.
    pub async fn settle(&self, s: &Stream) {
        let (queue, from) = {
            let view = self.services.catalog.view();
            (view.queue(s.silver, 10_000).unwrap(), view.bucket_state(s.silver, 0).unwrap().watermark)
        };
        let Some(to) = queue.last().map(|c| c.seq) else { return };
        let unchanged = |n| OutcomeCounts { unchanged: n, ..OutcomeCounts::default() };
        let outcomes = queue.iter().map(|c| (c.seq, unchanged(c.counts.accepted))).collect();
        let delta = SilverDelta { outcomes, ..SilverDelta::default() };
        let commit = CommitSilver { table: s.silver, bucket: 0, epoch: s.bucket_epoch, from, to, delta };
        self.propose(Command::CommitSilver(commit)).await;
    }

    pub fn engine(&self) -> QueryEngine {
        let s = &self.services;
        let deletes = Arc::new(StoredDeletes(s.store.clone()));
        let options = QueryOptions { partitions: 2, ..QueryOptions::default() };
        QueryEngine::new(s.catalog.clone(), Arc::clone(s.store.inner()), options, deletes, Arc::clone(&s.manifests))
    }

    /// The first column of a query's answer, at a catalog version.
    pub async fn numbers(&self, s: &Stream, version: Option<u64>, sql: &str) -> Vec<i64> {
        let batches = self.engine().session(s.tenant, version).unwrap().collect(sql).await.unwrap_or_else(|e| panic!("{sql}: {e}"));
        batches.iter().flat_map(|b| b.column(0).as_primitive::<Int64Type>().values().to_vec()).collect()
    }

    pub fn version(&self) -> u64 {
        self.services.catalog.view().version().unwrap()
    }

    /// Puts an object of a few bytes.
    pub async fn put(&self, path: &str) {
        self.services.store.put(path, bytes::Bytes::from_static(b"bytes")).await.unwrap();
    }

    pub async fn exists(&self, path: &str) -> bool {
        self.services.store.head(path).await.is_ok()
    }

    /// Files of a Bronze table that the current version sees in the catalog itself.
    pub fn bronze_in_catalog(&self, s: &Stream) -> Vec<DataFile> {
        let view = self.services.catalog.view();
        let table = view.table(s.shard.bronze_table).unwrap();
        view.table_snapshot(&table, None).unwrap().files.into_iter().map(|f| f.file).collect()
    }
}

fn tenant_record(slug: &str) -> Tenant {
    let plan = "standard".to_owned();
    Tenant { id: TenantId::generate(), slug: slug.into(), name: slug.into(), plan, status: Status::Active, created_at: 0 }
}

fn raw(records: &[String]) -> RawBatch {
    RawBatch {
        format: PayloadFormat::Json,
        csv_header: None,
        payload: BinaryViewArray::from_iter_values(records),
        location: None,
        key: None,
        version: None,
        event_time: None,
        operation: None,
        request_id: None,
        oversize: Vec::new(),
        notices: Vec::new(),
        position: SourcePosition("p".into()),
    }
}
