//! The catalog's state on disk: one ordered map in sled, trusted only after a clean stop.
//!
//! Durability is the Raft log's: nothing here is synced before an answer. `last_applied` is
//! written in the same batch as the effects, so the state is always a prefix of the log.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::{Mutex, RwLock};
use tokio::sync::watch;

use super::export::Export;
use super::open;
use super::view::{Held, View};
use crate::error::{Result, StorageError};

/// Values above this are cut in pieces: sled writes larger ones to blob files that it never syncs.
const MAX_VALUE: usize = 48 << 10;
/// Space of the pieces: physical key of the whole, then the piece's number.
const PIECES: u8 = 0xf0;
/// Physical values start with one of these.
const WHOLE: u8 = 0;
const IN_PIECES: u8 = 1;

/// Where Raft's own bookkeeping is, outside the typed spaces.
pub const APPLIED_KEY: &[u8] = &[0x01, 1];
/// The membership last applied.
pub const MEMBERSHIP_KEY: &[u8] = &[0x01, 2];
/// Catalog time and version: two u64, big endian.
pub const CLOCK_KEY: &[u8] = &[0x01, 3];

/// The cache that the catalog's budget grants, bytes.
pub const CACHE_BYTES: u64 = 32 << 20;

/// The catalog's state.
pub struct CatalogStore {
    db: sled::Db,
    tree: sled::Tree,
    dir: PathBuf,
    /// Readers of several keys hold it shared, so that no apply lands between their reads.
    gate: RwLock<()>,
    export: Mutex<Option<Export>>,
    /// False once closed, and while an import has not succeeded.
    usable: AtomicBool,
    version: watch::Sender<u64>,
}

/// What Raft keeps beside the state, as it is in one export.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exported {
    /// The last applied log id, as it was given to `apply_entry`.
    pub applied: Option<Vec<u8>>,
    /// The last membership, likewise.
    pub membership: Option<Vec<u8>>,
}

/// A physical pair.
pub(super) type Pair = (Vec<u8>, Vec<u8>);
/// A changed physical key: its new value, or none.
pub(super) type Change = (Vec<u8>, Option<Vec<u8>>);

impl CatalogStore {
    /// Opens the state in `dir`. The second value tells whether it can be trusted: if not, it is
    /// empty, and must be loaded from a snapshot before Raft starts.
    pub fn open(dir: &Path, cache_bytes: u64) -> Result<(Self, bool)> {
        let (db, tree, trusted) = open::open(dir, cache_bytes)?;
        let store = Self {
            db,
            tree,
            dir: dir.to_owned(),
            gate: RwLock::new(()),
            export: Mutex::new(None),
            usable: AtomicBool::new(true),
            version: watch::channel(0).0,
        };
        let (_, version) = store.clock()?;
        store.version.send_replace(version);
        Ok((store, trusted))
    }

    /// Raw bytes that Raft keeps beside the state.
    pub fn bookkeeping(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        self.physical(key)
    }

    /// Ends cleanly: flushes, then marks the state as trustworthy for the next open. Later writes
    /// are refused. A state that a failed import left half loaded is not marked.
    pub fn close(&self) -> Result<()> {
        let _gate = self.gate.write();
        if !self.usable.swap(false, Ordering::SeqCst) {
            tracing::warn!("the catalog state is not whole or is closed already; it is not marked as clean");
            return Ok(());
        }
        let applied = self.physical(APPLIED_KEY)?;
        open::mark_clean(&self.dir, &self.db, &self.tree, applied.as_deref())
    }

    fn check_usable(&self) -> Result<()> {
        if self.usable.load(Ordering::SeqCst) {
            return Ok(());
        }
        Err(StorageError::corrupt("the catalog state", "it is closed, or an import of it failed; open it again and load a snapshot"))
    }

    /// Catalog time in microseconds, and catalog version.
    pub fn clock(&self) -> Result<(i64, u64)> {
        Ok(match self.physical(CLOCK_KEY)? {
            Some(b) => decode_clock(&b)?,
            None => (0, 0),
        })
    }

