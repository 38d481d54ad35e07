//! Which keys a bucket holds: of each live row the key scope, the source key, the version and the shard.

use arrow_array::RecordBatch;
use futures::stream::BoxStream;
use futures::{StreamExt as _, TryStreamExt as _};
use roaring::RoaringTreemap;

use super::read::live_rows;
use crate::deletion_vector;
use crate::error::Result;
use crate::object::Store;
use crate::table::BucketState;

const COLUMNS: [&str; 4] = ["_key_scope", "_source_key", "_version", "_address_shard"];

/// Batches with the columns `_key_scope`, `_source_key`, `_version` and `_address_shard`, file by file.
pub fn live_keys<'a>(store: &'a Store, state: &'a BucketState) -> BoxStream<'a, Result<RecordBatch>> {
    let of_file = move |file: &'a crate::table::DataFile| async move {
        let deleted = match state.deletion_vectors.iter().find(|v| v.data_file == file.id) {
            Some(v) => deletion_vector::read(store, v).await?,
            None => RoaringTreemap::new(),
        };
        live_rows(store, file, &deleted, Some(&COLUMNS)).await
    };
    futures::stream::iter(&state.files).then(of_file).try_flatten().boxed()
}
