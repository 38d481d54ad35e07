//! Rows deleted from a data file: Iceberg `deletion-vector-v1` blobs in Puffin files, so that
//! tables can be published to other engines by metadata alone.

mod puffin;

use std::sync::Arc;

use lakewright_proto::FileId;
use roaring::RoaringTreemap;

use crate::error::{Result, StorageError};
use crate::object::Store;
use crate::table::DeletionVectorRef;

pub use puffin::{decode_blob, encode_file, Encoded};

/// Writes the vector of a data file as a new object.
pub async fn write(
    store: &Store,
    path: String,
    data_file: FileId,
    data_path: &str,
    version: u32,
    rows: &RoaringTreemap,
) -> Result<DeletionVectorRef> {
    let encoded = encode_file(rows, data_path)?;
    let size = encoded.bytes.len() as u64;
    store.put(&path, encoded.bytes.into()).await?;
    Ok(DeletionVectorRef { data_file, version, path, size, offset: encoded.offset, length: encoded.length, cardinality: rows.len() })
}

/// Reads a vector.
pub async fn read(store: &Store, vector: &DeletionVectorRef) -> Result<RoaringTreemap> {
    let bytes = store.get_range(&vector.path, vector.offset..vector.offset + vector.length).await?;
    let rows = decode_blob(&vector.path, &bytes)?;
    if rows.len() != vector.cardinality {
        let why = format!("it deletes {} rows, and the catalog says {}", rows.len(), vector.cardinality);
        return Err(StorageError::corrupt(&vector.path, why));
    }
    Ok(rows)
}

/// Reads deletion vectors for queries.
pub struct StoredDeletes(pub Store);

#[async_trait::async_trait]
impl crate::query::DeletedRows for StoredDeletes {
    async fn deleted(&self, vector: &DeletionVectorRef) -> Result<Arc<RoaringTreemap>> {
        read(&self.0, vector).await.map(Arc::new)
    }
}

#[cfg(test)]
mod tests;
