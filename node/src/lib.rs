//! The process: configuration, Raft runtime, admin service, CLI, start and stop.

pub mod auth;
pub mod config;
pub mod metric_names;
pub mod raft;
pub mod secrets;
pub mod telemetry;
pub mod tls;
