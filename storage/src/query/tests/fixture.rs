//! A small lake: tenants with Bronze, quality results and a Silver table, committed as the pipeline does.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::{Schema, SchemaRef};
use async_trait::async_trait;
use lakewright_proto::*;
use object_store::memory::InMemory;
use object_store::ObjectStoreExt;
use parking_lot::Mutex;
use roaring::RoaringTreemap;

use super::storage_crate::catalog::command::*;
use super::storage_crate::catalog::records::*;
use super::storage_crate::catalog::{Catalog, CatalogStore, LocalProposer, ManifestCache};
use super::storage_crate::query::{DeletedRows, QueryEngine, QueryOptions};
use super::storage_crate::table::*;

/// Deletion vectors kept in memory by path.
#[derive(Default)]
pub struct Vectors(Mutex<HashMap<String, Arc<RoaringTreemap>>>);

#[async_trait]
impl DeletedRows for Vectors {
    async fn deleted(&self, v: &DeletionVectorRef) -> super::storage_crate::Result<Arc<RoaringTreemap>> {
        Ok(self.0.lock()[&v.path].clone())
    }
}

pub struct Lake {
    pub catalog: Catalog,
    pub store: Arc<InMemory>,
    pub vectors: Arc<Vectors>,
    pub engine: QueryEngine,
    _dir: tempfile::TempDir,
}

pub struct TenantLake {
    pub id: TenantId,
    pub slug: String,
    pub silver: TableId,
    connector: ConnectorId,
    run: RunId,
    shard: ShardId,
    shard_epoch: ShardEpoch,
    bucket_epoch: ShardEpoch,
    next_offset: u64,
    watermark: CommitSeq,
    schema: SchemaRef,
}

fn now() -> i64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_micros() as i64
}

fn schema_ipc(schema: &Schema) -> Vec<u8> {
    let mut writer = arrow::ipc::writer::StreamWriter::try_new(Vec::new(), schema).unwrap();
    writer.finish().unwrap();
    writer.into_inner().unwrap()
}

fn spec(tenant: TenantId, layer: Layer, name: &str, schema: &Schema, changes: Option<&str>) -> TableSpec {
    let streams = if changes.is_some() { vec!["opportunity".into()] } else { vec![] };
    TableSpec {
        id: TableId::generate(),
        layer,
        name: name.into(),
        subject: name.into(),
        root: format!("{layer}/tenant_id={tenant}/{name}/"),
        schema_ipc: schema_ipc(schema),
        streams,
        changes: changes.map(str::to_owned),
        lookups: None,
        rebuild: None,
    }
}

pub fn quality_schema() -> Schema {
    use arrow_schema::{DataType::*, Field};
    Schema::new(vec![Field::new("entity", Utf8, true), Field::new("ingestion_run_id", Utf8, false), Field::new("is_valid", Boolean, false)])
}

fn bronze_schema() -> Schema {
    use arrow_schema::{DataType::*, Field};
    Schema::new(vec![Field::new("_shard", Int64, false), Field::new("payload", Binary, true)])
}

impl Lake {
    pub async fn new() -> Self {
        Self::with(QueryOptions { partitions: 2, ..QueryOptions::default() }).await
    }

