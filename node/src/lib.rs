//! The process: configuration, Raft runtime, admin service, CLI, start and stop.

pub mod admin;
pub mod allocator;
pub mod auth;
pub mod catalog_state;
pub mod cli;
pub mod config;
pub mod directory;
pub mod first_start;
pub mod metric_names;
pub mod queries;
pub mod raft;
pub mod recover;
pub mod secrets;
pub mod serve;
pub mod startup;
pub mod telemetry;
pub mod ticket_ring;
pub mod tls;
pub mod token_recovery;
