//! Opening and closing the state on disk. sled's flush is no fsync, so the state is trusted only
//! after a clean stop: a marker with the last log id and a checksum of every pair.

use std::fs;
use std::io::Write as _;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::path::Path;

use super::store::{sled_error, APPLIED_KEY};
use crate::error::{Result, StorageError};

const CLEAN_MARKER: &str = "CLEAN";
const MARKER_TEXT: &str = "lakewright catalog state 1";

/// Opens the state; an untrusted one is set aside and an empty one made in its place.
pub(super) fn open(dir: &Path, cache_bytes: u64) -> Result<(sled::Db, sled::Tree, bool)> {
    let io = |what: &str, e| StorageError::io(format!("{what} {}", dir.display()), e);
    fs::create_dir_all(dir).map_err(|e| io("creating", e))?;
    let marker = dir.join(CLEAN_MARKER);
    let state = dir.join("state");
    let expected = match fs::read(&marker) {
        Ok(text) => {
            fs::remove_file(&marker).map_err(|e| io("removing the clean marker in", e))?;
            sync_dir(dir)?;
            Some(text)
        }
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => None,
        Err(e) => return Err(io("reading the clean marker in", e)),
    };
    if let Some(expected) = expected {
        match open_checked(&state, cache_bytes, &expected) {
            Ok((db, tree)) => return Ok((db, tree, true)),
            Err(e) => tracing::warn!(error = %e, "the catalog state cannot be trusted; it will be rebuilt from snapshot and log"),
        }
    }
    if state.exists() {
        quarantine(&state)?;
    }
    let (db, tree) = guarded(|| open_sled(&state, cache_bytes))?;
    Ok((db, tree, false))
}

fn open_checked(state: &Path, cache_bytes: u64, expected: &[u8]) -> Result<(sled::Db, sled::Tree)> {
    guarded(|| {
        let (db, tree) = open_sled(state, cache_bytes)?;
        let applied = tree.get(APPLIED_KEY).map_err(sled_error)?;
        if marker_text(&tree, applied.as_deref())?.as_bytes() != expected {
            return Err(StorageError::corrupt("the catalog state", "it is not the one that its marker describes"));
        }
        Ok((db, tree))
    })
}

/// sled panics on some damage; that is a failure like any other here.
fn guarded<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(work))
        .unwrap_or_else(|_| Err(StorageError::corrupt("the catalog state", "sled panicked while opening it")))
}

fn open_sled(path: &Path, cache_bytes: u64) -> Result<(sled::Db, sled::Tree)> {
    let config = sled::Config::new().path(path).cache_capacity(cache_bytes).segment_size(4 << 20).flush_every_ms(Some(5_000));
    let db = config.open().map_err(sled_error)?;
    let tree = db.open_tree("catalog").map_err(sled_error)?;
    Ok((db, tree))
}

/// Flushes, syncs, and writes the marker last.
pub(super) fn mark_clean(dir: &Path, db: &sled::Db, tree: &sled::Tree, applied: Option<&[u8]>) -> Result<()> {
    let text = marker_text(tree, applied)?;
    db.flush().map_err(sled_error)?;
    let state = dir.join("state");
    let sync_all = || -> std::io::Result<()> {
        for entry in fs::read_dir(&state)? {
            let entry = entry?;
            if entry.file_type()?.is_file() {
                fs::File::open(entry.path())?.sync_all()?;
            }
        }
        Ok(())
    };
    sync_all().map_err(|e| StorageError::io(format!("syncing {}", state.display()), e))?;
    sync_dir(&state)?;
    let marker = dir.join(CLEAN_MARKER);
    let write = || -> std::io::Result<()> {
        let mut f = fs::File::create(&marker)?;
        f.write_all(text.as_bytes())?;
        f.sync_all()
    };
    write().map_err(|e| StorageError::io(format!("writing {}", marker.display()), e))?;
    sync_dir(dir)
}

/// Format, last log id, number of pairs and their checksum.
fn marker_text(tree: &sled::Tree, applied: Option<&[u8]>) -> Result<String> {
    let mut crc = crc32fast::Hasher::new();
    let mut pairs = 0u64;
    for pair in tree.iter() {
        let (k, v) = pair.map_err(sled_error)?;
        crc.update(&(k.len() as u32).to_be_bytes());
        crc.update(&k);
        crc.update(&v);
        pairs += 1;
    }
    let applied = applied.map_or_else(|| "none".to_owned(), hex::encode);
    Ok(format!("{MARKER_TEXT}\napplied {applied}\npairs {pairs}\ncrc32 {:08x}\n", crc.finalize()))
}

/// Keeps one untrusted state aside for a look, and drops older ones.
fn quarantine(state: &Path) -> Result<()> {
    let aside = state.with_extension("untrusted");
    let moved = fs::remove_dir_all(&aside).or_else(|e| if e.kind() == std::io::ErrorKind::NotFound { Ok(()) } else { Err(e) });
    moved.and_then(|()| fs::rename(state, &aside)).map_err(|e| StorageError::io(format!("setting {} aside", state.display()), e))
}

fn sync_dir(dir: &Path) -> Result<()> {
    fs::File::open(dir).and_then(|f| f.sync_all()).map_err(|e| StorageError::io(format!("syncing {}", dir.display()), e))
}
