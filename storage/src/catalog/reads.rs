//! Reads that several parts need: bucket states, table snapshots, queues, addresses.

use std::collections::HashMap;

use lakewright_proto::{CommitSeq, ErrorCode, FileId, Layer, RecordAddress, RunId, ShardId, TableId, TenantId};

use super::keyspace::*;
use super::records::*;
use super::view::{Read, View};
use crate::error::{Result, StorageError};
use crate::table::{BucketState, DataFile, DeletionVectorRef};

/// A data file with the rows that are deleted from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SilverFile {
    /// The file.
    pub file: DataFile,
    /// Its deletion vector.
    pub vector: Option<DeletionVectorRef>,
}

/// A table as of one catalog version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableSnapshot {
    /// The table.
    pub table: Table,
    /// The catalog version.
    pub version: u64,
    /// Its files, but for those in manifests.
    pub files: Vec<SilverFile>,
    /// Lists of older files that this version sees; `resolve_files` reads them.
    pub manifests: Vec<Manifest>,
}

/// Bronze files on the way to being found: some here, some in manifests.
#[derive(Clone, Debug, Default)]
pub struct BronzeLookup {
    /// The first offset asked for.
    pub first: u64,
    /// How many.
    pub count: u64,
    /// Files that the catalog has, in offset order.
    pub found: Vec<FileEntry>,
    /// Files of these commits that it no longer has.
    pub folded: Vec<FileId>,
    /// The manifests that may have them, oldest first.
    pub manifests: Vec<Manifest>,
}

fn missing(what: String) -> StorageError {
    lakewright_proto::Error::new(ErrorCode::NotFound, format!("{what} does not exist")).into()
}

