//! The cluster marker: whose store this is. Made once with If-None-Match; a foreign one stops the node.

use bytes::Bytes;
use lakewright_proto::{ClusterId, Error, ErrorCode};
use serde::{Deserialize, Serialize};

use super::Store;
use crate::error::{Result, StorageError};
use crate::paths;

/// The layout of objects that this build reads and writes.
pub const STORE_FORMAT: u32 = 1;

/// What stands at `_lakewright/cluster.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClusterMarker {
    /// The cluster that owns the store.
    pub cluster_id: ClusterId,
    /// Raised by each restore.
    pub incarnation: u64,
    /// [`STORE_FORMAT`] of the writer.
    pub format: u32,
}

impl ClusterMarker {
    /// A marker of this build's format.
    pub fn new(cluster_id: ClusterId, incarnation: u64) -> Self {
        Self { cluster_id, incarnation, format: STORE_FORMAT }
    }

    /// The bytes as stored.
    pub fn encode(&self) -> Result<Bytes> {
        let text = serde_json::to_vec_pretty(self).map_err(|e| StorageError::corrupt(paths::CLUSTER_MARKER, e.to_string()))?;
        Ok(text.into())
    }

    /// Reads stored bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let m: Self = serde_json::from_slice(bytes).map_err(|e| StorageError::corrupt(paths::CLUSTER_MARKER, e.to_string()))?;
        if m.format > STORE_FORMAT {
            return Err(Error::new(
                ErrorCode::InvalidArgument,
                format!("the store has format {}, this build knows up to {STORE_FORMAT}: start a newer build", m.format),
            )
            .into());
        }
        Ok(m)
    }

    /// The store's marker, if it has one.
    pub async fn read(store: &Store) -> Result<Option<Self>> {
        match store.get(paths::CLUSTER_MARKER).await {
            Ok(bytes) => Self::decode(&bytes).map(Some),
            Err(e) if e.code() == ErrorCode::NotFound => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// Makes the marker if the store has none. Another cluster's or incarnation's marker is an error.
    pub async fn claim(store: &Store, mine: &Self) -> Result<()> {
        store.put_if_absent(paths::CLUSTER_MARKER, mine.encode()?).await?;
        // Read back in either case: the answer to the put may have been lost.
        let found = Self::read(store).await?.ok_or_else(|| {
            StorageError::corrupt(paths::CLUSTER_MARKER, "it vanished while the node started; does something delete this store's objects?")
        })?;
        if found.cluster_id != mine.cluster_id {
            return Err(Error::new(
                ErrorCode::PermissionDenied,
                format!(
                    "{store} belongs to cluster {}, this is cluster {}: give this cluster a directory or prefix of its own",
                    found.cluster_id, mine.cluster_id
                ),
            )
            .into());
        }
        if found.incarnation != mine.incarnation {
            return Err(Error::new(
                ErrorCode::Fenced,
                format!(
                    "{store} is at incarnation {} of cluster {}, this node is at {}: {}",
                    found.incarnation,
                    found.cluster_id,
                    mine.incarnation,
                    if found.incarnation > mine.incarnation {
                        "the cluster was restored elsewhere; stop this node and replace its data directory"
                    } else {
                        "raise the marker as part of the restore before starting"
                    }
                ),
            )
            .into());
        }
        Ok(())
    }

    /// Replaces the marker with a higher incarnation, as part of a restore. Never lowers it.
    pub async fn raise(store: &Store, to: &Self) -> Result<()> {
        if let Some(found) = Self::read(store).await? {
            if found.cluster_id != to.cluster_id || found.incarnation > to.incarnation {
                return Err(Error::new(
                    ErrorCode::Conflict,
                    format!(
                        "{store} is at incarnation {} of cluster {}; it cannot become incarnation {} of cluster {}",
                        found.incarnation, found.cluster_id, to.incarnation, to.cluster_id
                    ),
                )
                .into());
            }
        }
        store.put(paths::CLUSTER_MARKER, to.encode()?).await
    }
}