    /// Raised after each applied entry that changed anything.
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.version.subscribe()
    }

    /// A consistent read: no apply lands while it is held, so hold it briefly and never across an await.
    pub fn view(&self) -> View<'_> {
        let held = Held::enter();
        // A thread that holds a view already must not queue behind an apply that waits for that view.
        let gate = if held.again { self.gate.read_recursive() } else { self.gate.read() };
        View { store: self, _gate: gate, _held: held }
    }

    /// Writes one entry's effects, all or nothing.
    pub(super) fn write(&self, changes: Vec<Change>, version: u64) -> Result<()> {
        let mut batch = sled::Batch::default();
        for (key, value) in &changes {
            match value {
                Some(v) => batch.insert(key.as_slice(), v.as_slice()),
                None => batch.remove(key.as_slice()),
            }
        }
        let _gate = self.gate.write();
        self.check_usable()?;
        if let Some(export) = self.export.lock().as_mut() {
            for (key, _) in &changes {
                if export.wants(key) {
                    export.keep(key.clone(), self.physical(key)?);
                }
            }
        }
        self.tree.apply_batch(batch).map_err(sled_error)?;
        drop(_gate);
        self.version.send_if_modified(|v| std::mem::replace(v, version) != version);
        Ok(())
    }

    /// Begins a copy, and says what Raft's bookkeeping is in it.
    pub(super) fn begin_export(&self) -> Result<Exported> {
        let _gate = self.gate.read();
        self.check_usable()?;
        let mut export = self.export.lock();
        if export.is_some() {
            return Err(StorageError::corrupt("the catalog", "a snapshot is being written already"));
        }
        let exported = Exported { applied: self.physical(APPLIED_KEY)?, membership: self.physical(MEMBERSHIP_KEY)? };
        *export = Some(Export::default());
        Ok(exported)
    }

    pub(super) fn end_export(&self) {
        *self.export.lock() = None;
    }

    /// The next pairs of the export, as they were when it began, and whether it is complete.
    /// At most `limit` pairs or `bytes` bytes are read under the lock.
    pub(super) fn export_chunk(&self, limit: usize, bytes: usize) -> Result<(Vec<Pair>, bool)> {
        let _gate = self.gate.read();
        let mut export = self.export.lock();
        let Some(export) = export.as_mut() else {
            return Err(StorageError::corrupt("a catalog snapshot", "the state was replaced while it was written"));
        };
        let mut live = Vec::new();
        let mut size = 0;
        let mut at_end = true;
        for pair in self.tree.range(export.resume_bound()) {
            let (k, v) = pair.map_err(sled_error)?;
            size += k.len() + v.len();
            live.push((k.to_vec(), v.to_vec()));
            if live.len() == limit || size >= bytes {
                at_end = false;
                break;
            }
        }
        let pairs = export.merge(live, at_end);
        Ok((pairs, export.is_complete()))
    }

    /// Replaces everything by the pairs of a snapshot. Until it has succeeded the state refuses writes.
    pub(super) fn replace_all(&self, pairs: impl Iterator<Item = Result<Pair>>) -> Result<()> {
        let gate = self.gate.write();
        self.usable.store(false, Ordering::SeqCst);
        *self.export.lock() = None;
        self.tree.clear().map_err(sled_error)?;
        let mut batch = sled::Batch::default();
        let (mut n, mut size) = (0, 0);
        for pair in pairs {
            let (k, v) = pair?;
            size += k.len() + v.len();
            n += 1;
            batch.insert(k, v);
            if n == 4_000 || size > 1 << 20 {
                self.tree.apply_batch(std::mem::take(&mut batch)).map_err(sled_error)?;
                (n, size) = (0, 0);
            }
        }
        self.tree.apply_batch(batch).map_err(sled_error)?;
        let (_, version) = self.clock()?;
        self.usable.store(true, Ordering::SeqCst);
        drop(gate);
        self.version.send_replace(version);
        Ok(())
    }

    pub(super) fn physical(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        Ok(self.tree.get(key).map_err(sled_error)?.map(|v| v.to_vec()))
    }

    /// A logical value, its pieces joined.
    pub(super) fn logical(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        match self.physical(key)? {
            None => Ok(None),
            Some(v) => self.join(key, v).map(Some),
        }
    }

    fn join(&self, key: &[u8], physical: Vec<u8>) -> Result<Vec<u8>> {
        match physical.split_first() {
            Some((&WHOLE, rest)) => Ok(rest.to_vec()),
            Some((&IN_PIECES, _)) => {
                let count = pieces_of(&physical);
                let mut out = Vec::new();
                for i in 0..count {
                    let piece = self.physical(&piece_key(key, i))?;
                    out.extend(piece.ok_or_else(|| StorageError::corrupt("a large catalog value", format!("piece {i} is missing")))?);
                }
                Ok(out)
            }
            _ => Err(StorageError::corrupt("a catalog value", "it is empty")),
        }
    }

    /// Logical pairs under a prefix, in key order.
    pub(super) fn logical_scan(&self, prefix: &[u8]) -> Result<Vec<(Vec<u8>, Vec<u8>)>> {
        let mut out = Vec::new();
        for pair in self.tree.scan_prefix(prefix) {
            let (k, v) = pair.map_err(sled_error)?;
            out.push((k.to_vec(), self.join(&k, v.to_vec())?));
        }
        Ok(out)
    }

    /// The first keys of a space, at most `limit`.
    pub(super) fn physical_head(&self, prefix: u8, limit: usize) -> Result<Vec<Vec<u8>>> {
        let keys = self.tree.scan_prefix([prefix]).keys().take(limit);
        keys.map(|k| k.map(|k| k.to_vec()).map_err(sled_error)).collect()
    }

    /// The first logical pair in `[from, to]`.
    pub(super) fn logical_first(&self, from: &[u8], to: &[u8]) -> Result<Option<(Vec<u8>, Vec<u8>)>> {
        if from > to {
            return Ok(None);
        }
        match self.tree.range(from.to_vec()..=to.to_vec()).next() {
            Some(pair) => {
                let (k, v) = pair.map_err(sled_error)?;
                let v = self.join(&k, v.to_vec())?;
                Ok(Some((k.to_vec(), v)))
            }
            None => Ok(None),
        }
    }

    /// The first logical pair at or after `from` that has the prefix.
    pub(super) fn logical_next(&self, prefix: &[u8], from: &[u8]) -> Result<Option<(Vec<u8>, Vec<u8>)>> {
        match self.tree.range(from.to_vec()..).next() {
            Some(pair) => {
                let (k, v) = pair.map_err(sled_error)?;
                if !k.starts_with(prefix) {
                    return Ok(None);
                }
                let v = self.join(&k, v.to_vec())?;
                Ok(Some((k.to_vec(), v)))
            }
            None => Ok(None),
        }
    }

    /// The last logical pair at or before `to` that has the prefix.
    pub(super) fn logical_previous(&self, prefix: &[u8], to: &[u8]) -> Result<Option<(Vec<u8>, Vec<u8>)>> {
        match self.tree.range(..=to.to_vec()).next_back() {
            Some(pair) => {
                let (k, v) = pair.map_err(sled_error)?;
                if !k.starts_with(prefix) {
                    return Ok(None);
                }
                let v = self.join(&k, v.to_vec())?;
                Ok(Some((k.to_vec(), v)))
            }
            None => Ok(None),
        }
    }

    /// Bytes on disk.
    pub fn size_on_disk(&self) -> Result<u64> {
        self.db.size_on_disk().map_err(sled_error)
    }
}

