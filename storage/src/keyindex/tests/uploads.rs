//! Objects that the index writes and asks for: none that nobody needs, and no half of one.

use std::fmt;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use futures::FutureExt;
use object_store::path::Path;
use object_store::*;

use super::*;

/// Counts requests, and fails uploads at a part or at their end.
#[derive(Debug, Default)]
struct Counting {
    inner: InMemory,
    ranges: AtomicUsize,
    puts: AtomicUsize,
    aborts: Arc<AtomicUsize>,
    /// Parts that succeed; after them the next request of the upload fails.
    parts: Option<usize>,
}

impl fmt::Display for Counting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "counting")
    }
}

#[async_trait]
impl ObjectStore for Counting {
    async fn put_opts(&self, location: &Path, payload: PutPayload, opts: PutOptions) -> Result<PutResult> {
        self.puts.fetch_add(1, Ordering::SeqCst);
        self.inner.put_opts(location, payload, opts).await
    }
    async fn put_multipart_opts(&self, location: &Path, opts: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        let inner = self.inner.put_multipart_opts(location, opts).await?;
        Ok(Box::new(Failing { inner, left: self.parts, aborts: Arc::clone(&self.aborts) }))
    }
    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.inner.get_opts(location, options).await
    }
    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.ranges.fetch_add(1, Ordering::SeqCst);
        self.inner.get_ranges(location, ranges).await
    }
    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(locations)
    }
    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }
    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }
    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}

#[derive(Debug)]
struct Failing {
    inner: Box<dyn MultipartUpload>,
    left: Option<usize>,
    aborts: Arc<AtomicUsize>,
}

impl Failing {
    fn fails(&mut self) -> Option<Error> {
        match &mut self.left {
            Some(0) => Some(Error::Generic { store: "counting", source: "the store did not answer".into() }),
            Some(n) => {
                *n -= 1;
                None
            }
            None => None,
        }
    }
}

#[async_trait]
impl MultipartUpload for Failing {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        match self.fails() {
            Some(e) => async move { Err(e) }.boxed(),
            None => self.inner.put_part(data),
        }
    }
    async fn complete(&mut self) -> Result<PutResult> {
        match self.fails() {
            Some(e) => Err(e),
            None => self.inner.complete().await,
        }
    }
    async fn abort(&mut self) -> Result<()> {
        self.aborts.fetch_add(1, Ordering::SeqCst);
        self.inner.abort().await
    }
}

fn over(counting: Counting) -> (Lake, Arc<Counting>) {
    let counting = Arc::new(counting);
    (Lake { store: Store::over(counting.clone(), "counting"), ..Lake::new() }, counting)
}

#[tokio::test]
async fn cached_blocks_cost_no_request() {
    let (mut lake, counting) = over(Counting::default());
    let run = lake.run(&[entry(1, 1)]).await;
    assert_eq!(lake.found(std::slice::from_ref(&run), &[1]).await, [entry(1, 1)]);
    let asked = counting.ranges.load(Ordering::SeqCst);
    assert_eq!(lake.found(&[run], &[1]).await, [entry(1, 1)]);
    assert_eq!(counting.ranges.load(Ordering::SeqCst), asked);
}

#[tokio::test]
async fn entries_merged_with_older_runs_are_written_once() {
    let (mut lake, counting) = over(Counting::default());
    let old = lake.run(&[entry(1, 1), entry(2, 1)]).await;
    let before = counting.puts.load(Ordering::SeqCst);
    let readers = lake.index(&[old]).await.runs().to_vec();
    let writer = lake.writer(3);
    let merged = merge_runs(vec![entry(2, 2), entry(3, 1)], &readers, writer).await.unwrap();
    assert_eq!(counting.puts.load(Ordering::SeqCst), before + 1);
    assert_eq!(lake.found(&[merged], &[1, 2, 3]).await, [entry(1, 1), entry(2, 2), entry(3, 1)]);
}

#[tokio::test]
async fn a_failed_upload_is_taken_back_and_shows_nothing() {
    // Two parts of 8 MiB and a rest: the first, a middle one, the last, and the end fail in turn.
    for parts in 0..4 {
        let (mut lake, counting) = over(Counting { parts: Some(parts), ..Counting::default() });
        let mut writer = lake.writer(200_000);
        let mut failed = false;
        for n in 0..200_000 {
            if writer.add(&entry(n, 1)).await.is_err() {
                failed = true;
                break;
            }
        }
        if failed {
            // What would be written now would lack its beginning.
            assert!(writer.finish().await.is_err());
        } else {
            assert!(writer.finish().await.is_err(), "{parts} parts");
        }
        assert_eq!(counting.aborts.load(Ordering::SeqCst), 1, "{parts} parts");
        assert!(lake.store.head(&format!("index/{}.run", FileId(Uuid::from_u128(1)))).await.is_err());
    }
}
