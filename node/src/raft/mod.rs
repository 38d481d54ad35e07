//! Raft: the catalog's write-ahead log, its order and its replication.
//!
//! Everything of the protocol library (openraft 0.9) and of the log library (`raft-log`) stays in
//! this directory; the rest of the node sees [`MetaLog`] and [`RaftRuntime`].
//!
//! # The way of a command
//! `propose` puts encoded bytes into the bounded queue of the [`proposer`]. What has gathered there
//! becomes one entry. The [`log_store`] appends and fsyncs it, Raft commits it, the
//! [`state_machine`] applies it to the [`ReplicatedState`] and each caller gets its own reply. So an
//! acknowledged command is fsynced in the log, whatever the state's own durability is.
//!
//! # What lies on disk
//! `log/`: the write-ahead log, bound to the node's id. `snapshots/`: the last two verified
//! exports of the state; a damaged one is kept as `*.damaged`. The log is purged only up to the
//! older of the two, so that losing one snapshot loses nothing.
//!
//! # Invariants
//! - Entries and votes are fsynced before they are acknowledged; a failed flush stops the node.
//! - A torn tail is cut; damage to acknowledged entries is refused ([`log_store`], `tail`).
//! - A snapshot counts only after fsync, read-back, checksum and rename.
//! - Raft starts only with a state that reaches the beginning of the log ([`startup`]).
//! - The state is told the position of each entry and stores it together with its effects; it
//!   takes time from the entry, never from a clock.
//!
//! # Deliberately absent
//! A transport between nodes ([`network`] answers that peers cannot be reached) and changes of
//! membership.

pub mod codec;
pub mod log_store;
pub mod meta_log;
pub mod network;
pub mod proposer;
pub mod runtime;
pub mod snapshot;
pub mod startup;
pub mod state;
pub mod state_machine;
pub mod status;
pub mod types;

#[cfg(test)]
mod crash_tests;
#[cfg(test)]
mod memory_state;
#[cfg(test)]
mod trace_tests;

pub use log_store::LogOptions;
pub use meta_log::{Member, MetaLog, Outcome};
pub use proposer::RaftMetaLog;
pub use runtime::{RaftOptions, RaftRuntime};
pub use startup::Recovery;
pub use state::{Applied, ApplyMark, ReplicatedState};
pub use status::RaftStatus;
pub use types::{Proposal, ProposalReply, RaftNode};