/// Physical changes that put a logical value.
pub(super) fn put_changes(key: &[u8], value: Vec<u8>, changes: &mut BTreeMap<Vec<u8>, Option<Vec<u8>>>) {
    if value.len() <= MAX_VALUE {
        let mut v = Vec::with_capacity(value.len() + 1);
        v.push(WHOLE);
        v.extend_from_slice(&value);
        changes.insert(key.to_vec(), Some(v));
        return;
    }
    let mut head = vec![IN_PIECES];
    let pieces = value.chunks(MAX_VALUE);
    head.extend_from_slice(&(pieces.len() as u32).to_be_bytes());
    changes.insert(key.to_vec(), Some(head));
    for (i, piece) in value.chunks(MAX_VALUE).enumerate() {
        changes.insert(piece_key(key, i as u32), Some(piece.to_vec()));
    }
}

/// How many pieces a physical value has.
pub(super) fn pieces_of(physical: &[u8]) -> u32 {
    match physical.split_first() {
        Some((&IN_PIECES, count)) => count.try_into().map(u32::from_be_bytes).unwrap_or(0),
        _ => 0,
    }
}

pub(super) fn piece_key(key: &[u8], i: u32) -> Vec<u8> {
    let mut out = vec![PIECES];
    out.extend_from_slice(key);
    out.extend_from_slice(&i.to_be_bytes());
    out
}

pub(super) fn encode_clock(time: i64, version: u64) -> Vec<u8> {
    let mut out = time.to_be_bytes().to_vec();
    out.extend_from_slice(&version.to_be_bytes());
    out
}

fn decode_clock(bytes: &[u8]) -> Result<(i64, u64)> {
    match bytes.split_first_chunk::<8>() {
        Some((time, rest)) if rest.len() == 8 => {
            let version = rest.try_into().map(u64::from_be_bytes).unwrap_or_default();
            Ok((i64::from_be_bytes(*time), version))
        }
        _ => Err(StorageError::corrupt("the catalog's clock", "it is not 16 bytes")),
    }
}

pub(super) fn sled_error(e: sled::Error) -> StorageError {
    match e {
        sled::Error::Io(e) => StorageError::io("the catalog state", e),
        e => StorageError::corrupt("the catalog state", e.to_string()),
    }
}

#[cfg(test)]
#[path = "store_tests.rs"]
mod tests;
