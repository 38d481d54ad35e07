//! What may be deleted from the object store: objects dropped long enough ago, and objects that
//! nobody ever named. Decisions only; the sweep itself is elsewhere.

use std::collections::HashSet;

use lakewright_proto::{FileId, TableId};
use uuid::Uuid;

use super::keyspace::*;
use super::records::*;
use super::view::{Read, View};
use crate::error::Result;

/// An unnamed object is an orphan once it is this old, microseconds: commits refuse files of half this age.
pub const ORPHAN_AGE_US: i64 = 24 * 3_600 * 1_000_000;
/// Objects that one sweep step takes, so that a step stays bounded.
const MAX_DUE: usize = 4_096;

/// When an object was written, by the UUIDv7 that its name is: microseconds since 1970.
pub(super) fn written_at(path: &str) -> Option<i64> {
    let name = path.rsplit('/').next()?;
    let stem = name.split('.').next()?;
    id_time(Uuid::parse_str(stem).ok()?)
}

fn id_time(id: Uuid) -> Option<i64> {
    let (seconds, nanos) = id.get_timestamp().filter(|_| id.get_version_num() == 7)?.to_unix();
    i64::try_from(seconds).ok()?.checked_mul(1_000_000)?.checked_add(i64::from(nanos / 1_000))
}

/// Whether an object of ours that was found by listing may be deleted: nobody names it, and it is
/// too old to be named ever again. An id that tells no time is kept.
pub fn is_orphan(file: FileId, named: bool, now_us: i64) -> bool {
    !named && id_time(file.0).is_some_and(|at| at.saturating_add(ORPHAN_AGE_US) < now_us)
}

/// Every object that the catalog names for a table.
#[derive(Clone, Debug, Default)]
pub struct NamedFiles {
    paths: HashSet<String>,
    /// Lists of older files: load each and `add` its entries before asking `contains`.
    pub manifests: Vec<Manifest>,
}

impl NamedFiles {
    /// Adds the entries of a manifest.
    pub fn add(&mut self, entries: &[FileEntry]) {
        self.paths.extend(entries.iter().map(|e| e.file.path.clone()));
    }

    /// Whether the object is named.
    pub fn contains(&self, path: &str) -> bool {
        self.paths.contains(path)
    }

    /// How many are named.
    pub fn len(&self) -> usize {
        self.paths.len()
    }

    /// Whether none is named.
    pub fn is_empty(&self) -> bool {
        self.paths.is_empty()
    }
}

impl View<'_> {
    /// Objects dropped at least `keep_us` microseconds before `now_us`, oldest first, at most 4,096:
    /// the key for `ForgetFiles`, and the path to delete first.
    pub fn sweep_due(&self, now_us: i64, keep_us: i64) -> Result<Vec<(u64, FileId, String)>> {
        let Ok(until) = u64::try_from(now_us.saturating_sub(keep_us)) else {
            return Ok(Vec::new());
        };
        let due = self.between::<Dropped>(&(0, FileId(Uuid::nil())), &(until, FileId(Uuid::max())), MAX_DUE)?;
        Ok(due.into_iter().map(|((at, id), d)| (at, id, d.path)).collect())
    }

    /// What the catalog names for a table: one scan, then each object of a listing is one look-up.
    /// Entries of files dropped and not yet swept are named still.
    pub fn named_files(&self, table: TableId) -> Result<NamedFiles> {
        let mut named = NamedFiles::default();
        named.paths.extend(self.scan::<Files>(&table)?.into_iter().map(|(_, f)| f.file.path));
        named.paths.extend(self.scan::<DeletionVectors>(&table)?.into_iter().map(|(_, v)| v.vector.path));
        named.paths.extend(self.scan::<IndexRuns>(&table)?.into_iter().map(|(_, r)| r.run.path));
        for (_, manifest) in self.scan::<Manifests>(&table)? {
            named.paths.insert(manifest.path.clone());
            // Files of an ended one are dropped: they are named below, or gone.
            if manifest.ended.is_none() {
                named.manifests.push(manifest);
            }
        }
        named.paths.extend(self.all::<Dropped>()?.into_iter().filter(|(_, d)| d.table == table).map(|(_, d)| d.path));
        Ok(named)
    }
}
