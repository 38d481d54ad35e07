//! The Raft log on disk, over the crate `raft-log`.
//!
//! Entries and votes are fsynced before they are acknowledged; the committed position is written
//! but not fsynced (it only shortens replay, and `tail` uses it as evidence). What the crate gets
//! right: names of new files and removals are fsynced in the directory, a file is synced before
//! its successor starts, removals follow the fsync of the purge. What is added here: the tail
//! repair; an fsync at open, since entries that a killed process wrote but did not sync count as
//! durable once Raft has read them; a marker naming the format and the node that owns the log.

mod disk;
mod raft_traits;
mod tail;

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use raft_log::api::raft_log_writer::RaftLogWriter;
use raft_log::chunked_wal::ChunkedWal;
use raft_log::{RaftLog, RaftWalTypes};
use tokio::sync::{watch, Notify};

use self::disk::{DiskLogId, Flushed, LogTypes};
use super::snapshot::Durable;
use super::types::LogId;

/// How long a purge beyond the log waits for the snapshot that replaces it.
const INSTALL_WAIT: Duration = Duration::from_secs(120);

/// Sizes of the log.
#[derive(Clone, Copy, Debug)]
pub struct LogOptions {
    /// Bytes of entries kept in memory.
    pub cache_bytes: usize,
    /// Bytes after which a new file is begun; entries of the newest file stay in memory.
    pub file_bytes: usize,
    /// Bytes appended after which a snapshot is asked for.
    pub snapshot_after_bytes: u64,
}

impl Default for LogOptions {
    fn default() -> Self {
        Self { cache_bytes: 16 << 20, file_bytes: 8 << 20, snapshot_after_bytes: 64 << 20 }
    }
}

/// Bytes appended since the last snapshot, and the wish for a new one.
#[derive(Debug, Default)]
pub struct LogGrowth {
    bytes: AtomicU64,
    limit: u64,
    full: Notify,
}

impl LogGrowth {
    fn add(&self, bytes: u64) {
        if self.bytes.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes) >= self.limit {
            self.full.notify_one();
        }
    }

    /// Waits until a snapshot is due by bytes, and starts counting anew.
    pub async fn due(&self) {
        loop {
            self.full.notified().await;
            if self.bytes.load(Ordering::Relaxed) >= self.limit {
                self.bytes.store(0, Ordering::Relaxed);
                return;
            }
        }
    }
}

/// The log of one node. Clones share it.
#[derive(Clone)]
pub struct LogStore {
    log: Arc<Mutex<RaftLog<LogTypes>>>,
    failed: Arc<Mutex<Option<String>>>,
    growth: Arc<LogGrowth>,
    snapshots: Option<watch::Receiver<Durable>>,
}

impl LogStore {
    /// Opens the log of node `node_id` in `dir` (made if missing), repairs a torn tail and makes
    /// everything read durable. Blocks on disk. The log is this process's alone from then on.
    ///
    /// # Errors
    /// If acknowledged entries are damaged, the log is another node's or in use, or disk fails.
    pub fn open(dir: &Path, node_id: u64, options: LogOptions) -> io::Result<Self> {
        create_dir(dir)?;
        let mut config = raft_log::Config::new(dir.display());
        config.log_cache_capacity = Some(options.cache_bytes);
        config.wal.chunk_max_size = Some(options.file_bytes);
        config.wal.read_buffer_size = Some(1 << 20);
        // Group commit happens in the proposer: waiting here would only delay every fsync.
        config.wal.flush_batch_wait = Some(Duration::ZERO);
        // Under the lock: what a living process is writing must not pass for a torn tail.
        let lock = ChunkedWal::<RaftWalTypes<LogTypes>>::acquire_lock(&config.wal)?;
        if let Some(cut) = tail::repair(dir)? {
            tracing::warn!(
                file = %cut.file.display(), kept_bytes = cut.kept_bytes, cut_bytes = cut.cut_bytes,
                "cut a torn write off the Raft log; it was never acknowledged"
            );
        }
        drop(lock);
        let mut log = RaftLog::<LogTypes>::open(Arc::new(config))?;
        claim(&mut log, node_id, dir)?;

        let (tx, rx) = std::sync::mpsc::sync_channel(1);
        log.flush(true, Some(Flushed::Blocking(tx)))?;
        rx.recv().map_err(io::Error::other)??;
        let growth = LogGrowth { limit: options.snapshot_after_bytes, ..LogGrowth::default() };
        // A node that restarts often must still come to its snapshots.
        growth.add(log.stat().closed_chunks.iter().map(|c| c.size).sum());
        Ok(Self { log: Arc::new(Mutex::new(log)), failed: Arc::default(), growth: Arc::new(growth), snapshots: None })
    }

