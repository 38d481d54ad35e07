//! openraft's own test suite for storage, run on our log and state machine.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::sync::Arc;

use openraft::testing::{StoreBuilder, Suite};

use super::{LogOptions, LogStore};
use crate::raft::memory_state::MemoryState;
use crate::raft::snapshot::SnapshotDir;
use crate::raft::state_machine::StateMachine;
use crate::raft::types::{RaftStorageError, TypeConfig};

struct Builder {
    options: LogOptions,
}

impl StoreBuilder<TypeConfig, LogStore, StateMachine, tempfile::TempDir> for Builder {
    async fn build(&self) -> Result<(tempfile::TempDir, LogStore, StateMachine), RaftStorageError> {
        let dir = tempfile::tempdir().unwrap();
        // The suite purges without snapshots, so nothing holds the purge back here.
        let log = LogStore::open(&dir.path().join("log"), 0, self.options).unwrap();
        let snapshots = Arc::new(SnapshotDir::open(&dir.path().join("snapshots")).unwrap());
        Ok((dir, log, StateMachine::new(MemoryState::shared(), snapshots)))
    }
}

#[test]
fn openraft_suite_passes() {
    Suite::test_all(Builder { options: LogOptions::default() }).unwrap();
}

#[test]
fn openraft_suite_passes_with_tiny_files_and_cache() {
    Suite::test_all(Builder { options: LogOptions { cache_bytes: 1, file_bytes: 256, snapshot_after_bytes: 1 << 20 } }).unwrap();
}
