//! How far the files of a shard have been read, in a text of bounded size.
//!
//! Each file that is being read, or was read lately, has an [`Entry`]. Older entries of wholly read
//! files are dropped and stand under a watermark: everything whose time is at or below `w` is done.
//! While a pass over the files runs in the order of their names, everything with a time at or below
//! `p` and a name at or below `n` is done too. A file's time is its change time (local: it also moves
//! when a file is renamed into the directory, whatever modification time it brings) or its
//! last-modified time (S3).
//!
//! Limits: a file whose entry was dropped and that changes later is read again from its start (its
//! records meet their own keys again, so Silver does not change). An S3 multipart upload bears the
//! time of its start: one that takes longer than the newest files known then is missed if it
//! finishes after the watermark passed; upload such files in one put, or under another prefix first.

use std::collections::BTreeMap;

use lakewright_proto::SourcePosition;
use serde::{Deserialize, Serialize};

use super::listing::Found;
use crate::connectors::SourceError;

/// The text of all entries is kept below this.
const ENTRY_BUDGET: usize = 24 << 10;
/// How much of a file's beginning and end is fingerprinted.
pub const PRINT_BYTES: u64 = 4096;

/// What is known of one file. Field names are short: many stand in each position.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Size of the version seen.
    #[serde(rename = "s")]
    pub size: u64,
    /// Its time, microseconds since 1970 (see the module).
    #[serde(rename = "t")]
    pub time: i64,
    /// Its modification time, microseconds since 1970.
    #[serde(rename = "m")]
    pub modified: i64,
    /// Inode or ETag.
    #[serde(rename = "i")]
    pub id: String,
    /// Bytes (after decompression) or rows consumed: the start of the next record.
    #[serde(rename = "o")]
    pub offset: u64,
    /// Length of an open last line, delivered although it stands after `offset`.
    #[serde(rename = "u", default, skip_serializing_if = "is_zero")]
    pub open: u64,
    /// Raw bytes covered by the fingerprints.
    #[serde(rename = "c")]
    pub covered: u64,
    /// Fingerprint of the first 4 KiB of them.
    #[serde(rename = "h")]
    pub head: u64,
    /// Fingerprint of the last 4 KiB of them.
    #[serde(rename = "l")]
    pub tail: u64,
    /// Within a top-level JSON array.
    #[serde(rename = "a", default, skip_serializing_if = "is_false")]
    pub in_array: bool,
    /// The version seen was read to its end.
    #[serde(rename = "x", default, skip_serializing_if = "is_false")]
    pub finished: bool,
    /// It could not be read to its end; it is tried again when it changes.
    #[serde(rename = "f", default, skip_serializing_if = "is_false")]
    pub failed: bool,
}

fn is_zero(n: &u64) -> bool {
    *n == 0
}

fn is_false(b: &bool) -> bool {
    !b
}

/// The position of a shard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Position {
    /// The format of this text.
    v: u32,
    /// Everything up to this time is done.
    w: i64,
    /// The bound of the running pass.
    p: i64,
    /// The pass is done up to this name.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    n: String,
    /// Files by name.
    #[serde(rename = "e", default)]
    pub entries: BTreeMap<String, Entry>,
}

impl Default for Position {
    fn default() -> Self {
        Self { v: 1, w: i64::MIN, p: i64::MIN, n: String::new(), entries: BTreeMap::new() }
    }
}

impl Position {
    /// Reads a stored position.
    pub fn decode(p: Option<&SourcePosition>) -> Result<Self, SourceError> {
        let Some(p) = p else { return Ok(Self::default()) };
        let bad = |why: String| {
            SourceError::Fatal(format!("the stored position is not one of the files connector ({why}); reset the connector's position"))
        };
        let position: Self = serde_json::from_str(&p.0).map_err(|e| bad(e.to_string()))?;
        if position.v != 1 {
            return Err(bad(format!("version {}", position.v)));
        }
        Ok(position)
    }

    /// The text to store.
    pub fn encode(&self) -> Result<SourcePosition, SourceError> {
        serde_json::to_string(self).map(SourcePosition).map_err(|e| SourceError::Fatal(format!("the position cannot be written: {e}")))
    }

    fn done(&self, time: i64, name: &str) -> bool {
        time <= self.w || (time <= self.p && name <= self.n.as_str())
    }

    /// Starts a pass over all files whose time is at or below `bound`; a running pass keeps its own.
    pub fn begin_pass(&mut self, bound: i64) {
        if self.n.is_empty() {
            self.p = bound.max(self.w);
        }
    }

    /// Whether a pass was begun and not ended, perhaps by an earlier reader.
    pub fn is_in_pass(&self) -> bool {
        !self.n.is_empty()
    }

    /// Whether a listed file has something to read in this pass. `now`: the time of the listing.
    pub fn wants(&self, f: &Found, now: i64) -> bool {
        match self.entries.get(&f.name) {
            Some(e) => {
                let same = e.size == f.size && e.modified == f.modified && e.id == f.id && !(e.failed && e.time != f.time);
                !(same && e.finished)
            }
            // A time in the future (a clock that was set back) cannot wait for the watermark.
            None => !self.done(f.time, &f.name) && (f.time <= self.p || f.time > now),
        }
    }

    /// The pass has gone past this file.
    pub fn passed(&mut self, f: &Found) {
        if f.time <= self.p && f.name > self.n {
            self.n.clone_from(&f.name);
        }
    }

    /// The pass is over.
    pub fn end_pass(&mut self) {
        self.w = self.w.max(self.p);
        self.n.clear();
    }

    /// Forgets files that are gone. Returns those of which a part had not been read.
    pub fn forget_missing(&mut self, exists: impl Fn(&str) -> bool) -> Vec<String> {
        let mut lost = Vec::new();
        self.entries.retain(|name, e| {
            let keep = exists(name);
            if !keep && !e.finished {
                lost.push(name.clone());
            }
            keep
        });
        lost
    }

    /// Drops the oldest entries of wholly read files that the watermark covers, until the rest fits.
    pub fn shrink(&mut self) {
        let cost = |name: &str| name.len() + 150;
        let mut total: usize = self.entries.keys().map(|n| cost(n)).sum();
        if total <= ENTRY_BUDGET {
            return;
        }
        let mut old: Vec<(i64, String)> =
            self.entries.iter().filter(|(n, e)| e.finished && self.done(e.time, n)).map(|(n, e)| (e.time, n.clone())).collect();
        old.sort_unstable();
        for (_, name) in old {
            // Some room, so that this does not run for each file.
            if total <= ENTRY_BUDGET * 3 / 4 {
                break;
            }
            total -= cost(&name);
            self.entries.remove(&name);
        }
    }
}
