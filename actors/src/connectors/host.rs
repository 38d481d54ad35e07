//! What a source may ask of the node that reads it: calls of a quota, and what is known of a stream already.

use std::collections::HashMap;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use async_trait::async_trait;
use futures::TryStreamExt as _;
use lakewright_proto::{ConnectorId, Layer, ShardId, TenantId};
use lakewright_storage::catalog::command::{Command, Reply};
use lakewright_storage::catalog::keyspace::{Quotas, Shards, Tables};
use lakewright_storage::catalog::records::{QuotaAsk, QuotaGrant};
use lakewright_storage::catalog::{Catalog, Read as _};
use lakewright_storage::object::Store;
use lakewright_storage::silver::live_keys;
use lakewright_storage::StorageError;

use super::SourceError;
use crate::services::now_us;

/// Keys of a stream's live rows, with their version.
pub type Known = HashMap<Box<str>, i64>;

/// The node, as a source sees it.
#[async_trait]
pub trait SourceHost: Send + Sync + 'static {
    /// The tenant whose source it is.
    fn tenant(&self) -> TenantId;
    /// Asks for calls of a quota.
    async fn take(&self, ask: QuotaAsk) -> Result<QuotaGrant, SourceError>;
    /// Calls of a quota in the last 24 hours: the tenant's own, and everybody's.
    fn quota_used(&self, name: &str) -> Result<(u64, u64), SourceError>;
    /// Source keys within a key scope that have a live row in a table which this stream alone feeds; more than
    /// `most` are refused. Without a scope: `SCOPE/KEY` of each row that came from this very source.
    async fn known(&self, stream: &str, scope: Option<&str>, most: usize) -> Result<Known, SourceError>;
}

/// The catalog and the store behind it.
pub struct NodeHost {
    /// Whose source it is.
    pub tenant: TenantId,
    /// The connector.
    pub connector: ConnectorId,
    /// Truth.
    pub catalog: Catalog,
    /// Objects.
    pub store: Store,
}

#[async_trait]
impl SourceHost for NodeHost {
    fn tenant(&self) -> TenantId {
        self.tenant
    }

    async fn take(&self, ask: QuotaAsk) -> Result<QuotaGrant, SourceError> {
        let name = ask.name.clone();
        // A charge whose answer is lost is charged again: calls may be lost, never made twice.
        match self.catalog.propose("node", Command::TakeQuota(ask)).await {
            Ok(Reply::Quota(grant)) => Ok(grant),
            Ok(_) => Err(SourceError::Retry { message: format!("the catalog answered for quota {name} with something else"), after: None }),
            Err(e) => {
                let e = lakewright_proto::Error::from(e);
                Err(SourceError::Retry { message: format!("calls of quota {name} could not be charged: {e}"), after: None })
            }
        }
    }

    fn quota_used(&self, name: &str) -> Result<(u64, u64), SourceError> {
        let quota = self.catalog.view().get::<Quotas>(&name.to_owned()).map_err(unread)?.unwrap_or_default();
        let used = lakewright_storage::quota::used(&quota, now_us());
        Ok((used.get(&self.tenant).copied().unwrap_or_default(), used.values().sum()))
    }

    async fn known(&self, stream: &str, scope: Option<&str>, most: usize) -> Result<Known, SourceError> {
        let states = {
            let view = self.catalog.view();
            let mut states = Vec::new();
            for (_, table) in view.scan::<Tables>(&(self.tenant, Layer::Silver)).map_err(unread)? {
                if table.streams == [stream] {
                    for bucket in 0..table.buckets {
                        states.push(view.bucket_state(table.id, bucket).map_err(unread)?);
                    }
                }
            }
            states
        };
        let mut known = Known::new();
        let mut ours: HashMap<i64, bool> = HashMap::new();
        for state in &states {
            let mut rows = live_keys(&self.store, state);
            while let Some(batch) = rows.try_next().await.map_err(unread)? {
                let column = |name: &str| batch.column_by_name(name).ok_or_else(|| missing(name));
                let (scopes, keys) = (column("_key_scope")?.as_string::<i32>(), column("_source_key")?.as_string::<i32>());
                let versions = column("_version")?.as_primitive::<Int64Type>();
                let shards = column("_address_shard")?.as_primitive::<Int64Type>();
                for row in 0..batch.num_rows() {
                    let id: Box<str> = match scope {
                        Some(scope) if scopes.value(row) == scope => keys.value(row).into(),
                        Some(_) => continue,
                        None if self.is_ours(shards.value(row), &mut ours)? => format!("{}/{}", scopes.value(row), keys.value(row)).into(),
                        None => continue,
                    };
                    known.insert(id, versions.value(row));
                }
                if known.len() > most {
                    let message =
                        format!("{stream} has more than {most} known keys: too many to compare with a whole list; raise max_keys");
                    return Err(SourceError::Fatal(message));
                }
            }
        }
        Ok(known)
    }
}

impl NodeHost {
    /// Whether a shard is one of this connector's.
    fn is_ours(&self, shard: i64, known: &mut HashMap<i64, bool>) -> Result<bool, SourceError> {
        if let Some(is_ours) = known.get(&shard) {
            return Ok(*is_ours);
        }
        let record = self.catalog.view().get::<Shards>(&ShardId(shard as u64)).map_err(unread)?;
        let is_ours = record.is_some_and(|s| s.connector_id == self.connector);
        known.insert(shard, is_ours);
        Ok(is_ours)
    }
}

fn missing(column: &str) -> SourceError {
    SourceError::Fatal(format!("a Silver file has no column {column}"))
}

fn unread(e: StorageError) -> SourceError {
    SourceError::Retry { message: format!("what is known could not be read: {e}"), after: None }
}
