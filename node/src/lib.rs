//! The process: configuration, Raft runtime, admin service, CLI, start and stop.

pub mod auth;
pub mod cli;
pub mod config;
pub mod metric_names;
pub mod raft;
pub mod secrets;
pub mod start;
pub mod telemetry;
pub mod tls;
pub mod token_recovery;
