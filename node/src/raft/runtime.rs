//! The running Raft of one node: its own threads, its start and its ordered stop.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use lakewright_proto::{Error, ErrorCode};
use openraft::{ServerState, SnapshotPolicy};
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;

use super::log_store::{LogGrowth, LogOptions, LogStore};
use super::network::Network;
use super::proposer::RaftMetaLog;
use super::snapshot::SnapshotDir;
use super::startup::{self, Recovery};
use super::state::ReplicatedState;
use super::state_machine::StateMachine;
use super::status::RaftStatus;
use super::types::{Raft, RaftNode};

/// How long queued commands may take at a stop.
const DRAIN_WITHIN: Duration = Duration::from_secs(5);
/// How long a snapshot that is being written may hold up a stop; it is then abandoned.
const THREADS_END_WITHIN: Duration = Duration::from_secs(2);

/// How Raft runs. The defaults are the product's.
#[derive(Clone, Debug)]
pub struct RaftOptions {
    /// Whether the state was closed cleanly (see [`startup::recover`]).
    pub state_is_trusted: bool,
    /// Threads of Raft's own runtime, at least 2: one may be applying.
    pub threads: usize,
    /// Sizes of the log.
    pub log: LogOptions,
    /// Entries after which a snapshot is cut.
    pub snapshot_after_entries: u64,
    /// Entries kept in the log behind the newest snapshot, for followers that lag a little.
    pub keep_entries: u64,
    /// How long an entry may take before its outcome counts as unknown.
    pub answer_within: Duration,
    /// How long to wait at start for this node to lead.
    pub lead_within: Duration,
}

impl Default for RaftOptions {
    fn default() -> Self {
        Self {
            state_is_trusted: false,
            threads: 2,
            log: LogOptions::default(),
            snapshot_after_entries: 10_000,
            keep_entries: 2_000,
            answer_within: Duration::from_secs(30),
            lead_within: Duration::from_secs(30),
        }
    }
}

/// Raft, running. Stop it with [`RaftRuntime::shutdown`]; dropping it stops it like a crash would.
pub struct RaftRuntime {
    raft: Raft,
    meta: RaftMetaLog,
    log: LogStore,
    machine: StateMachine,
    recovery: Recovery,
    proposer: Option<JoinHandle<()>>,
    watcher: JoinHandle<()>,
    runtime: Option<Runtime>,
}

impl RaftRuntime {
    /// Opens the log (`dir/log`) and the snapshots (`dir/snapshots`), recovers `state`, starts
    /// Raft, founds a cluster of one if there is none, and waits until this node leads and has
    /// applied what was committed.
    ///
    /// # Errors
    /// As [`startup::recover`] and [`LogStore::open`]; `Unavailable` if no leader is found in time.
    pub async fn start(
        dir: &Path,
        node_id: u64,
        node: RaftNode,
        state: Arc<dyn ReplicatedState>,
        options: RaftOptions,
    ) -> Result<Self, Error> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(options.threads.max(2))
            .max_blocking_threads(8)
            .thread_name("raft")
            .enable_all()
            .build()
            .map_err(|e| Error::new(ErrorCode::ResourceExhausted, format!("the threads of Raft cannot be started: {e}")))?;
        let handle = runtime.handle().clone();
        let dir = dir.to_owned();
        let inside = handle.clone();
        let begun = runtime.spawn(async move { Self::begin(&dir, node_id, node, state, &options, inside).await });
        let begun = match begun.await {
            Ok(begun) => begun,
            Err(e) => Err(Error::new(ErrorCode::Internal, format!("starting Raft failed: {e}"))),
        };
        match begun {
            Ok(mut me) => {
                me.runtime = Some(runtime);
                Ok(me)
            }
            Err(e) => {
                runtime.shutdown_background();
                Err(e)
            }
        }
    }

    /// Runs on Raft's own runtime, so that every task that openraft spawns lives there.
    async fn begin(
        dir: &Path,
        node_id: u64,
        node: RaftNode,
        state: Arc<dyn ReplicatedState>,
        options: &RaftOptions,
        handle: tokio::runtime::Handle,
    ) -> Result<Self, Error> {
        let (log_dir, snapshot_dir) = (dir.join("log"), dir.join("snapshots"));
        let (log_options, trusted, ready_state) = (options.log, options.state_is_trusted, Arc::clone(&state));
        let opened = tokio::task::spawn_blocking(move || {
            // The log first: it locks the directory, and the snapshots' leftovers are removed.
            let log = LogStore::open(&log_dir, node_id, log_options).map_err(|e| open_error("log", &log_dir, &e))?;
            let snapshots = SnapshotDir::open(&snapshot_dir).map_err(|e| open_error("snapshots", &snapshot_dir, &e))?;
            let log = log.purging_below(snapshots.durable());
            let recovery = startup::recover(ready_state.as_ref(), trusted, &snapshots, &log)?;
            Ok::<_, Error>((snapshots, log, recovery))
        })
        .await;
        let (snapshots, log, recovery) =
            opened.map_err(|e| Error::new(ErrorCode::Internal, format!("recovering the catalog failed: {e}")))??;
        tracing::info!(?recovery, "the catalog's state is ready for Raft");

        let machine = StateMachine::new(state, Arc::new(snapshots));
        let config = Arc::new(raft_config(options)?);
        let raft = Raft::new(node_id, config, Network, log.clone(), machine.clone()).await.map_err(|e| stopped(&e))?;
        if !raft.is_initialized().await.map_err(|e| stopped(&e))? {
            let members = std::collections::BTreeMap::from([(node_id, node)]);
            raft.initialize(members).await.map_err(|e| Error::new(ErrorCode::Internal, format!("the cluster cannot be founded: {e}")))?;
        }
        lead(&raft, node_id, options.lead_within).await?;
        let (meta, proposer) = RaftMetaLog::start(raft.clone(), &handle, options.answer_within);
        let watcher = handle.spawn(snapshot_by_bytes(raft.clone(), log.growth()));
        Ok(Self { raft, meta, log, machine, recovery, proposer: Some(proposer), watcher, runtime: None })
    }

    /// The log of catalog commands.
    pub fn meta_log(&self) -> RaftMetaLog {
        self.meta.clone()
    }

    /// How the state was recovered at the start.
    pub fn recovery(&self) -> Recovery {
        self.recovery
    }

    /// A handle that looks at Raft.
    pub fn status(&self) -> RaftStatus {
        RaftStatus::new(self.raft.clone())
    }

    /// The protocol's own handle, for membership and metrics.
    pub fn raft(&self) -> &Raft {
        &self.raft
    }

    /// Resolves once Raft has stopped by itself (the log or the state cannot be written). The
    /// process must then end: nothing can be committed any more.
    pub async fn failed(&self) -> Error {
        let mut metrics = self.raft.metrics();
        let ended = metrics.wait_for(|m| m.running_state.is_err()).await;
        let why = match ended {
            Ok(m) => m.running_state.as_ref().err().map(ToString::to_string).unwrap_or_default(),
            Err(_) => "its core task is gone".to_owned(),
        };
        Error::new(ErrorCode::Unavailable, format!("Raft stopped: {why}. Check the disk of the data directory, then restart the node"))
    }

    /// Stops in order: no more commands, queued ones answered, Raft stopped, log synced, threads
    /// ended. After it nothing is applied any more, and the state may be closed and marked clean.
    ///
    /// # Errors
    /// If Raft or the log ended badly; the state must then not be marked clean.
    pub async fn shutdown(mut self) -> Result<(), Error> {
        self.meta.close();
        let drained = match self.proposer.take() {
            None => Ok(()),
            Some(mut proposer) => match tokio::time::timeout(DRAIN_WITHIN, &mut proposer).await {
                Ok(ended) => ended,
                Err(_) => {
                    // The disk stalls. Who still waits is told that the outcome is unknown.
                    proposer.abort();
                    Ok(())
                }
            },
        };
        self.watcher.abort();
        let raft = self.raft.shutdown().await;
        let (log, machine) = (self.log.clone(), self.machine.clone());
        let runtime = self.runtime.take();
        let synced = tokio::task::spawn_blocking(move || {
            machine.close();
            let synced = log.sync();
            drop(log);
            if let Some(runtime) = runtime {
                runtime.shutdown_timeout(THREADS_END_WITHIN);
            }
            synced
        })
        .await;
        drained.map_err(|e| Error::new(ErrorCode::Internal, format!("the proposer ended badly: {e}")))?;
        raft.map_err(|e| Error::new(ErrorCode::Internal, format!("Raft ended badly: {e}")))?;
        match synced {
            Ok(Ok(())) => Ok(()),
            Ok(Err(e)) => Err(Error::new(ErrorCode::Unavailable, format!("the Raft log cannot be synced: {e}"))),
            Err(e) => Err(Error::new(ErrorCode::Internal, format!("stopping Raft failed: {e}"))),
        }
    }
}

