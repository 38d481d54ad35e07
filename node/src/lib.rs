//! The process: configuration, Raft runtime, admin service, CLI, start and stop.

pub mod raft;