    pub async fn with(options: QueryOptions) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (store, _) = CatalogStore::open(dir.path(), 8 << 20).unwrap();
        let store = Arc::new(store);
        let catalog = Catalog::new(store.clone(), Arc::new(LocalProposer::new(store)));
        let objects = Arc::new(InMemory::new());
        let vectors = Arc::new(Vectors::default());
        let engine = QueryEngine::new(catalog.clone(), objects.clone(), options, vectors.clone(), Arc::new(ManifestCache::new(1_000)));
        let lake = Self { catalog, store: objects, vectors, engine, _dir: dir };
        let (tenant, user) = (TenantId::generate(), UserId::generate());
        lake.propose(Command::InitCluster {
            id: ClusterId::generate(),
            key_fingerprint: "f".into(),
            system: lake.tenant_record(tenant, "system"),
            admin: user_record(tenant, user, "admin@system"),
            token: Token {
                id: TokenId::generate(),
                tenant_id: tenant,
                user_id: user,
                name: "first".into(),
                created_at: 0,
                expires_at: None,
                revoked_at: None,
            },
            token_hash: [7; 32],
            ticket_key: RingKey { id: 1, sealed: vec![1], created_at: 0 },
        })
        .await;
        lake
    }

    fn tenant_record(&self, id: TenantId, slug: &str) -> Tenant {
        Tenant { id, slug: slug.into(), name: slug.into(), plan: "standard".into(), status: Status::Active, created_at: 0 }
    }

    pub async fn propose(&self, command: Command) -> Reply {
        self.catalog.propose("test@example.com", command).await.unwrap()
    }

    async fn put(&self, root: &str, batch: &RecordBatch, groups_of: usize, range: (i64, i64)) -> DataFile {
        let id = FileId::generate();
        let path = format!("{root}{id}.parquet");
        let properties = parquet::file::properties::WriterProperties::builder().set_max_row_group_row_count(Some(groups_of)).build();
        let mut w = parquet::arrow::ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties)).unwrap();
        w.write(batch).unwrap();
        let bytes = w.into_inner().unwrap();
        let size = bytes.len() as u64;
        self.store.put(&path.as_str().into(), bytes.into()).await.unwrap();
        DataFile { id, path, size, rows: batch.num_rows() as u64, partition: String::new(), time_range: range, created_at: now() }
    }

    /// A tenant with a Silver table `opportunity` of this schema, and its quality table.
    pub async fn tenant(&self, slug: &str, schema: SchemaRef) -> TenantLake {
        let id = TenantId::generate();
        let tables = vec![
            spec(id, Layer::System, "data_quality_results", &quality_schema(), None),
            spec(id, Layer::System, "dead_letters", &quality_schema(), None),
        ];
        self.propose(Command::CreateTenant { tenant: self.tenant_record(id, slug), tables }).await;
        self.propose(Command::CreateUser(user_record(id, UserId::generate(), &format!("ann@{slug}.com")))).await;
        let connector = ConnectorId::generate();
        self.propose(Command::CreateConnector {
            connector: Connector {
                id: connector,
                tenant_id: id,
                name: "files".into(),
                kind: "files".into(),
                config_json: "{}".into(),
                status: ConnectorStatus::Active,
                created_at: 0,
                version: 1,
            },
            secrets: vec![],
        })
        .await;
        let hash = format!("hash-{slug}");
        let pack = Pack { hash: hash.clone(), name: "p".into(), files: vec![], created_at: 0, tenants: Default::default() };
        self.propose(Command::PutPack(pack)).await;
        let change = Schema::new(vec![arrow_schema::Field::new("_change", arrow_schema::DataType::Utf8, false)]);
        let silver = spec(id, Layer::Silver, "opportunity", &schema, Some("opportunity__changes"));
        let tables = vec![spec(id, Layer::Silver, "opportunity__changes", &change, None), silver];
        let Reply::Tables(silver) = self.propose(Command::PinPack { tenant: id, hash, tables }).await else { panic!("tables") };
        let run = RunId::generate();
        let started = self
            .propose(Command::StartRun {
                run,
                tenant: id,
                connector,
                stream: "opportunity".into(),
                mode: RunMode::Batch,
                trigger: "manual".into(),
                replay_of: None,
                bronze: spec(id, Layer::Bronze, "files_opportunity", &bronze_schema(), None),
                shards: vec![("all".into(), vec![])],
                scope: Default::default(),
            })
            .await;
        let Reply::Run { shards, .. } = started else { panic!("run") };
        let Reply::Epoch(shard_epoch) = self.propose(Command::ClaimShard { shard: shards[0], node: NodeId(1) }).await else {
            panic!("epoch")
        };
        let claim = Command::ClaimBucket { table: silver[0], bucket: 0, node: NodeId(1) };
        let Reply::Epoch(bucket_epoch) = self.propose(claim).await else { panic!("epoch") };
        TenantLake {
            id,
            slug: slug.into(),
            silver: silver[0],
            connector,
            run,
            shard: shards[0],
            shard_epoch,
            bucket_epoch,
            next_offset: 0,
            watermark: self.catalog.view().bucket_state(silver[0], 0).unwrap().watermark,
            schema,
        }
    }

    async fn bronze(&self, t: &mut TenantLake, rows: u64, quality: Vec<DataFile>) -> CommitSeq {
        use arrow_array::{BinaryArray, Int64Array};
        let shards = Int64Array::from(vec![t.shard.0 as i64; rows as usize]);
        let payload = BinaryArray::from_iter_values((0..rows).map(|i| format!("{{\"n\":{i}}}")));
        let batch = RecordBatch::try_new(Arc::new(bronze_schema()), vec![Arc::new(shards), Arc::new(payload)]).unwrap();
        let file = self.put(&format!("bronze/tenant_id={}/files_opportunity/", t.id), &batch, 1_000, (now(), now())).await;
        let counts = StreamCounts { read: rows, accepted: rows, ..StreamCounts::default() };
        let entity = EntityCounts { accepted: rows, ..EntityCounts::default() };
        let commit = CommitBronze {
            shard: t.shard,
            epoch: t.shard_epoch,
            run: t.run,
            first_offset: t.next_offset,
            count: rows,
            files: vec![file],
            quality,
            dead_letters: vec![],
            position: SourcePosition(format!("p{}", t.next_offset + rows)),
            counts,
            entities: vec![(t.silver, entity)],
            profiles: vec![],
            pack: format!("hash-{}", t.slug),
            ingested_at: now(),
        };
        t.next_offset += rows;
        let Reply::Bronze(seq) = self.propose(Command::CommitBronze(commit)).await else { panic!("bronze") };
        seq
    }

    /// Commits rows to `silver.opportunity`; `groups_of` rows a row group.
    pub async fn add(&self, t: &mut TenantLake, batch: &RecordBatch, groups_of: usize, range: (i64, i64)) -> DataFile {
        let file = self.put(&format!("silver/tenant_id={}/opportunity/", t.id), batch, groups_of, range).await;
        let outcomes = OutcomeCounts { inserted: batch.num_rows() as u64, ..OutcomeCounts::default() };
        self.silver(t, SilverDelta { added: vec![file.clone()], ..SilverDelta::default() }, outcomes).await;
        file
    }

    async fn silver(&self, t: &mut TenantLake, mut delta: SilverDelta, outcomes: OutcomeCounts) {
        let seq = self.bronze(t, outcomes.total(), vec![]).await;
        delta.outcomes = vec![(seq, outcomes)];
        let c = CommitSilver { table: t.silver, bucket: 0, epoch: t.bucket_epoch, from: t.watermark, to: seq, delta };
        self.propose(Command::CommitSilver(c)).await;
        t.watermark = seq;
    }

    /// Deletes rows of a file.
    pub async fn delete(&self, t: &mut TenantLake, file: &DataFile, rows: impl IntoIterator<Item = u64>, version: u32) {
        let rows: RoaringTreemap = rows.into_iter().collect();
        let path_of = |version: u32| format!("silver/tenant_id={}/opportunity/{}-{version}.puffin", t.id, file.id);
        let path = path_of(version);
        let vector =
            DeletionVectorRef { data_file: file.id, version, path: path.clone(), size: 1, offset: 4, length: 1, cardinality: rows.len() };
        let before = version.checked_sub(1).and_then(|v| self.vectors.0.lock().get(&path_of(v)).map(|r| r.len())).unwrap_or(0);
        let outcomes = OutcomeCounts { deleted: rows.len() - before, ..OutcomeCounts::default() };
        self.vectors.0.lock().insert(path, Arc::new(rows));
        self.silver(t, SilverDelta { deletion_vectors: vec![vector], ..SilverDelta::default() }, outcomes).await;
    }

    /// Commits quality results, each an entity and whether it is valid.
    pub async fn quality(&self, t: &mut TenantLake, results: &[(&str, bool)]) {
        use arrow_array::{BooleanArray, StringArray};
        let run = t.run.to_string();
        let entity = StringArray::from_iter_values(results.iter().map(|r| r.0));
        let runs = StringArray::from_iter_values(results.iter().map(|_| run.as_str()));
        let valid = BooleanArray::from_iter(results.iter().map(|r| Some(r.1)));
        let batch = RecordBatch::try_new(Arc::new(quality_schema()), vec![Arc::new(entity), Arc::new(runs), Arc::new(valid)]).unwrap();
        let file = self.put(&format!("system/tenant_id={}/data_quality_results/", t.id), &batch, 1_000, (now(), now())).await;
        let seq = self.bronze(t, 1, vec![file]).await;
        let outcomes = OutcomeCounts { unchanged: 1, ..OutcomeCounts::default() };
        let delta = SilverDelta { outcomes: vec![(seq, outcomes)], ..SilverDelta::default() };
        let c = CommitSilver { table: t.silver, bucket: 0, epoch: t.bucket_epoch, from: t.watermark, to: seq, delta };
        self.propose(Command::CommitSilver(c)).await;
        t.watermark = seq;
    }
}

impl TenantLake {
    pub fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    pub fn connector(&self) -> ConnectorId {
        self.connector
    }
}

fn user_record(tenant: TenantId, id: UserId, email: &str) -> User {
    User {
        id,
        tenant_id: tenant,
        email: email.into(),
        display_name: String::new(),
        roles: vec![Role::Analyst],
        status: Status::Active,
        created_at: 0,
    }
}
