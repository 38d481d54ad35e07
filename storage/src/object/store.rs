//! The one handle through which every object is written and read.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use lakewright_proto::Error;
use lakewright_proto::ErrorCode;
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use object_store::{MultipartUpload, ObjectMeta, ObjectStore, ObjectStoreExt, PutMode, PutPayload};

use super::config::{StoreConfig, StoreUrl};
use super::local::DurableLocal;
use super::metered::MeteredStore;
use super::{probe, s3};
use crate::error::{Result, StorageError};

/// An opened object store. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    inner: Arc<dyn ObjectStore>,
    label: Arc<str>,
}

impl Store {
    /// Opens the configured store and proves that it can be relied on: the bucket exists, may be
    /// used, expires nothing of ours, and refuses a second writer of one key.
    pub async fn open(config: &StoreConfig) -> Result<Self> {
        let store = Self::connect(config).await?;
        probe::enforces_if_none_match(&store).await?;
        Ok(store)
    }

    async fn connect(config: &StoreConfig) -> Result<Self> {
        if let Some(fault) = config.check().into_iter().next() {
            return Err(Error::new(ErrorCode::InvalidArgument, format!("object store: {fault}")).into());
        }
        match StoreUrl::parse(&config.url)? {
            StoreUrl::Local(dir) => {
                let opened = tokio::task::spawn_blocking(move || DurableLocal::open(&dir)).await;
                let local = opened.map_err(|e| Error::new(ErrorCode::Internal, format!("opening {}: {e}", config.url)))??;
                Ok(Self::over(Arc::new(local), &config.url))
            }
            StoreUrl::S3 { bucket, prefix } => {
                let s3 = s3::build(config, &bucket)?;
                for warning in s3::check_bucket(config, &s3, &bucket, &prefix).await? {
                    tracing::warn!(bucket, "{warning}");
                }
                Ok(Self::s3_at(s3, &prefix, &config.url))
            }
        }
    }

    /// Opens a store to read other people's objects: no probe, nothing is written.
    pub fn open_source(config: &StoreConfig) -> Result<Self> {
        match StoreUrl::parse(&config.url)? {
            StoreUrl::Local(dir) => Ok(Self::over(Arc::new(object_store::local::LocalFileSystem::new_with_prefix(dir)?), &config.url)),
            StoreUrl::S3 { bucket, prefix } => Ok(Self::s3_at(s3::build(config, &bucket)?, &prefix, &config.url)),
        }
    }

    /// Whether a source's bucket is there and may be listed; the error says what to change.
    pub async fn check_source(config: &StoreConfig) -> Result<()> {
        match StoreUrl::parse(&config.url)? {
            StoreUrl::Local(_) => Ok(()),
            StoreUrl::S3 { bucket, .. } => s3::check_reachable(config, s3::build(config, &bucket)?.as_ref(), &bucket).await,
        }
    }

    fn s3_at(s3: Arc<object_store::aws::AmazonS3>, prefix: &str, label: &str) -> Self {
        if prefix.is_empty() {
            Self::over(s3, label)
        } else {
            Self::over(Arc::new(PrefixStore::new(s3 as Arc<dyn ObjectStore>, prefix)), label)
        }
    }

    /// A handle over any object store (tests put a [`super::FaultStore`] here).
    pub fn over(inner: Arc<dyn ObjectStore>, label: &str) -> Self {
        Self { inner: Arc::new(MeteredStore::new(inner)), label: label.into() }
    }

    /// A local directory, for tools and tests that need no probe.
    pub fn local(dir: &std::path::Path) -> Result<Self> {
        Ok(Self::over(Arc::new(DurableLocal::open(dir)?), &format!("file://{}", dir.display())))
    }

    /// The same store with every key below a prefix: work of its own that keeps to the usual keys.
    pub fn below(&self, prefix: &str) -> Result<Self> {
        let inner = PrefixStore::new(Arc::clone(&self.inner), path(prefix)?);
        Ok(Self { inner: Arc::new(inner), label: format!("{}/{prefix}", self.label).into() })
    }

    /// The store itself, for readers that take an `ObjectStore` (Parquet, DataFusion).
    pub fn inner(&self) -> &Arc<dyn ObjectStore> {
        &self.inner
    }

    /// Puts an object, whole and durable, over what is there.
    pub async fn put(&self, key: &str, bytes: Bytes) -> Result<()> {
        self.inner.put(&path(key)?, bytes.into()).await?;
        Ok(())
    }

    /// Puts an object of several buffers, whole and durable, over what is there.
    pub async fn put_payload(&self, key: &str, payload: PutPayload) -> Result<()> {
        self.inner.put(&path(key)?, payload).await?;
        Ok(())
    }

    /// Puts an object unless the key exists. `false`: it existed (perhaps from an earlier try of
    /// this same put whose answer was lost: compare the bytes where that matters).
    pub async fn put_if_absent(&self, key: &str, bytes: Bytes) -> Result<bool> {
        match self.inner.put_opts(&path(key)?, bytes.into(), PutMode::Create.into()).await {
            Ok(_) => Ok(true),
            Err(object_store::Error::AlreadyExists { .. } | object_store::Error::Precondition { .. }) => Ok(false),
            Err(e) => Err(e.into()),
        }
    }

    /// Starts a put in parts; nothing is visible before it completes.
    pub async fn put_multipart(&self, key: &str) -> Result<Box<dyn MultipartUpload>> {
        Ok(self.inner.put_multipart(&path(key)?).await?)
    }

    /// An object's bytes. Meant for small ones: they are held in memory whole.
    pub async fn get(&self, key: &str) -> Result<Bytes> {
        Ok(self.inner.get(&path(key)?).await?.bytes().await?)
    }

    /// A part of an object.
    pub async fn get_range(&self, key: &str, range: Range<u64>) -> Result<Bytes> {
        Ok(self.inner.get_range(&path(key)?, range).await?)
    }

    /// Several parts of an object.
    pub async fn get_ranges(&self, key: &str, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        Ok(self.inner.get_ranges(&path(key)?, ranges).await?)
    }

    /// An object's size, time and tag.
    pub async fn head(&self, key: &str) -> Result<ObjectMeta> {
        Ok(self.inner.head(&path(key)?).await?)
    }

    /// Deletes an object; one that is gone already counts as deleted.
    pub async fn delete(&self, key: &str) -> Result<()> {
        match self.inner.delete(&path(key)?).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(e) => Err(e.into()),
        }
    }

    /// The objects below a prefix, in no order. The prefix ends at a path segment.
    pub fn list(&self, prefix: &str) -> BoxStream<'static, Result<ObjectMeta>> {
        match path(prefix) {
            Ok(p) => self.inner.list(Some(&p)).map_err(Into::into).boxed(),
            Err(e) => futures::stream::once(async { Err(e) }).boxed(),
        }
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Store({})", self.label)
    }
}

impl fmt::Display for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.label)
    }
}

fn path(key: &str) -> Result<Path> {
    Path::parse(key).map_err(|e| StorageError::ObjectStore(e.into()))
}