    /// From here on nothing is purged that the kept snapshots do not cover.
    #[must_use]
    pub fn purging_below(self, snapshots: watch::Receiver<Durable>) -> Self {
        Self { snapshots: Some(snapshots), ..self }
    }

    /// The position up to which entries were removed, if any were.
    pub fn last_purged(&self) -> Option<LogId> {
        self.log.lock().log_state().purged().map(LogId::from)
    }

    /// Whether nothing was ever written: no vote, no entry.
    pub fn is_pristine(&self) -> bool {
        let log = self.log.lock();
        let state = log.log_state();
        state.vote().is_none() && state.last().is_none()
    }

    /// The counter behind snapshots by bytes.
    pub fn growth(&self) -> Arc<LogGrowth> {
        Arc::clone(&self.growth)
    }

    /// Syncs everything written so far. Blocks on disk.
    ///
    /// # Errors
    /// If the flush fails.
    pub fn sync(&self) -> io::Result<()> {
        let (tx, rx) = std::sync::mpsc::sync_channel(1);
        self.log.lock().flush(true, Some(Flushed::Blocking(tx)))?;
        rx.recv().map_err(io::Error::other)?
    }

    /// Writes through `write`, then fsyncs and waits for it.
    async fn write_synced(&self, write: impl FnOnce(&mut RaftLog<LogTypes>) -> io::Result<()>) -> io::Result<()> {
        self.check()?;
        let (tx, rx) = tokio::sync::oneshot::channel();
        {
            let mut log = self.log.lock();
            write(&mut log)?;
            log.flush(true, Some(Flushed::Other(tx)))?;
        }
        rx.await.map_err(|_| io::Error::other("the Raft log's flush thread has stopped"))?
    }

    /// After one failed flush nothing more is written: the disk's content is unknown.
    fn check(&self) -> io::Result<()> {
        match self.failed.lock().as_ref() {
            None => Ok(()),
            Some(e) => Err(io::Error::other(format!("the Raft log failed earlier: {e}; restart the node once the disk is sound"))),
        }
    }

    /// How far a purge up to `upto` may really go (none: nothing may go). Waits, should `upto` lie
    /// beyond the log: that is a snapshot being installed, which must be durable first.
    async fn purgeable(&self, upto: LogId) -> io::Result<Option<LogId>> {
        let Some(mut snapshots) = self.snapshots.clone() else { return Ok(Some(upto)) };
        let covered = |limit: Option<LogId>| limit.is_some_and(|l| l.index >= upto.index);
        let inside = self.log.lock().log_state().last().is_some_and(|last| last >= &DiskLogId::from(&upto));
        if inside {
            let limit = snapshots.borrow().oldest;
            return Ok(if covered(limit) { Some(upto) } else { limit });
        }
        let waiting = snapshots.wait_for(|durable| covered(durable.newest));
        let durable = tokio::time::timeout(INSTALL_WAIT, waiting).await.is_ok_and(|found| found.is_ok());
        if !durable {
            return Err(io::Error::other(format!("no durable snapshot covers entry {}; the log is kept", upto.index)));
        }
        Ok(Some(upto))
    }
}

/// Writes the marker into a new log; refuses another format's or node's.
fn claim(log: &mut RaftLog<LogTypes>, node_id: u64, dir: &Path) -> io::Result<()> {
    let marker = format!("lakewright-raft-log v1 node {node_id}");
    match &log.log_state().user_data {
        Some(found) if *found == marker => Ok(()),
        None if log.log_state().last().is_none() && log.log_state().vote().is_none() => {
            log.save_user_data(Some(marker))?;
            Ok(())
        }
        found => Err(io::Error::new(
            io::ErrorKind::InvalidData,
            format!(
                "{} holds '{}', not '{marker}': it is another node's log or of another version. Check node.id and the data directory",
                dir.display(),
                found.as_deref().unwrap_or("an unmarked log")
            ),
        )),
    }
}

/// Makes a directory whose name survives a power loss.
pub(super) fn create_dir(dir: &Path) -> io::Result<()> {
    if dir.is_dir() {
        return Ok(());
    }
    std::fs::create_dir_all(dir)?;
    match dir.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => File::open(parent)?.sync_all(),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod suite_tests;
#[cfg(test)]
mod tests;
