//! The state machine without any Raft: properties of `apply`, snapshots, reopening.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod alerts;
mod anomalies;
mod budget;
mod commits;
mod compat;
mod control;
mod disk;
mod folding;
mod gold;
mod random;
mod repack;
mod schedules;
mod webhooks;
mod world;
