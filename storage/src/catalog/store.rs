//! The catalog's state on disk: one ordered map in sled, trusted only after a clean stop.
//!
//! Durability is the Raft log's: nothing here is synced before an answer. `last_applied` is
//! written in the same batch as the effects, so the state is always a prefix of the log.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::path::{Path, PathBuf};

use parking_lot::{Mutex, RwLock, RwLockReadGuard};
use tokio::sync::watch;

use super::codec::KeyPart;
use super::export::Export;
use super::snapshot::Bookkeeping;
use super::keyspace::{prefix_key, KeySpace};
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

const CLEAN_MARKER: &str = "CLEAN";
const MARKER_TEXT: &str = "lakewright catalog state 1: closed cleanly\n";

/// The catalog's state.
pub struct CatalogStore {
    db: sled::Db,
    tree: sled::Tree,
    dir: PathBuf,
    /// Readers of several keys hold it shared, so that no apply lands between their reads.
    gate: RwLock<()>,
    export: Mutex<Option<Export>>,
    version: watch::Sender<u64>,
}

/// A changed physical key: its new value, or none.
pub(super) type Change = (Vec<u8>, Option<Vec<u8>>);

impl CatalogStore {
    /// Opens the state in `dir`. The second value tells whether it can be trusted: if not, it is
    /// empty, and must be loaded from a snapshot before Raft starts.
    pub fn open(dir: &Path, cache_bytes: u64) -> Result<(Self, bool)> {
        let io = |what: &str, e| StorageError::io(format!("{what} {}", dir.display()), e);
        let marker = dir.join(CLEAN_MARKER);
        let clean = fs::read(&marker).is_ok_and(|m| m == MARKER_TEXT.as_bytes());
        let state = dir.join("state");
        if clean {
            fs::remove_file(&marker).map_err(|e| io("removing the clean marker in", e))?;
            sync_dir(dir)?;
            match open_sled(&state, cache_bytes) {
                Ok(db) => return Ok((Self::new(db, dir)?, true)),
                Err(e) => {
                    tracing::warn!(error = %e, "the catalog state cannot be opened; it will be rebuilt from snapshot and log")
                }
            }
        }
        let existed = state.exists();
        if existed {
            quarantine(&state)?;
        }
        fs::create_dir_all(dir).map_err(|e| io("creating", e))?;
        let db = open_sled(&state, cache_bytes)?;
        Ok((Self::new(db, dir)?, false))
    }

    fn new(db: sled::Db, dir: &Path) -> Result<Self> {
        let tree = db.open_tree("catalog").map_err(sled_error)?;
        let store = Self { db, tree, dir: dir.to_owned(), gate: RwLock::new(()), export: Mutex::new(None), version: watch::channel(0).0 };
        let (_, version) = store.clock()?;
        store.version.send_replace(version);
        Ok(store)
    }

