//! Where the scan learns which rows of a file are deleted, with a bounded cache.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use async_trait::async_trait;
use parking_lot::Mutex;
use roaring::RoaringTreemap;

use crate::error::{Result, StorageError};
use crate::table::DeletionVectorRef;

/// Reads deletion vectors.
#[async_trait]
pub trait DeletedRows: Send + Sync + 'static {
    /// The row numbers that the vector deletes from its data file.
    async fn deleted(&self, vector: &DeletionVectorRef) -> Result<Arc<RoaringTreemap>>;
}

/// Keeps vectors that were read, up to a number of bytes; the oldest go first. Vectors are
/// immutable, so an entry is never wrong.
pub struct CachedDeletes {
    inner: Arc<dyn DeletedRows>,
    capacity: usize,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    bytes: usize,
    vectors: HashMap<(String, u64), (Arc<RoaringTreemap>, usize)>,
    order: VecDeque<(String, u64)>,
}

impl CachedDeletes {
    /// A cache of `capacity` bytes before `inner`.
    pub fn new(inner: Arc<dyn DeletedRows>, capacity: usize) -> Self {
        Self { inner, capacity, kept: Mutex::default() }
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        self.kept.lock().bytes
    }
}

#[async_trait]
impl DeletedRows for CachedDeletes {
    async fn deleted(&self, vector: &DeletionVectorRef) -> Result<Arc<RoaringTreemap>> {
        let key = (vector.path.clone(), vector.offset);
        if let Some((rows, _)) = self.kept.lock().vectors.get(&key) {
            return Ok(rows.clone());
        }
        let rows = self.inner.deleted(vector).await?;
        if rows.len() != vector.cardinality {
            let why = format!("it deletes {} rows, and the catalog says {}", rows.len(), vector.cardinality);
            return Err(StorageError::corrupt(&vector.path, why));
        }
        let size = rows.serialized_size() + 256;
        let mut kept = self.kept.lock();
        if size <= self.capacity && !kept.vectors.contains_key(&key) {
            kept.bytes += size;
            kept.vectors.insert(key.clone(), (rows.clone(), size));
            kept.order.push_back(key);
            while kept.bytes > self.capacity {
                let Some(oldest) = kept.order.pop_front() else { break };
                if let Some((_, size)) = kept.vectors.remove(&oldest) {
                    kept.bytes -= size;
                }
            }
        }
        Ok(rows)
    }
}
