//! Does the store refuse the second writer of one key? Commits of the cluster marker rest on it.

use lakewright_proto::{Error, ErrorCode};
use uuid::Uuid;

use super::Store;
use crate::error::Result;
use crate::paths;

/// Puts a probe key twice under If-None-Match: the second put must be refused.
pub async fn enforces_if_none_match(store: &Store) -> Result<()> {
    let key = paths::probe(Uuid::new_v4());
    // A lost answer makes the first put look refused; the second decides.
    store.put_if_absent(&key, b"first".as_slice().into()).await?;
    let second = store.put_if_absent(&key, b"second".as_slice().into()).await;
    let deleted = store.delete(&key).await;
    if second? {
        return Err(Error::new(
            ErrorCode::InvalidArgument,
            format!(
                "{store} does not enforce If-None-Match: it let two writers create the same key, so two clusters could overwrite \
                 each other. Use a store that does (AWS S3, SeaweedFS 3.7 or later, a local directory)"
            ),
        )
        .into());
    }
    deleted
}
