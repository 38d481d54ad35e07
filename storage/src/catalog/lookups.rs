//! Reads for lookups: which tables a table looks into, and what has changed in them since.

use std::collections::BTreeMap;

use lakewright_proto::{Layer, TableId};

use super::keyspace::{Buckets, Files, LookupCommits, Manifests};
use super::records::{FileEntry, Manifest, Table};
use super::view::{Read, View};
use crate::error::Result;

/// A table that another one looks into.
#[derive(Clone, Debug)]
pub struct LookupSource {
    /// The table.
    pub table: Table,
    /// Its change table.
    pub changes: Table,
    /// The catalog version up to which its changes are in the rows of the other one.
    pub since: u64,
}

impl LookupSource {
    /// Whether it has changed since.
    pub fn has_changed(&self) -> bool {
        self.changes.files > 0 && self.changes.version > self.since
    }
}

impl View<'_> {
    /// The tables that a bucket of a table looks into.
    pub fn lookup_sources(&self, table: &Table, bucket: u32) -> Result<Vec<LookupSource>> {
        let Some(lookups) = &table.lookups else { return Ok(Vec::new()) };
        let looked_up = self.get::<Buckets>(&(table.id, bucket))?.map(|b| b.looked_up).unwrap_or_default();
        let mut out = Vec::with_capacity(lookups.tables.len());
        for name in &lookups.tables {
            let Some(source) = self.table_by_name(table.tenant_id, Layer::Silver, name)? else { continue };
            let Some(changes) = source.changes else { continue };
            let since = looked_up.get(&source.id).copied().unwrap_or_default();
            out.push(LookupSource { changes: self.table(changes)?, table: source, since });
        }
        Ok(out)
    }

    /// Whether tables that a table looks into have changed since its rows looked them up.
    pub fn lookups_are_due(&self, table: &Table) -> Result<bool> {
        for bucket in 0..table.buckets {
            if self.lookup_sources(table, bucket)?.iter().any(LookupSource::has_changed) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The positions of a bucket in the tables that it looks into.
    pub fn looked_up(&self, table: TableId, bucket: u32) -> Result<BTreeMap<TableId, u64>> {
        Ok(self.get::<Buckets>(&(table, bucket))?.map(|b| b.looked_up).unwrap_or_default())
    }

    /// The newest catalog version that changed what rows of a table look up; 0: none has.
    pub fn last_lookup(&self, table: &Table) -> Result<u64> {
        let mut last = 0;
        for bucket in 0..table.buckets {
            let newest = self.previous::<LookupCommits>(&(table.id, bucket), &(table.id, bucket, u64::MAX))?;
            last = last.max(newest.map_or(0, |((.., version), _)| version));
        }
        Ok(last)
    }

    /// Files that were added to an append-only table after a version, in order, and the manifests that may hold more of them.
    pub fn files_after(&self, table: TableId, version: u64) -> Result<(Vec<FileEntry>, Vec<Manifest>)> {
        let files = self.scan::<Files>(&(table, 0u32))?.into_iter().map(|(_, f)| f);
        let mut files: Vec<FileEntry> = files.filter(|f| f.added > version && f.removed.is_none()).collect();
        files.sort_by_key(|f| (f.added, f.file.id));
        let manifests = self.scan::<Manifests>(&(table, 0u32))?.into_iter().map(|(_, m)| m);
        Ok((files, manifests.filter(|m| m.max_added > version && m.ended.is_none()).collect()))
    }
}
