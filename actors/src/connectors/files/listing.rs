//! What files there are: names, sizes, times and identities, from a directory or a prefix.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use futures::TryStreamExt;
use lakewright_storage::object::{Store, StoreConfig, StoreUrl};
use regex::Regex;
use tokio::runtime::Handle;

use super::config::FilesConfig;
use super::glob;
use crate::connectors::SourceError;

/// A file as listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Path relative to the root, with `/`.
    pub name: String,
    /// Bytes.
    pub size: u64,
    /// What orders it, microseconds since 1970: change time (local) or last-modified time (S3).
    pub time: i64,
    /// Modification time, microseconds since 1970.
    pub modified: i64,
    /// Inode (local) or ETag (S3).
    pub id: String,
}

/// Where the files are.
#[derive(Clone)]
pub enum Root {
    /// A directory, or one file.
    Local(PathBuf),
    /// An object store, used from blocking threads.
    Remote(Store, Handle),
}

/// A root and the files in it that are meant.
#[derive(Clone)]
pub struct Listing {
    /// Where.
    pub root: Root,
    pattern: Regex,
    /// Where to ask why a listing failed.
    settings: Option<StoreConfig>,
}

/// Microseconds since 1970 by the local clock.
pub fn now_micros() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| i64::try_from(d.as_micros()).unwrap_or(i64::MAX))
}

fn micros(seconds: i64, nanos: i64) -> i64 {
    seconds.saturating_mul(1_000_000).saturating_add(nanos / 1000)
}

/// A local file's listing entry from its metadata.
pub fn found(name: String, m: &fs::Metadata) -> Found {
    let modified = micros(m.mtime(), m.mtime_nsec());
    Found { name, size: m.len(), time: micros(m.ctime(), m.ctime_nsec()), modified, id: format!("{:x}", m.ino()) }
}

/// The whole path: a relative one is seen from the node's directory, not from where a person reads of it.
fn full(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

impl Listing {
    /// Opens the root. Call it within a runtime.
    pub fn open(config: &FilesConfig) -> Result<Self, SourceError> {
        let fatal = |e: String| SourceError::Fatal(e);
        let root = match StoreUrl::parse(&config.url).map_err(|e| fatal(e.message))? {
            StoreUrl::Local(dir) => Root::Local(dir),
            StoreUrl::S3 { .. } => {
                let store = Store::open_source(&config.store()).map_err(|e| fatal(format!("{}: {e}", config.url)))?;
                Root::Remote(store, Handle::current())
            }
        };
        Ok(Self { settings: Some(config.store()), ..Self::over(root, config)? })
    }

    /// A listing over a root that is already open.
    pub fn over(root: Root, config: &FilesConfig) -> Result<Self, SourceError> {
        Ok(Self { root, pattern: glob::compile(&config.file_pattern()).map_err(SourceError::Fatal)?, settings: None })
    }

    /// How long after a file's time another one may still appear with the same or an earlier time,
    /// in microseconds: the granularity of the kernel's clock, or a server's whole seconds.
    pub fn margin(&self) -> i64 {
        match self.root {
            Root::Local(_) => 20_000,
            Root::Remote(..) => 2_000_000,
        }
    }

    /// All files, in no order. Blocks.
    pub fn list(&self) -> Result<Vec<Found>, SourceError> {
        match &self.root {
            Root::Local(root) => self.list_local(root),
            Root::Remote(store, handle) => self.list_remote(store, handle),
        }
    }

    fn list_local(&self, root: &Path) -> Result<Vec<Found>, SourceError> {
        let retry = |what: &Path, e: &io::Error| {
            let why = match e.kind() {
                io::ErrorKind::NotFound => "does not exist (any more): mount it or correct url".to_owned(),
                io::ErrorKind::PermissionDenied => "may not be read by this process: change its permissions".to_owned(),
                _ => format!("cannot be read: {e}"),
            };
            SourceError::Retry {
                message: format!("{} {why}; reading goes on from the same position when it is back", full(what).display()),
                after: None,
            }
        };
        let top = fs::metadata(root).map_err(|e| retry(root, &e))?;
        let mut out = Vec::new();
        if top.is_file() {
            if let Some(name) = root.file_name().and_then(|n| n.to_str()) {
                out.push(found(name.to_owned(), &top));
            }
            return Ok(out);
        }
        let mut dirs = vec![(root.to_owned(), String::new())];
        while let Some((dir, prefix)) = dirs.pop() {
            let entries = match fs::read_dir(&dir) {
                Ok(e) => e,
                // A directory below the root may go while we look; the root may not.
                Err(e) if e.kind() == io::ErrorKind::NotFound && dir != root => continue,
                Err(e) => return Err(retry(&dir, &e)),
            };
            for entry in entries {
                let entry = entry.map_err(|e| retry(&dir, &e))?;
                let file_name = entry.file_name();
                let Some(name) = file_name.to_str() else {
                    tracing::warn!(path = %entry.path().display(), "skipped: its name is not UTF-8");
                    continue;
                };
                // Hidden files are other programs' unfinished work.
                if name.starts_with('.') {
                    continue;
                }
                let path = format!("{prefix}{name}");
                match entry.file_type() {
                    Ok(t) if t.is_dir() => dirs.push((entry.path(), format!("{path}/"))),
                    Ok(_) if self.pattern.is_match(&path) => match fs::metadata(entry.path()) {
                        Ok(m) if m.is_file() => out.push(found(path, &m)),
                        _ => {}
                    },
                    _ => {}
                }
            }
        }
        Ok(out)
    }

    fn list_remote(&self, store: &Store, handle: &Handle) -> Result<Vec<Found>, SourceError> {
        let listed = handle.block_on(store.list("").try_fold(Vec::new(), |mut out, m| async move {
            out.push(m);
            Ok(out)
        }));
        let listed = listed.map_err(|e| {
            // The bucket's own check knows what to say to a person.
            let clear = self.settings.as_ref().and_then(|s| handle.block_on(Store::check_source(s)).err());
            let said = clear.map_or_else(|| format!("{store} cannot be listed: {e}"), |c| c.to_string());
            SourceError::Retry { message: said, after: None }
        })?;
        let meant = listed.into_iter().filter(|m| self.pattern.is_match(m.location.as_ref()));
        Ok(meant
            .map(|m| {
                let time = m.last_modified.timestamp_micros();
                // Without an ETag the time must do.
                let id = m.e_tag.unwrap_or_default();
                Found { name: m.location.to_string(), size: m.size, time, modified: time, id }
            })
            .collect())
    }
}
