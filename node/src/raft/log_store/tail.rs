//! Repairs the end of the newest log file after a crash, before `raft-log` opens it.
//!
//! A crash may leave the last, never acknowledged write cut short, full of holes or scrambled
//! (pages reach the disk in any order). `raft-log` cuts a short or zeroed tail, refuses any other,
//! and cannot tell a torn tail from rot in the middle: a damaged length field would make it drop
//! acknowledged entries. So the decision is made here. Once an entry is committed, a `Commit`
//! record with its index is written behind it. Damage at entry N with an intact `Commit(>= N)`
//! behind it is therefore damage to acknowledged entries and refused; anything else is a torn
//! tail and cut. What no log can tell apart: rot in the very last acknowledged entry, with nothing
//! intact behind it, looks like a torn write.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use raft_log::codeq::Decode;
use raft_log::{RaftLogAction, RaftLogRecord, WALRecord};

use super::disk::LogTypes;

/// Type, position and checksum of a `Commit` record.
const COMMIT_BYTES: usize = 4 + 24 + 8;
const COMMIT_TYPE: [u8; 4] = [0, 0, 0, 2];

/// What was cut.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Cut {
    pub(super) file: PathBuf,
    pub(super) kept_bytes: u64,
    pub(super) cut_bytes: u64,
}

/// Cuts a torn tail off the newest log file of `dir`; answers what was cut, if anything.
///
/// # Errors
/// `InvalidData` if acknowledged entries are damaged; else what the file system answered.
pub(super) fn repair(dir: &Path) -> io::Result<Option<Cut>> {
    let Some(file) = newest_log_file(dir)? else { return Ok(None) };
    let bytes = std::fs::read(&file)?;
    let (good, next_index) = intact_prefix(&bytes);
    if good == bytes.len() {
        return Ok(None);
    }
    if let Some(index) = committed_behind(&bytes[good..], next_index) {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            format!(
                "the Raft log file {} is damaged at byte {good}, before entries up to {index} that were already acknowledged. \
                 Restore this node's data directory from a backup, or replace the node",
                file.display()
            ),
        ));
    }
    let out = OpenOptions::new().write(true).open(&file)?;
    out.set_len(good as u64)?;
    out.sync_all()?;
    File::open(dir)?.sync_all()?;
    Ok(Some(Cut { file, kept_bytes: good as u64, cut_bytes: (bytes.len() - good) as u64 }))
}

/// Names are `r-<26 digits>.wal`, so the greatest name is the newest file.
pub(super) fn newest_log_file(dir: &Path) -> io::Result<Option<PathBuf>> {
    let mut newest = None;
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        let is_log = path.extension().is_some_and(|e| e == "wal");
        if is_log && newest.as_ref().is_none_or(|n| &path > n) {
            newest = Some(path);
        }
    }
    Ok(newest)
}

/// Length of the prefix whose records are all intact, and the index of the entry that would come
/// next (none if the file says nothing about it).
fn intact_prefix(bytes: &[u8]) -> (usize, Option<u64>) {
    let mut at = 0;
    let mut next = None;
    while at < bytes.len() {
        let mut rest = &bytes[at..];
        let Ok(record) = RaftLogRecord::<LogTypes>::decode(&mut rest) else { break };
        at = bytes.len() - rest.len();
        match record {
            WALRecord::Action(RaftLogAction::Append(id, _)) => next = Some(id.index + 1),
            WALRecord::Action(RaftLogAction::TruncateAfter(id)) => next = Some(id.map_or(0, |id| id.index + 1)),
            WALRecord::Action(RaftLogAction::PurgeUpto(id)) => next = next.max(Some(id.index + 1)),
            WALRecord::Checkpoint(state) => next = Some(state.last().map_or(0, |id| id.index + 1)),
            WALRecord::Action(RaftLogAction::SaveVote(_) | RaftLogAction::Commit(_)) => {}
        }
    }
    (at, next)
}

/// The index of an intact commit record in `bytes` that proves entry `next_index` or a later one
/// acknowledged.
fn committed_behind(bytes: &[u8], next_index: Option<u64>) -> Option<u64> {
    bytes.windows(COMMIT_BYTES).filter(|w| w[..4] == COMMIT_TYPE).find_map(|mut window| {
        match RaftLogRecord::<LogTypes>::decode(&mut window) {
            Ok(WALRecord::Action(RaftLogAction::Commit(id))) if next_index.is_none_or(|next| id.index >= next) => Some(id.index),
            _ => None,
        }
    })
}
