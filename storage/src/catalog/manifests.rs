//! Manifests: immutable lists of older files in the object store, so that the catalog keeps at most
//! some hundred entries a table. Layout: `LWMF`, version, length and CRC-32 of the entries
//! (big endian), then the entries as MessagePack under zstd.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use lakewright_proto::{FileId, Layer, TableId};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutOptions};
use parking_lot::Mutex;
use sha2::{Digest, Sha256};

use super::keyspace::{Files, Tables};
use super::reads::{BronzeLookup, SilverFile, TableSnapshot};
use super::records::{FileEntry, FileRange, Manifest, Table};
use super::view::{Read, View};
use crate::error::{Result, StorageError};

const MAGIC: &[u8; 5] = b"LWMF\x01";
/// Entries that stay in the catalog, per table and bucket.
pub const RECENT: usize = 256;
/// Entries in one manifest, at most: what one `apply` checks stays bounded.
pub const MAX_FOLD: usize = 4_096;
/// Uncompressed entries longer than this are damage, not data.
const MAX_BODY: usize = 64 << 20;

/// Entries as they are in a manifest and as `apply` compares them.
pub(super) fn encode_entries(entries: &[FileEntry]) -> Result<Vec<u8>> {
    rmp_serde::to_vec_named(entries).map_err(|e| StorageError::corrupt("a manifest", e.to_string()))
}

/// The first version that sees none of the entries, if all of them are removed.
pub(super) fn ended(entries: &[FileEntry]) -> Option<u64> {
    entries.iter().try_fold(0, |last, e| e.removed.map(|r| r.max(last)))
}

/// A manifest's record and the bytes to put at its path.
pub fn encode(id: FileId, path: String, table: TableId, bucket: u32, entries: &[FileEntry]) -> Result<(Manifest, Vec<u8>)> {
    let body = encode_entries(entries)?;
    if entries.is_empty() || body.len() > MAX_BODY {
        return Err(StorageError::corrupt("a manifest", format!("{} entries of {} bytes do not fit one", entries.len(), body.len())));
    }
    let mut bytes = MAGIC.to_vec();
    bytes.extend_from_slice(&(body.len() as u32).to_be_bytes());
    bytes.extend_from_slice(&crc32fast::hash(&body).to_be_bytes());
    bytes.extend(zstd::bulk::compress(&body, 3).map_err(|e| StorageError::io("compressing a manifest", e))?);
    let manifest = Manifest {
        id,
        table,
        bucket,
        path,
        size: bytes.len() as u64,
        crc: crc32fast::hash(&bytes),
        content: Sha256::digest(&body).into(),
        files: entries.len() as u64,
        rows: entries.iter().map(|e| e.file.rows).fold(0, u64::saturating_add),
        min_added: entries.iter().map(|e| e.added).min().unwrap_or_default(),
        max_added: entries.iter().map(|e| e.added).max().unwrap_or_default(),
        ended: ended(entries),
    };
    Ok((manifest, bytes))
}

/// The entries of a manifest's bytes; damage is an error.
pub fn decode(what: &str, bytes: &[u8]) -> Result<Vec<FileEntry>> {
    let damaged = |why: &str| StorageError::corrupt(what, why);
    let rest = bytes.strip_prefix(MAGIC).ok_or_else(|| damaged("it does not begin as a manifest of format 1"))?;
    let (len, rest) = rest.split_first_chunk::<4>().ok_or_else(|| damaged("it is cut short"))?;
    let (crc, packed) = rest.split_first_chunk::<4>().ok_or_else(|| damaged("it is cut short"))?;
    let len = u32::from_be_bytes(*len) as usize;
    if len > MAX_BODY {
        return Err(damaged("it is longer than any can be"));
    }
    let body = zstd::bulk::decompress(packed, len).map_err(|e| damaged(&e.to_string()))?;
    if body.len() != len || crc32fast::hash(&body) != u32::from_be_bytes(*crc) {
        return Err(damaged("its checksum does not match"));
    }
    rmp_serde::from_slice(&body).map_err(|e| damaged(&e.to_string()))
}

/// Writes a manifest at `path` and answers the record for `FoldFiles`.
pub async fn write(store: &dyn ObjectStore, id: FileId, path: String, plan: &FoldPlan) -> Result<Manifest> {
    let (manifest, bytes) = encode(id, path, plan.table, plan.bucket, &plan.entries)?;
    let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
    store.put_opts(&Path::from(manifest.path.as_str()), bytes.into(), options).await?;
    Ok(manifest)
}

/// Reads a manifest; its size and checksum must be those that the catalog has.
pub async fn load(store: &dyn ObjectStore, manifest: &Manifest) -> Result<Vec<FileEntry>> {
    let bytes = store.get(&Path::from(manifest.path.as_str())).await?.bytes().await?;
    if bytes.len() as u64 != manifest.size || crc32fast::hash(&bytes) != manifest.crc {
        return Err(StorageError::corrupt(&manifest.path, "its size or checksum is not the catalog's"));
    }
    decode(&manifest.path, &bytes)
}

/// Loaded manifests, the least recently loaded first out.
pub struct ManifestCache {
    max_entries: u64,
    inner: Mutex<Cached>,
}

#[derive(Default)]
struct Cached {
    entries: u64,
    order: VecDeque<FileId>,
    loaded: HashMap<FileId, Arc<Vec<FileEntry>>>,
}

