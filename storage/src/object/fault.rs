//! A store that fails on demand, for tests: a seeded share of calls, or all of them while it is away.

use std::fmt;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use futures::StreamExt;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMultipartOptions, PutOptions,
    PutPayload, PutResult, Result,
};
use parking_lot::Mutex;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// Fails a seeded share of calls. Half of the failed puts are done all the same and only their
/// answer is lost, as happens on a network.
#[derive(Debug)]
pub struct FaultStore {
    inner: Arc<dyn ObjectStore>,
    rng: Mutex<StdRng>,
    share: f64,
    away: AtomicBool,
    failed: AtomicU64,
}

impl FaultStore {
    /// Fails `share` (0 to 1) of all calls, the same ones for the same seed and order of calls.
    pub fn new(inner: Arc<dyn ObjectStore>, seed: u64, share: f64) -> Arc<Self> {
        Arc::new(Self {
            inner,
            rng: Mutex::new(StdRng::seed_from_u64(seed)),
            share,
            away: AtomicBool::new(false),
            failed: AtomicU64::new(0),
        })
    }

    /// While away, every call fails.
    pub fn set_away(&self, away: bool) {
        self.away.store(away, Ordering::SeqCst);
    }

    /// Calls failed so far.
    pub fn failures(&self) -> u64 {
        self.failed.load(Ordering::SeqCst)
    }

    fn roll(&self) -> Option<bool> {
        let mut rng = self.rng.lock();
        let (fails, done_first) = (rng.random_bool(self.share), rng.random_bool(0.5));
        let away = self.away.load(Ordering::SeqCst);
        (fails || away).then(|| {
            self.failed.fetch_add(1, Ordering::SeqCst);
            done_first && !away
        })
    }

    fn error() -> Error {
        Error::Generic { store: "fault", source: "injected failure: the store did not answer".into() }
    }

    fn gate(&self) -> Result<()> {
        self.roll().map_or(Ok(()), |_| Err(Self::error()))
    }
}

impl fmt::Display for FaultStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "faulty {}", self.inner)
    }
}

#[async_trait]
impl ObjectStore for FaultStore {
    async fn put_opts(&self, location: &Path, payload: PutPayload, opts: PutOptions) -> Result<PutResult> {
        match self.roll() {
            None => self.inner.put_opts(location, payload, opts).await,
            Some(done_first) => {
                if done_first {
                    self.inner.put_opts(location, payload, opts).await?;
                }
                Err(Self::error())
            }
        }
    }

    async fn put_multipart_opts(&self, location: &Path, opts: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        self.gate()?;
        self.inner.put_multipart_opts(location, opts).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.gate()?;
        self.inner.get_opts(location, options).await
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.gate()?;
        self.inner.get_ranges(location, ranges).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        match self.gate() {
            Ok(()) => self.inner.delete_stream(locations),
            Err(_) => locations.map(|_| Err(Self::error())).boxed(),
        }
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        match self.gate() {
            Ok(()) => self.inner.list(prefix),
            Err(e) => futures::stream::once(async { Err(e) }).boxed(),
        }
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.gate()?;
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.gate()?;
        self.inner.copy_opts(from, to, options).await
    }
}
