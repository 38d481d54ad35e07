//! Calls, bytes and latency of every object-store operation, as metrics.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMultipartOptions, PutOptions, PutPayload,
    PutResult, Result, UploadPart,
};

/// Counts what passes through to the store beneath.
#[derive(Debug)]
pub struct MeteredStore {
    inner: Arc<dyn ObjectStore>,
}

impl MeteredStore {
    /// Wraps a store.
    pub fn new(inner: Arc<dyn ObjectStore>) -> Self {
        Self { inner }
    }
}

impl fmt::Display for MeteredStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

fn record<T>(op: &'static str, start: Instant, result: &Result<T>, bytes: impl FnOnce(&T) -> u64) {
    let outcome = match result {
        Ok(v) => {
            let n = bytes(v);
            if n > 0 {
                metrics::counter!("lakewright_object_store_bytes_total", "op" => op).increment(n);
            }
            "ok"
        }
        Err(object_store::Error::NotFound { .. }) => "not_found",
        Err(object_store::Error::AlreadyExists { .. } | object_store::Error::Precondition { .. }) => "condition",
        Err(_) => "error",
    };
    metrics::counter!("lakewright_object_store_calls_total", "op" => op, "outcome" => outcome).increment(1);
    metrics::histogram!("lakewright_object_store_seconds", "op" => op).record(start.elapsed().as_secs_f64());
}

#[async_trait]
impl ObjectStore for MeteredStore {
    async fn put_opts(&self, location: &Path, payload: PutPayload, opts: PutOptions) -> Result<PutResult> {
        let (start, n) = (Instant::now(), payload.content_length() as u64);
        let r = self.inner.put_opts(location, payload, opts).await;
        record("put", start, &r, |_| n);
        r
    }

    async fn put_multipart_opts(&self, location: &Path, opts: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        let start = Instant::now();
        let r = self.inner.put_multipart_opts(location, opts).await;
        record("put_multipart", start, &r, |_| 0);
        r.map(|inner| Box::new(MeteredUpload { inner }) as Box<dyn MultipartUpload>)
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let start = Instant::now();
        let op = if options.head { "head" } else { "get" };
        let r = self.inner.get_opts(location, options).await;
        record(op, start, &r, |g| if op == "get" { g.range.end - g.range.start } else { 0 });
        r
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        let start = Instant::now();
        let r = self.inner.get_ranges(location, ranges).await;
        record("get_ranges", start, &r, |parts| parts.iter().map(|b| b.len() as u64).sum());
        r
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        metrics::counter!("lakewright_object_store_calls_total", "op" => "delete", "outcome" => "sent").increment(1);
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        metrics::counter!("lakewright_object_store_calls_total", "op" => "list", "outcome" => "sent").increment(1);
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        let start = Instant::now();
        let r = self.inner.list_with_delimiter(prefix).await;
        record("list", start, &r, |_| 0);
        r
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        let start = Instant::now();
        let r = self.inner.copy_opts(from, to, options).await;
        record("copy", start, &r, |()| 0);
        r
    }
}

#[derive(Debug)]
struct MeteredUpload {
    inner: Box<dyn MultipartUpload>,
}

#[async_trait]
impl MultipartUpload for MeteredUpload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        let (start, n) = (Instant::now(), data.content_length() as u64);
        let part = self.inner.put_part(data);
        Box::pin(async move {
            let r = part.await;
            record("put_part", start, &r, |()| n);
            r
        })
    }

    async fn complete(&mut self) -> Result<PutResult> {
        let start = Instant::now();
        let r = self.inner.complete().await;
        record("put_complete", start, &r, |_| 0);
        r
    }

    async fn abort(&mut self) -> Result<()> {
        self.inner.abort().await
    }
}