impl ManifestCache {
    /// A cache of at most so many file entries (about 400 bytes each).
    pub fn new(max_entries: u64) -> Self {
        Self { max_entries, inner: Mutex::default() }
    }

    /// A manifest's entries, from the cache or the store. Manifests are immutable: nothing expires.
    pub async fn load(&self, store: &dyn ObjectStore, manifest: &Manifest) -> Result<Arc<Vec<FileEntry>>> {
        if let Some(found) = self.inner.lock().loaded.get(&manifest.id) {
            return Ok(Arc::clone(found));
        }
        let entries = Arc::new(load(store, manifest).await?);
        let mut cached = self.inner.lock();
        if entries.len() as u64 <= self.max_entries && cached.loaded.insert(manifest.id, Arc::clone(&entries)).is_none() {
            cached.entries += entries.len() as u64;
            cached.order.push_back(manifest.id);
            while cached.entries > self.max_entries {
                let Some(oldest) = cached.order.pop_front() else { break };
                cached.entries -= cached.loaded.remove(&oldest).map_or(0, |e| e.len() as u64);
            }
        }
        Ok(entries)
    }

    /// File entries held.
    pub fn entries(&self) -> u64 {
        self.inner.lock().entries
    }
}

impl TableSnapshot {
    /// Files of the snapshot that stand in its manifests; `files` holds the others.
    pub async fn resolve_files(&self, store: &dyn ObjectStore, cache: &ManifestCache) -> Result<Vec<FileEntry>> {
        let mut out = Vec::new();
        for manifest in &self.manifests {
            let entries = cache.load(store, manifest).await?;
            out.extend(entries.iter().filter(|e| e.is_live_at(self.version)).cloned());
        }
        Ok(out)
    }
}

impl TableSnapshot {
    /// The snapshot with every one of its files in `files`.
    pub async fn with_folded(mut self, store: &dyn ObjectStore, cache: &ManifestCache) -> Result<Self> {
        let folded = self.resolve_files(store, cache).await?;
        self.manifests.clear();
        // Append-only tables alone are folded: none of their files has a deletion vector.
        self.files.extend(folded.into_iter().map(|e| SilverFile { file: e.file, vector: None }));
        Ok(self)
    }
}

impl BronzeLookup {
    /// The files, in offset order; those no longer in the catalog come from the manifests, newest first.
    pub async fn resolve(mut self, store: &dyn ObjectStore, cache: &ManifestCache) -> Result<Vec<FileEntry>> {
        for manifest in self.manifests.iter().rev() {
            if self.folded.is_empty() {
                break;
            }
            for entry in cache.load(store, manifest).await?.iter() {
                if let Some(at) = self.folded.iter().position(|id| *id == entry.file.id) {
                    self.folded.swap_remove(at);
                    self.found.push(entry.clone());
                }
            }
        }
        if let Some(id) = self.folded.first() {
            return Err(StorageError::corrupt(format!("Bronze file {id}"), "neither the catalog nor a manifest names it"));
        }
        let (from, to) = (self.first, self.first.saturating_add(self.count));
        self.found.retain(|e| matches!(&e.range, FileRange::Offsets { first, count, .. } if *first < to && first + count > from));
        self.found.sort_by_key(|e| match &e.range {
            FileRange::Offsets { first, .. } => *first,
            FileRange::Commit(seq) | FileRange::Watermark(seq) => seq.0,
        });
        Ok(self.found)
    }
}

/// Entries to fold into one manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoldPlan {
    /// The table.
    pub table: TableId,
    /// The bucket.
    pub bucket: u32,
    /// Entries in the order that they were added: all live, or all removed.
    pub entries: Vec<FileEntry>,
}

/// The folds that are due, at most `limit`: append-only tables with more than 256 recent entries
/// keep the newer half of that, so that a manifest is worth its object. Entries of removed files,
/// which earlier versions see for a day, have manifests of their own: they end together.
pub fn fold_due(view: &View<'_>, limit: usize) -> Result<Vec<FoldPlan>> {
    let mut plans = Vec::new();
    let many = |t: &Table| t.files > RECENT as u64 || (t.layer == Layer::Bronze && t.files > 0);
    for (_, table) in
        view.all::<Tables>()?.into_iter().filter(|(_, t)| t.buckets == 0 && t.layer != lakewright_proto::Layer::Gold && many(t))
    {
        if plans.len() >= limit {
            break;
        }
        let entries = view.scan::<Files>(&(table.id, 0u32))?.into_iter().map(|(_, e)| e);
        let (mut ended, mut live): (Vec<FileEntry>, Vec<FileEntry>) = entries.partition(|e| e.removed.is_some());
        let mut plan = |mut entries: Vec<FileEntry>, keep: usize| {
            entries.sort_by_key(|e| (e.added, e.file.id));
            entries.truncate(entries.len().saturating_sub(keep).min(MAX_FOLD));
            plans.push(FoldPlan { table: table.id, bucket: 0, entries });
        };
        if ended.len() + live.len() > RECENT && ended.len() > RECENT / 2 {
            plan(std::mem::take(&mut ended), 0);
        }
        if ended.len() + live.len() > RECENT {
            plan(std::mem::take(&mut live), RECENT / 2);
        }
    }
    Ok(plans)
}