    /// Ends cleanly: flushes, then marks the state as trustworthy for the next open.
    pub fn close(&self) -> Result<()> {
        let _gate = self.gate.write();
        self.db.flush().map_err(sled_error)?;
        for file in [self.dir.join("state/db"), self.dir.join("state/conf")] {
            if let Ok(f) = fs::File::open(&file) {
                f.sync_all().map_err(|e| StorageError::io(format!("syncing {}", file.display()), e))?;
            }
        }
        let marker = self.dir.join(CLEAN_MARKER);
        let write = || -> std::io::Result<()> {
            let mut f = fs::File::create(&marker)?;
            f.write_all(MARKER_TEXT.as_bytes())?;
            f.sync_all()
        };
        write().map_err(|e| StorageError::io(format!("writing {}", marker.display()), e))?;
        sync_dir(&self.dir)
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
        View { store: self, _gate: self.gate.read() }
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

    /// What Raft keeps beside the state.
    pub fn raft_bookkeeping(&self) -> Result<Bookkeeping> {
        let membership = self.physical(MEMBERSHIP_KEY)?.unwrap_or_default();
        Ok(Bookkeeping { applied: self.physical(APPLIED_KEY)?, membership })
    }

    pub(super) fn begin_export(&self) -> Result<Bookkeeping> {
        let _gate = self.gate.write();
        let mut export = self.export.lock();
        if export.is_some() {
            return Err(StorageError::corrupt("the catalog", "a snapshot is being written already"));
        }
        let bookkeeping = self.raft_bookkeeping()?;
        *export = Some(Export::default());
        Ok(bookkeeping)
    }

    pub(super) fn end_export(&self) {
        *self.export.lock() = None;
    }

    /// The next pairs of the export, as they were when it began, and whether it is complete.
    pub(super) fn export_chunk(&self, limit: usize) -> Result<(Vec<(Vec<u8>, Vec<u8>)>, bool)> {
        let _gate = self.gate.read();
        let mut export = self.export.lock();
        let Some(export) = export.as_mut() else {
            return Ok((Vec::new(), true));
        };
        let mut live = Vec::with_capacity(limit);
        for pair in self.tree.range(export.resume_bound()).take(limit) {
            let (k, v) = pair.map_err(sled_error)?;
            live.push((k.to_vec(), v.to_vec()));
        }
        let pairs = export.merge(live, limit);
        Ok((pairs, export.is_complete()))
    }

    /// Replaces everything by the pairs of a snapshot.
    pub(super) fn replace_all(&self, pairs: impl Iterator<Item = Result<(Vec<u8>, Vec<u8>)>>) -> Result<()> {
        let gate = self.gate.write();
        self.tree.clear().map_err(sled_error)?;
        let mut batch = sled::Batch::default();
        let mut n = 0;
        for pair in pairs {
            let (k, v) = pair?;
            batch.insert(k, v);
            n += 1;
            if n == 1_000 {
                self.tree.apply_batch(std::mem::take(&mut batch)).map_err(sled_error)?;
                n = 0;
            }
        }
        self.tree.apply_batch(batch).map_err(sled_error)?;
        drop(gate);
        let (_, version) = self.clock()?;
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
            Some((&IN_PIECES, count)) => {
                let count = count.try_into().map(u32::from_be_bytes).unwrap_or(0);
                let mut out = Vec::with_capacity(count as usize * MAX_VALUE);
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

/// Reads with one consistent state.
pub struct View<'a> {
    store: &'a CatalogStore,
    _gate: RwLockReadGuard<'a, ()>,
}

/// Reading by typed key space, from a view or from within `apply`.
pub trait Read {
    /// A logical value.
    fn raw(&self, key: &[u8]) -> Result<Option<Vec<u8>>>;
    /// Logical pairs under a prefix.
    fn raw_scan(&self, prefix: &[u8]) -> Result<Vec<(Vec<u8>, Vec<u8>)>>;

    /// The value of a key.
    fn get<S: KeySpace>(&self, key: &S::Key) -> Result<Option<S::Value>> {
        self.raw(&S::key(key))?.map(|v| S::decode(&v)).transpose()
    }

    /// Every pair whose key starts with `parts`.
    fn scan<S: KeySpace>(&self, parts: &impl KeyPart) -> Result<Vec<(S::Key, S::Value)>> {
        decode_pairs::<S>(self.raw_scan(&prefix_key::<S>(parts))?)
    }

    /// Every pair of a space.
    fn all<S: KeySpace>(&self) -> Result<Vec<(S::Key, S::Value)>> {
        decode_pairs::<S>(self.raw_scan(&[S::PREFIX])?)
    }
}

fn decode_pairs<S: KeySpace>(pairs: Vec<(Vec<u8>, Vec<u8>)>) -> Result<Vec<(S::Key, S::Value)>> {
    pairs.into_iter().map(|(k, v)| Ok((S::decode_key(&k)?, S::decode(&v)?))).collect()
}

impl Read for View<'_> {
    fn raw(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        self.store.logical(key)
    }

    fn raw_scan(&self, prefix: &[u8]) -> Result<Vec<(Vec<u8>, Vec<u8>)>> {
        self.store.logical_scan(prefix)
    }
}

impl View<'_> {
    /// The state behind it.
    pub fn store(&self) -> &CatalogStore {
        self.store
    }

    /// The catalog version that is read.
    pub fn version(&self) -> Result<u64> {
        Ok(self.store.clock()?.1)
    }

    /// The first pair at or after `from` within the space's keys that start with `parts`.
    pub fn next<S: KeySpace>(&self, parts: &impl KeyPart, from: &S::Key) -> Result<Option<(S::Key, S::Value)>> {
        let pair = self.store.logical_next(&prefix_key::<S>(parts), &S::key(from))?;
        pair.map(|(k, v)| Ok((S::decode_key(&k)?, S::decode(&v)?))).transpose()
    }

    /// The last pair at or before `to` within the space's keys that start with `parts`.
    pub fn previous<S: KeySpace>(&self, parts: &impl KeyPart, to: &S::Key) -> Result<Option<(S::Key, S::Value)>> {
        let pair = self.store.logical_previous(&prefix_key::<S>(parts), &S::key(to))?;
        pair.map(|(k, v)| Ok((S::decode_key(&k)?, S::decode(&v)?))).transpose()
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

fn open_sled(path: &Path, cache_bytes: u64) -> Result<sled::Db> {
    let config = sled::Config::new().path(path).cache_capacity(cache_bytes).segment_size(4 << 20).flush_every_ms(Some(5_000));
    match catch_unwind(AssertUnwindSafe(|| config.open())) {
        Ok(opened) => opened.map_err(sled_error),
        Err(_) => Err(StorageError::corrupt("the catalog state", "sled panicked while opening it")),
    }
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

fn sled_error(e: sled::Error) -> StorageError {
    match e {
        sled::Error::Io(e) => StorageError::io("the catalog state", e),
        e => StorageError::corrupt("the catalog state", e.to_string()),
    }
}
