//! Before Raft starts: brings the state to where the log can take it on, or refuses.
//!
//! The log may begin after entry 1 (older entries were purged). The state must stand at or behind
//! its beginning, else entries would be missing without anybody noticing.

use lakewright_proto::{Error, ErrorCode};

use super::codec;
use super::log_store::LogStore;
use super::snapshot::SnapshotDir;
use super::state::ReplicatedState;
use super::types::LogId;

/// How the state got to where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recovery {
    /// Nothing was ever written here.
    Fresh,
    /// The state was stopped cleanly and is used as it is.
    Kept,
    /// The state was loaded from the newest good snapshot; the log after it is replayed.
    Loaded,
    /// The state is empty and the whole log is replayed.
    Replayed,
}

/// Makes `state` ready for Raft. `state_is_trusted`: it was closed cleanly and holds what it held;
/// an untrusted state must come in empty. Blocks on disk.
///
/// # Errors
/// `DataLoss` if neither the state nor a good snapshot reaches the beginning of the log, or the
/// log is gone while the state or a snapshot exists; `Internal` if an untrusted state is not empty.
pub fn recover(state: &dyn ReplicatedState, state_is_trusted: bool, snapshots: &SnapshotDir, log: &LogStore) -> Result<Recovery, Error> {
    let stands_at = applied(state)?;
    if !state_is_trusted && stands_at.is_some() {
        return Err(Error::new(
            ErrorCode::Internal,
            "the catalog's state was not closed cleanly and was not emptied before the start; remove the state's directory and start again",
        ));
    }
    if log.is_pristine() {
        if stands_at.is_some() || snapshots.newest().is_some() {
            return Err(Error::new(
                ErrorCode::DataLoss,
                "the Raft log is missing while the catalog's state or a snapshot exists: a node that forgot its votes must not go on under its \
                 old id. Restore the data directory from a backup, or join as a new node with an empty data directory",
            ));
        }
        return Ok(Recovery::Fresh);
    }
    let purged = log.last_purged();
    if stands_at.is_some() && reaches(stands_at, purged) {
        return Ok(Recovery::Kept);
    }
    let loaded = snapshots.load_newest(state).map_err(|e| {
        Error::new(
            ErrorCode::DataLoss,
            format!("the catalog cannot be loaded from its newest snapshot: {e}. Restore the data directory from a backup"),
        )
    })?;
    let now = loaded.as_ref().and_then(|meta| meta.last_log_id);
    if !reaches(now, purged) {
        let begins = purged.map_or(0, |p| p.index + 1);
        let have =
            now.map_or_else(|| "there is no good snapshot".to_owned(), |n| format!("the newest good snapshot ends at entry {}", n.index));
        return Err(Error::new(
            ErrorCode::DataLoss,
            format!(
                "the catalog cannot be rebuilt: the Raft log begins at entry {begins} and {have}. Restore the data directory from a backup, \
                 or replace this node: remove it from the cluster and join with an empty data directory"
            ),
        ));
    }
    Ok(if loaded.is_some() { Recovery::Loaded } else { Recovery::Replayed })
}

fn reaches(stands_at: Option<LogId>, purged: Option<LogId>) -> bool {
    stands_at >= purged
}

fn applied(state: &dyn ReplicatedState) -> Result<Option<LogId>, Error> {
    let read = || state.applied()?.log_id.as_deref().map(codec::decode_log_id).transpose();
    read().map_err(|e: std::io::Error| Error::new(ErrorCode::DataLoss, format!("what the catalog applied last cannot be read: {e}")))
}

#[cfg(test)]
mod tests;
