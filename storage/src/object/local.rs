//! A local directory as an object store whose puts survive a power cut: the bytes are written to
//! a staging file, fsynced, moved to their key, and the directory is fsynced.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Write};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path as FsPath, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use futures::FutureExt;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMode, PutMultipartOptions,
    PutOptions, PutPayload, PutResult, Result, UploadPart,
};
use uuid::Uuid;

/// Where unfinished puts live, below the root.
const STAGING: &str = "_lakewright/staging";
/// Unfinished puts older than this belong to a process that died.
const STAGING_AGE: Duration = Duration::from_secs(3600);

/// A local directory with durable, atomic puts.
#[derive(Debug)]
pub struct DurableLocal {
    inner: LocalFileSystem,
    root: Arc<PathBuf>,
}

impl DurableLocal {
    /// Opens the directory, making it if it is missing, and removes what dead processes left unfinished.
    pub fn open(root: &FsPath) -> Result<Self> {
        let staging = root.join(STAGING);
        make_dirs(&staging).map_err(|e| failed("making", &staging, e))?;
        let old = SystemTime::now() - STAGING_AGE;
        for entry in fs::read_dir(&staging).map_err(|e| failed("listing", &staging, e))?.flatten() {
            if entry.metadata().and_then(|m| m.modified()).is_ok_and(|t| t < old) {
                fs::remove_file(entry.path()).map_err(|e| failed("removing", &entry.path(), e))?;
            }
        }
        Ok(Self { inner: LocalFileSystem::new_with_prefix(root)?, root: Arc::new(root.to_owned()) })
    }

    fn stage(root: &FsPath) -> Result<(File, PathBuf)> {
        // Names that end in `#digits` are invisible to listings.
        let path = root.join(STAGING).join(format!("put#{}", Uuid::new_v4().as_u128()));
        let file = File::create_new(&path).map_err(|e| failed("creating", &path, e))?;
        Ok((file, path))
    }
}

impl fmt::Display for DurableLocal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "local directory {}", self.root.display())
    }
}

fn failed(what: &str, path: &FsPath, source: io::Error) -> Error {
    let kind = source.kind();
    let named = io::Error::new(kind, format!("{what} {}: {source}", path.display()));
    match kind {
        io::ErrorKind::NotFound => Error::NotFound { path: path.display().to_string(), source: named.into() },
        io::ErrorKind::AlreadyExists => Error::AlreadyExists { path: path.display().to_string(), source: named.into() },
        io::ErrorKind::PermissionDenied => Error::PermissionDenied { path: path.display().to_string(), source: named.into() },
        _ => Error::Generic { store: "local directory", source: named.into() },
    }
}

fn sync_dir(dir: &FsPath) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

/// Makes a directory and its missing parents; each new name is fsynced in its parent.
fn make_dirs(dir: &FsPath) -> io::Result<()> {
    if dir.is_dir() {
        return Ok(());
    }
    if let Some(parent) = dir.parent() {
        make_dirs(parent)?;
        match fs::create_dir(dir) {
            Err(e) if e.kind() != io::ErrorKind::AlreadyExists => return Err(e),
            _ => sync_dir(parent)?,
        }
    }
    Ok(())
}

/// Moves a written staging file to its key, durably. With `create`, an existing key is an error.
fn publish(file: &File, staged: &FsPath, dest: &FsPath, create: bool) -> Result<PutResult> {
    let done = (|| {
        file.sync_all().map_err(|e| failed("syncing", staged, e))?;
        let parent = dest.parent().unwrap_or(dest);
        make_dirs(parent).map_err(|e| failed("making", parent, e))?;
        if create {
            fs::hard_link(staged, dest).map_err(|e| failed("creating", dest, e))?;
        } else {
            fs::rename(staged, dest).map_err(|e| failed("moving to", dest, e))?;
        }
        sync_dir(parent).map_err(|e| failed("syncing", parent, e))
    })();
    if create || done.is_err() {
        // A leftover is removed at a later start.
        let _ = fs::remove_file(staged);
    }
    done.map(|()| PutResult { e_tag: None, version: None })
}

async fn blocking<T: Send + 'static>(f: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(f).await?
}

#[async_trait]
impl ObjectStore for DurableLocal {
    async fn put_opts(&self, location: &Path, payload: PutPayload, opts: PutOptions) -> Result<PutResult> {
        let create = match opts.mode {
            PutMode::Overwrite => false,
            PutMode::Create => true,
            PutMode::Update(_) => {
                return Err(Error::NotImplemented { operation: "conditional update".to_owned(), implementer: self.to_string() })
            }
        };
        let dest = self.inner.path_to_filesystem(location)?;
        let root = self.root.clone();
        blocking(move || {
            let (mut file, staged) = Self::stage(&root)?;
            for part in payload.iter() {
                if let Err(e) = file.write_all(part) {
                    let _ = fs::remove_file(&staged);
                    return Err(failed("writing", &dest, e));
                }
            }
            publish(&file, &staged, &dest, create)
        })
        .await
    }

    async fn put_multipart_opts(&self, location: &Path, _opts: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        let dest = self.inner.path_to_filesystem(location)?;
        let root = self.root.clone();
        let (file, staged) = blocking(move || Self::stage(&root)).await?;
        Ok(Box::new(LocalUpload { file: Arc::new(file), staged, dest, offset: 0, finished: false }))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.inner.get_opts(location, options).await
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
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
        self.inner.copy_opts(from, to, options).await?;
        let dest = self.inner.path_to_filesystem(to)?;
        blocking(move || {
            let parent = dest.parent().unwrap_or(&dest);
            sync_dir(parent).map_err(|e| failed("syncing", parent, e))
        })
        .await
    }
}

/// A put in parts: nothing is visible before `complete`.
#[derive(Debug)]
struct LocalUpload {
    file: Arc<File>,
    staged: PathBuf,
    dest: PathBuf,
    offset: u64,
    finished: bool,
}

#[async_trait]
impl MultipartUpload for LocalUpload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        let (file, dest, mut at) = (self.file.clone(), self.dest.clone(), self.offset);
        self.offset += data.content_length() as u64;
        blocking(move || {
            for part in data.iter() {
                file.write_all_at(part, at).map_err(|e| failed("writing", &dest, e))?;
                at += part.len() as u64;
            }
            Ok(())
        })
        .boxed()
    }

    async fn complete(&mut self) -> Result<PutResult> {
        self.finished = true;
        let (file, staged, dest) = (self.file.clone(), self.staged.clone(), self.dest.clone());
        blocking(move || publish(&file, &staged, &dest, false)).await
    }

    async fn abort(&mut self) -> Result<()> {
        self.finished = true;
        let staged = self.staged.clone();
        blocking(move || fs::remove_file(&staged).map_err(|e| failed("removing", &staged, e))).await
    }
}

impl Drop for LocalUpload {
    fn drop(&mut self) {
        if !self.finished {
            let _ = fs::remove_file(&self.staged);
        }
    }
}