impl Drop for RaftRuntime {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

fn raft_config(options: &RaftOptions) -> Result<openraft::Config, Error> {
    let config = openraft::Config {
        cluster_name: "lakewright".to_owned(),
        heartbeat_interval: 250,
        election_timeout_min: 1_500,
        election_timeout_max: 3_000,
        install_snapshot_timeout: 10_000,
        snapshot_policy: SnapshotPolicy::LogsSinceLast(options.snapshot_after_entries),
        max_in_snapshot_log_to_keep: options.keep_entries,
        purge_batch_size: 256.min(options.snapshot_after_entries),
        ..openraft::Config::default()
    };
    config.validate().map_err(|e| Error::new(ErrorCode::Internal, format!("Raft's settings contradict each other: {e}")))
}

/// A sole voter need not wait for its election timeout.
async fn lead(raft: &Raft, node_id: u64, within: Duration) -> Result<(), Error> {
    let sole_voter = {
        let metrics = raft.metrics();
        let metrics = metrics.borrow();
        metrics.membership_config.membership().voter_ids().eq([node_id]) && metrics.state != ServerState::Leader
    };
    if sole_voter {
        raft.trigger().elect().await.map_err(|e| stopped(&e))?;
    }
    let led = raft
        .wait(Some(within))
        .metrics(|m| m.current_leader.is_some() && m.last_applied.map(|id| id.index) >= m.last_log_index, "a leader, and the log applied")
        .await;
    led.map(drop).map_err(|e| Error::new(ErrorCode::Unavailable, format!("no leader was found in {} s: {e}", within.as_secs())))
}

async fn snapshot_by_bytes(raft: Raft, growth: Arc<LogGrowth>) {
    loop {
        growth.due().await;
        if let Err(e) = raft.trigger().snapshot().await {
            tracing::warn!(error = %e, "a snapshot cannot be asked for: Raft has stopped");
            return;
        }
    }
}

fn stopped(e: &dyn std::fmt::Display) -> Error {
    Error::new(ErrorCode::Unavailable, format!("Raft cannot run: {e}"))
}

fn open_error(what: &str, dir: &Path, e: &io::Error) -> Error {
    let code = if e.kind() == io::ErrorKind::InvalidData { ErrorCode::DataLoss } else { ErrorCode::Unavailable };
    Error::new(code, format!("the Raft {what} in {} cannot be opened: {e}", dir.display()))
}

#[cfg(test)]
mod tests;
