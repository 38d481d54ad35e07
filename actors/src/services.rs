//! What every actor of a node shares: the catalog, the store, budgets, sources, and the signals to stop.

use std::sync::Arc;
use std::time::Duration;

use lakewright_proto::{ConnectorId, Error, FileId, NodeId, ShardEpoch, TableId, TenantId};
use lakewright_storage::catalog::records::{ClusterRecord, SealedSecret};
use lakewright_storage::catalog::{Catalog, ManifestCache};
use lakewright_storage::keyindex::BlockCache;
use lakewright_storage::object::Store;
use lakewright_storage::parquet::{Footer, Owner, Span};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::connectors::reach::SourceReach;
use crate::connectors::ConnectorKind;
use crate::credit::Credit;
use crate::exchange::Exchange;
use crate::pack_cache::PackCache;
use crate::rebuild::Rebuilds;
use crate::restart::RestartPolicy;

/// Opens sealed secrets; only the process that holds the cluster key can.
pub trait SecretOpener: Send + Sync + 'static {
    /// The secret of a connector's field.
    fn open(&self, tenant: TenantId, connector: ConnectorId, field: &str, sealed: &SealedSecret) -> Result<String, Error>;

    /// What a webhook's deliveries are signed with.
    fn open_webhook(&self, tenant: TenantId, name: &str, sealed: &SealedSecret) -> Result<String, Error>;
}

/// Limits and rhythms of ingestion.
#[derive(Clone, Debug)]
pub struct IngestOptions {
    /// Bytes of payload that one fetch asks for.
    pub fetch_bytes: usize,
    /// Bytes of payload that one Bronze commit gathers at most.
    pub commit_bytes: usize,
    /// Records that one Bronze commit gathers at most.
    pub commit_rows: u64,
    /// How long gathered records wait for more before they are committed.
    pub commit_interval: Duration,
    /// The least time between two Silver commits of a table.
    pub silver_interval: Duration,
    /// Bytes of payload merged before a Silver commit is due whatever the time.
    pub silver_bytes: u64,
    /// A merge with nothing to do ends after this long; it starts again when there is work.
    pub merge_idle: Duration,
    /// When to restart what failed.
    pub restart: RestartPolicy,
}

impl Default for IngestOptions {
    fn default() -> Self {
        Self {
            fetch_bytes: 4 << 20,
            commit_bytes: 32 << 20,
            commit_rows: 65_536,
            commit_interval: Duration::from_millis(500),
            silver_interval: Duration::from_secs(2),
            silver_bytes: 256 << 20,
            merge_idle: Duration::from_secs(20),
            restart: RestartPolicy::default(),
        }
    }
}

/// Shared by every actor of a node.
pub struct Services {
    /// This node.
    pub node: NodeId,
    /// The cluster, for footers.
    pub cluster: ClusterRecord,
    /// Truth.
    pub catalog: Catalog,
    /// Objects.
    pub store: Store,
    /// Kinds of sources.
    pub kinds: Vec<Arc<dyn ConnectorKind>>,
    /// The way to secrets.
    pub secrets: Arc<dyn SecretOpener>,
    /// Byte budgets.
    pub credit: Credit,
    /// Hand-over from shards to merges.
    pub exchange: Exchange,
    /// Compiled packs.
    pub packs: PackCache,
    /// Blocks of the key index, shared by all merges.
    pub blocks: Arc<BlockCache>,
    /// Lists of older files, shared by queries, recovery and sweeps.
    pub manifests: Arc<ManifestCache>,
    /// Tables that are made again from Bronze.
    pub rebuilds: Rebuilds,
    /// What sources may reach from here.
    pub reach: SourceReach,
    /// Limits and rhythms.
    pub options: IngestOptions,
    /// Stop fetching: commit what is gathered, then end.
    pub stop_fetching: CancellationToken,
    /// Stop merging: commit what is merged, then end.
    pub stop_merging: CancellationToken,
    /// Work beside the actors.
    pub work: TaskTracker,
}

impl Services {
    /// The label of a file of this cluster; positions, run and pack are for the caller to add.
    pub fn footer(&self, tenant: TenantId, table: TableId, file: FileId, owner: Owner, epoch: ShardEpoch, span: Span) -> Footer {
        Footer {
            cluster: self.cluster.id,
            incarnation: u64::from(self.cluster.incarnation),
            tenant,
            table,
            file,
            owner,
            epoch,
            span,
            previous: None,
            next: None,
            run: None,
            pack: None,
        }
    }
}

/// Microseconds since 1970 by this machine's clock. Recorded, never decided upon.
pub fn now_us() -> i64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |d| d.as_micros() as i64)
}
