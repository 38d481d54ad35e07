//! The label in every data file: which cluster wrote it, for which table, and which records or
//! commits it covers. Enough to re-adopt Bronze, and to know whose file it is, without the catalog.

use lakewright_proto::{ClusterId, CommitSeq, FileId, RunId, ShardEpoch, ShardId, SourcePosition, TableId, TenantId};
use parquet::file::metadata::KeyValue;
use serde::{Deserialize, Serialize};

use crate::error::{Result, StorageError};

/// The version of this label.
pub const FOOTER_FORMAT: u32 = 1;
const PREFIX: &str = "lakewright.";

/// Who owned what the file belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Owner {
    /// A connector shard (Bronze and the system files of its commits).
    Shard(ShardId),
    /// A bucket of a Silver table.
    Bucket(u32),
}

/// What the file covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Span {
    /// Record offsets of the shard, the end excluded.
    Offsets {
        /// The first offset.
        first: u64,
        /// One past the last.
        end: u64,
    },
    /// Bronze commits that a Silver commit consumed: from (excluded) to (included).
    Watermark {
        /// The watermark before.
        from: CommitSeq,
        /// The watermark after.
        to: CommitSeq,
    },
}

/// The label of a data file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Footer {
    /// The cluster.
    pub cluster: ClusterId,
    /// Raised by each restore of the cluster.
    pub incarnation: u64,
    /// Whose records these are.
    pub tenant: TenantId,
    /// The table.
    pub table: TableId,
    /// The file itself.
    pub file: FileId,
    /// The shard or bucket.
    pub owner: Owner,
    /// The owner's epoch.
    pub epoch: ShardEpoch,
    /// Offsets or commits.
    pub span: Span,
    /// The source position before the first record (Bronze).
    pub previous: Option<SourcePosition>,
    /// The source position after the last record (Bronze).
    pub next: Option<SourcePosition>,
    /// The ingestion run.
    pub run: Option<RunId>,
    /// The pack version (its hash) that checked or made the rows.
    pub pack: Option<String>,
}

impl Footer {
    /// The key-value metadata, in a fixed order; the last entry is a checksum of the others.
    pub fn encode(&self) -> Vec<KeyValue> {
        let (owner, owner_id) = match self.owner {
            Owner::Shard(s) => ("shard", s.to_string()),
            Owner::Bucket(b) => ("bucket", b.to_string()),
        };
        let (span, from, to) = match self.span {
            Span::Offsets { first, end } => ("offsets", first, end),
            Span::Watermark { from, to } => ("watermark", from.0, to.0),
        };
        let mut entries: Vec<(&str, String)> = vec![
            ("format", FOOTER_FORMAT.to_string()),
            ("cluster", self.cluster.to_string()),
            ("incarnation", self.incarnation.to_string()),
            ("tenant", self.tenant.to_string()),
            ("table", self.table.to_string()),
            ("file", self.file.to_string()),
            (owner, owner_id),
            ("epoch", self.epoch.to_string()),
            (span, format!("{from}..{to}")),
        ];
        let optional = [
            ("previous", self.previous.as_ref().map(|p| p.0.clone())),
            ("next", self.next.as_ref().map(|p| p.0.clone())),
            ("run", self.run.map(|r| r.to_string())),
            ("pack", self.pack.clone()),
        ];
        entries.extend(optional.into_iter().filter_map(|(k, v)| Some((k, v?))));
        let sum = checksum(entries.iter().map(|(k, v)| (*k, v.as_str())));
        entries.push(("crc32", format!("{sum:08x}")));
        entries.into_iter().map(|(k, v)| KeyValue::new(format!("{PREFIX}{k}"), v)).collect()
    }

    /// Reads the label of the file `path`.
    pub fn decode(path: &str, metadata: Option<&Vec<KeyValue>>) -> Result<Self> {
        let ours: Vec<(&str, &str)> = metadata
            .into_iter()
            .flatten()
            .filter_map(|kv| Some((kv.key.strip_prefix(PREFIX)?, kv.value.as_deref().unwrap_or(""))))
            .collect();
        let bad = |why: String| StorageError::corrupt(path, why);
        let find = |key: &str| ours.iter().find(|(k, _)| *k == key).map(|(_, v)| *v);
        let get = |key: &str| find(key).ok_or_else(|| bad(format!("its footer has no {PREFIX}{key}; it was not written by Lakewright")));
        let format: u32 = parse(path, "format", get("format")?)?;
        if format != FOOTER_FORMAT {
            return Err(bad(format!("its footer has format {format}, this build reads {FOOTER_FORMAT}")));
        }
        let sum = checksum(ours.iter().filter(|(k, _)| *k != "crc32").copied());
        if get("crc32")? != format!("{sum:08x}") {
            return Err(bad("its footer's checksum does not match".to_owned()));
        }
        let owner = match find("shard") {
            Some(s) => Owner::Shard(ShardId(parse(path, "shard", s)?)),
            None => Owner::Bucket(parse(path, "bucket", get("bucket")?)?),
        };
        let range = |key: &str, v: &str| {
            let (a, b) = v.split_once("..").ok_or_else(|| bad(format!("its footer's {key} is {v:?}")))?;
            Ok::<_, StorageError>((parse::<u64>(path, key, a)?, parse::<u64>(path, key, b)?))
        };
        let span = match find("offsets") {
            Some(v) => range("offsets", v).map(|(first, end)| Span::Offsets { first, end })?,
            None => range("watermark", get("watermark")?).map(|(a, b)| Span::Watermark { from: CommitSeq(a), to: CommitSeq(b) })?,
        };
        Ok(Self {
            cluster: parse(path, "cluster", get("cluster")?)?,
            incarnation: parse(path, "incarnation", get("incarnation")?)?,
            tenant: parse(path, "tenant", get("tenant")?)?,
            table: parse(path, "table", get("table")?)?,
            file: parse(path, "file", get("file")?)?,
            owner,
            epoch: ShardEpoch(parse(path, "epoch", get("epoch")?)?),
            span,
            previous: find("previous").map(|p| SourcePosition(p.to_owned())),
            next: find("next").map(|p| SourcePosition(p.to_owned())),
            run: find("run").map(|r| parse(path, "run", r)).transpose()?,
            pack: find("pack").map(str::to_owned),
        })
    }
}

fn parse<T: std::str::FromStr>(path: &str, key: &str, v: &str) -> Result<T> {
    v.parse().map_err(|_| StorageError::corrupt(path, format!("its footer's {PREFIX}{key} is {v:?}")))
}

fn checksum<'a>(entries: impl Iterator<Item = (&'a str, &'a str)>) -> u32 {
    let mut h = crc32fast::Hasher::new();
    for (k, v) in entries {
        for part in [k, v] {
            h.update(&(part.len() as u64).to_be_bytes());
            h.update(part.as_bytes());
        }
    }
    h.finalize()
}
