//! One file's bytes, from disk or from an object store, read from blocking threads; and what its
//! failures mean.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use bytes::Bytes;
use lakewright_storage::object::Store;
use object_store::path::Path;
use object_store::{GetOptions, ObjectStore};
use parquet::errors::{ParquetError, Result as ParquetResult};
use parquet::file::reader::{ChunkReader, Length};
use tokio::runtime::Handle;
use xxhash_rust::xxh3::xxh3_64;

use super::listing::{found, Found, Root};
use super::position::PRINT_BYTES;

/// Bytes fetched from an object store in one request.
const FETCH: usize = 4 << 20;

/// Why a file cannot be read on.
#[derive(Debug)]
pub enum FileFault {
    /// It is gone.
    Gone,
    /// It is another version now: look at it anew.
    Changed,
    /// Perhaps later: nothing is known to be wrong with the file.
    Later(String),
    /// It is bad, until it changes: the notice's word, and what was found.
    Bad(&'static str, String),
}

/// Marks failures of the disk or network among those of decoders.
#[derive(Debug)]
struct Raw(io::Error);

impl std::fmt::Display for Raw {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Raw {}

fn raw(e: io::Error) -> io::Error {
    io::Error::other(Raw(e))
}

fn raw_fault(e: &io::Error) -> FileFault {
    match e.kind() {
        io::ErrorKind::NotFound => FileFault::Gone,
        io::ErrorKind::StaleNetworkFileHandle => FileFault::Changed,
        io::ErrorKind::PermissionDenied => FileFault::Bad("file_unreadable", format!("may not be read: {e}")),
        _ => FileFault::Later(e.to_string()),
    }
}

impl FileFault {
    /// The meaning of a failure while reading through decoders.
    pub fn of(e: &io::Error) -> Self {
        match e.get_ref().and_then(|inner| inner.downcast_ref::<Raw>()) {
            Some(Raw(inner)) => raw_fault(inner),
            None => Self::Bad(
                "bad_compression",
                if e.kind() == io::ErrorKind::UnexpectedEof { "it is cut short".to_owned() } else { e.to_string() },
            ),
        }
    }

    /// The meaning of a failure of the Parquet reader.
    pub fn of_parquet(e: &ParquetError) -> Self {
        if let ParquetError::External(inner) = e {
            if let Some(io) = inner.downcast_ref::<io::Error>() {
                if io.get_ref().is_some_and(|i| i.is::<Raw>()) {
                    return Self::of(io);
                }
            }
        }
        Self::Bad("bad_parquet", e.to_string())
    }
}

#[derive(Clone)]
enum Inner {
    Local(Arc<File>),
    Remote(Store, Handle, Path, Option<String>),
}

/// One version of one file.
#[derive(Clone)]
pub struct SourceFile {
    inner: Inner,
    /// Bytes when it was opened; later growth is another version.
    pub size: u64,
}

impl SourceFile {
    /// Opens a file, and tells what it is now (it may have changed since it was listed).
    pub fn open(root: &Root, listed: &Found) -> Result<(Self, Found), FileFault> {
        match root {
            Root::Local(dir) => {
                let path = if dir.is_file() { dir.clone() } else { dir.join(&listed.name) };
                let open = || {
                    let file = File::open(&path)?;
                    let now = found(listed.name.clone(), &file.metadata()?);
                    Ok((file, now))
                };
                let (file, now) = open().map_err(|e: io::Error| raw_fault(&e))?;
                Ok((Self { inner: Inner::Local(Arc::new(file)), size: now.size }, now))
            }
            Root::Remote(store, handle) => {
                let path = Path::parse(&listed.name).map_err(|e| FileFault::Bad("file_unreadable", e.to_string()))?;
                let tag = (!listed.id.is_empty()).then(|| listed.id.clone());
                Ok((Self { inner: Inner::Remote(store.clone(), handle.clone(), path, tag), size: listed.size }, listed.clone()))
            }
        }
    }

    /// Whether the file is another one than `then` by now (an object's ETag is checked at each read).
    pub fn changed(&self, then: &Found) -> bool {
        match &self.inner {
            Inner::Local(file) => file.metadata().map_or(true, |m| {
                let now = found(String::new(), &m);
                (now.size, now.modified) != (then.size, then.modified)
            }),
            Inner::Remote(..) => false,
        }
    }

