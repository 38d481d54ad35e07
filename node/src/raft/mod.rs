//! The Raft runtime. To be written.
