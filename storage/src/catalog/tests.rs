//! The state machine without any Raft: properties of `apply`, snapshots, reopening.