    /// Up to `len` bytes at `at`, fewer only at the file's end.
    pub fn read_at(&self, at: u64, len: usize) -> io::Result<Bytes> {
        let len = len.min(usize::try_from(self.size.saturating_sub(at)).unwrap_or(usize::MAX));
        if len == 0 {
            return Ok(Bytes::new());
        }
        match &self.inner {
            Inner::Local(file) => {
                let mut buf = vec![0; len];
                let mut n = 0;
                while n < len {
                    match file.read_at(&mut buf[n..], at + n as u64) {
                        // Cut while we read: its new version is for the next look.
                        Ok(0) => break,
                        Ok(k) => n += k,
                        Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                        Err(e) => return Err(raw(e)),
                    }
                }
                buf.truncate(n);
                Ok(buf.into())
            }
            Inner::Remote(store, handle, path, tag) => {
                let options = GetOptions { range: Some((at..at + len as u64).into()), if_match: tag.clone(), ..GetOptions::default() };
                let got = handle.block_on(async { store.inner().get_opts(path, options).await?.bytes().await });
                got.map_err(|e| {
                    raw(match &e {
                        object_store::Error::Precondition { .. } => io::Error::new(io::ErrorKind::StaleNetworkFileHandle, e),
                        object_store::Error::NotFound { .. } => io::Error::new(io::ErrorKind::NotFound, e),
                        object_store::Error::PermissionDenied { .. } => io::Error::new(io::ErrorKind::PermissionDenied, e),
                        _ => io::Error::other(e),
                    })
                })
            }
        }
    }

    /// Fingerprints of the first and of the last 4 KiB before `end`.
    pub fn prints(&self, end: u64) -> io::Result<(u64, u64)> {
        let n = end.min(PRINT_BYTES);
        let print = |at: u64| self.read_at(at, usize::try_from(n).unwrap_or(0)).map(|b| xxh3_64(&b));
        let head = print(0)?;
        Ok((head, if end <= PRINT_BYTES { head } else { print(end - n)? }))
    }

    /// A reader of the bytes from `at` to the end of this version.
    pub fn reader(&self, at: u64) -> SourceReader {
        SourceReader { file: self.clone(), at, ready: Bytes::new() }
    }

    fn fetch_bytes(&self) -> usize {
        match self.inner {
            Inner::Local(_) => 256 << 10,
            Inner::Remote(..) => FETCH,
        }
    }
}

/// Reads a file from a point on.
pub struct SourceReader {
    file: SourceFile,
    at: u64,
    ready: Bytes,
}

impl Read for SourceReader {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.ready.is_empty() {
            if let Inner::Local(f) = &self.file.inner {
                // Straight into the caller's buffer.
                let left = usize::try_from(self.file.size.saturating_sub(self.at)).unwrap_or(usize::MAX);
                let n = out.len().min(left);
                let n = f.read_at(&mut out[..n], self.at).map_err(raw)?;
                self.at += n as u64;
                return Ok(n);
            }
            self.ready = self.file.read_at(self.at, self.file.fetch_bytes())?;
            self.at += self.ready.len() as u64;
        }
        let n = out.len().min(self.ready.len());
        out[..n].copy_from_slice(&self.ready.split_to(n));
        Ok(n)
    }
}

impl Length for SourceFile {
    fn len(&self) -> u64 {
        self.size
    }
}

impl ChunkReader for SourceFile {
    type T = BufReader<SourceReader>;

    fn get_read(&self, start: u64) -> ParquetResult<Self::T> {
        Ok(BufReader::new(self.reader(start)))
    }

    fn get_bytes(&self, start: u64, length: usize) -> ParquetResult<Bytes> {
        let bytes = self.read_at(start, length).map_err(|e| ParquetError::External(Box::new(e)))?;
        if bytes.len() < length {
            return Err(ParquetError::EOF(format!("{length} bytes expected at {start}, {} found", bytes.len())));
        }
        Ok(bytes)
    }
}