impl View<'_> {
    /// The tenant with this slug.
    pub fn tenant_by_slug(&self, slug: &str) -> Result<Option<Tenant>> {
        match self.get::<TenantSlugs>(&slug.to_owned())? {
            Some(id) => self.get::<Tenants>(&id),
            None => Ok(None),
        }
    }

    /// The connector with this name.
    pub fn connector_by_name(&self, tenant: TenantId, name: &str) -> Result<Option<Connector>> {
        match self.get::<ConnectorNames>(&(tenant, name.to_owned()))? {
            Some(id) => self.get::<Connectors>(&(tenant, id)),
            None => Ok(None),
        }
    }

    /// The cluster's record, once it is initialised.
    pub fn cluster(&self) -> Result<Option<ClusterRecord>> {
        self.get::<Cluster>(&String::new())
    }

    /// The table with this id.
    pub fn table(&self, id: TableId) -> Result<Table> {
        let n = self.get::<TableIds>(&id)?.ok_or_else(|| missing(format!("table {id}")))?;
        self.get::<Tables>(&(n.tenant_id, n.layer, n.name))?.ok_or_else(|| missing(format!("table {id}")))
    }

    /// A tenant's table by name.
    pub fn table_by_name(&self, tenant: TenantId, layer: Layer, name: &str) -> Result<Option<Table>> {
        self.get::<Tables>(&(tenant, layer, name.to_owned()))
    }

    /// All tables of a tenant.
    pub fn tables(&self, tenant: TenantId) -> Result<Vec<Table>> {
        Ok(self.scan::<Tables>(&tenant)?.into_iter().map(|(_, t)| t).collect())
    }

    /// The pack versions that a tenant uses.
    pub fn pinned_packs(&self, tenant: TenantId) -> Result<Vec<Pack>> {
        let pins = self.scan::<PackPins>(&tenant)?;
        pins.into_iter().map(|(_, hash)| self.get::<Packs>(&hash)?.ok_or_else(|| missing(format!("pack {hash}")))).collect()
    }

    /// The shards of a connector's stream.
    pub fn shards(&self, tenant: TenantId, connector: lakewright_proto::ConnectorId, stream: &str) -> Result<Vec<Shard>> {
        let ids = self.scan::<SourceShards>(&(tenant, connector, stream.to_owned()))?;
        ids.into_iter().map(|(_, id)| self.get::<Shards>(&id)?.ok_or_else(|| missing(format!("shard {id}")))).collect()
    }

    /// Everything that a bucket's owner needs to go on.
    pub fn bucket_state(&self, table: TableId, bucket: u32) -> Result<BucketState> {
        let key = (table, bucket);
        let b = self.get::<Buckets>(&key)?.ok_or_else(|| missing(format!("bucket {bucket} of table {table}")))?;
        let buckets = self.table(table)?.buckets;
        let files = self.scan::<Files>(&key)?.into_iter().filter(|(_, f)| f.removed.is_none()).map(|(_, f)| f.file).collect();
        let vectors = self.scan::<DeletionVectors>(&key)?.into_iter().filter(|(_, v)| v.removed.is_none()).map(|(_, v)| v.vector);
        let mut index: Vec<_> = self.scan::<IndexRuns>(&key)?.into_iter().map(|(_, r)| r.run).collect();
        index.sort_by_key(|r| r.level_order);
        Ok(BucketState {
            bucket,
            buckets,
            epoch: b.epoch,
            watermark: b.watermark,
            files,
            deletion_vectors: vectors.collect(),
            index,
            live_rows: b.live_rows,
        })
    }

    /// A table's files as a reader of `version` sees them (the current version for `None`).
    pub fn table_snapshot(&self, table: &Table, version: Option<u64>) -> Result<TableSnapshot> {
        let version = match version {
            Some(v) => v,
            None => self.version()?,
        };
        let mut vectors: HashMap<(u32, FileId), DeletionVectorRef> = HashMap::new();
        for ((_, bucket, file, _), v) in self.scan::<DeletionVectors>(&table.id)? {
            if v.is_live_at(version) {
                vectors.insert((bucket, file), v.vector);
            }
        }
        let mut files = Vec::new();
        for ((_, bucket, id), entry) in self.scan::<Files>(&table.id)? {
            if entry.is_live_at(version) {
                files.push(SilverFile { vector: vectors.remove(&(bucket, id)), file: entry.file });
            }
        }
        let manifests = self.scan::<Manifests>(&table.id)?.into_iter().map(|(_, m)| m).filter(|m| m.is_seen_at(version)).collect();
        Ok(TableSnapshot { table: table.clone(), version, files, manifests })
    }

    /// The Bronze commits that a Silver table has still to consume, in order.
    pub fn queue(&self, table: TableId, limit: usize) -> Result<Vec<BronzeCommit>> {
        let queued = self.between::<Queue>(&(table, CommitSeq(0)), &(table, CommitSeq(u64::MAX)), limit)?;
        let seqs = queued.into_iter().map(|((_, seq), ())| seq);
        seqs.map(|seq| self.bronze_commit(seq)).collect()
    }

    /// The same, after a commit that was taken already.
    pub fn queue_after(&self, table: TableId, after: CommitSeq, limit: usize) -> Result<Vec<BronzeCommit>> {
        let mut found = Vec::new();
        let mut from = CommitSeq(after.0 + 1);
        while found.len() < limit {
            let Some(((_, seq), ())) = self.next::<Queue>(&table, &(table, from))? else { break };
            found.push(self.bronze_commit(seq)?);
            from = CommitSeq(seq.0 + 1);
        }
        Ok(found)
    }

    /// A Bronze commit.
    pub fn bronze_commit(&self, seq: CommitSeq) -> Result<BronzeCommit> {
        self.get::<BronzeCommits>(&seq)?.ok_or_else(|| missing(format!("Bronze commit {seq}")))
    }

    /// The run that checked a record last, for each record of a shard that was replayed.
    pub fn last_replays(&self, shard: ShardId) -> Result<HashMap<u64, RunId>> {
        let mut last = HashMap::new();
        // Ascending: later replays overwrite earlier ones.
        for ((_, seq), ()) in self.scan::<Replays>(&shard)? {
            let commit = self.bronze_commit(seq)?;
            if let BronzeSource::Replay { offsets } = commit.source {
                last.extend(offsets.into_iter().map(|offset| (offset, commit.run)));
            }
        }
        Ok(last)
    }

    /// The commit that brought a record.
    pub fn commit_of(&self, address: RecordAddress) -> Result<BronzeCommit> {
        let found = self.previous::<Offsets>(&address.shard, &(address.shard, address.offset))?;
        let (_, seq) = found.ok_or_else(|| missing(format!("record {address}")))?;
        let commit = self.bronze_commit(seq)?;
        match &commit.source {
            BronzeSource::Read { first_offset, count, .. } if address.offset < first_offset + count => Ok(commit),
            _ => Err(missing(format!("record {address}"))),
        }
    }

    /// The way to the Bronze files with offsets `[first, first + count)` of a shard: resolve it without the view.
    pub fn bronze_lookup(&self, shard: &Shard, first: u64, count: u64) -> Result<BronzeLookup> {
        let end = first.saturating_add(count);
        let mut lookup = BronzeLookup { first, count, ..BronzeLookup::default() };
        let mut at = first;
        while at < end {
            let (files, next) = self.files_at(shard.id, at)?;
            for id in files {
                let Some(entry) = self.get::<Files>(&(shard.bronze_table, 0, id))? else {
                    lookup.folded.push(id);
                    continue;
                };
                if let FileRange::Offsets { first: f, count: c, .. } = &entry.range {
                    if *f < end && f + c > at {
                        lookup.found.push(entry);
                    }
                }
            }
            at = next;
        }
        if !lookup.folded.is_empty() {
            let manifests = self.scan::<Manifests>(&(shard.bronze_table, 0u32))?.into_iter().map(|(_, m)| m);
            lookup.manifests = manifests.filter(|m| m.ended.is_none()).collect();
        }
        Ok(lookup)
    }

    /// The files that hold a record and those after it, and the first offset that they do not hold.
    /// A commit keeps the names of the files it was made with; where its records were re-packed since,
    /// the packed file has them.
    fn files_at(&self, shard: ShardId, at: u64) -> Result<(Vec<FileId>, u64)> {
        if let Some(((_, first), packed)) = self.previous::<Packed>(&shard, &(shard, at))? {
            if at < first + packed.count {
                return Ok((vec![packed.file], first + packed.count));
            }
        }
        let commit = self.commit_of(RecordAddress { shard, offset: at })?;
        match commit.source {
            BronzeSource::Read { first_offset, count, files, .. } => Ok((files, first_offset + count)),
            BronzeSource::Replay { .. } => Err(missing(format!("record {shard}/{at}"))),
        }
    }

    /// The Bronze files that hold a commit's records now; a replay has none of its own.
    pub fn commit_files(&self, commit: &BronzeCommit) -> Result<Vec<FileId>> {
        match &commit.source {
            BronzeSource::Read { first_offset, .. } => Ok(self.files_at(commit.shard, *first_offset)?.0),
            BronzeSource::Replay { .. } => Ok(Vec::new()),
        }
    }
}
