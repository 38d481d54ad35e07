//! Which shards may be read, and when a run is read.

use lakewright_proto::{CommitSeq, ConnectorId, RunId, ShardEpoch, ShardId, TableId, TenantId};
use lakewright_storage::catalog::records::{Run, RunMode, RunStatus, Shard, ShardStatus};

use super::state::OpenRun;
use crate::shard::ShardEnd;

fn run(mode: RunMode) -> Run {
    Run {
        id: RunId::generate(),
        tenant_id: TenantId::generate(),
        connector_id: ConnectorId::generate(),
        entity: "s".into(),
        mode,
        status: RunStatus::Running,
        trigger: "manual".into(),
        replay_of: None,
        started_at: 0,
        ended_at: None,
        scan: 1,
        commits: 0,
        last_commit: CommitSeq(0),
        counts: Default::default(),
        ledger: Default::default(),
        feeds: vec![],
        error: None,
    }
}

fn shard(id: u64, key: &str, parents: &[&str]) -> Shard {
    Shard {
        id: ShardId(id),
        tenant_id: TenantId::generate(),
        connector_id: ConnectorId::generate(),
        stream: "s".into(),
        key: key.into(),
        parents: parents.iter().map(|p| (*p).to_owned()).collect(),
        bronze_table: TableId::generate(),
        owner: None,
        epoch: ShardEpoch(0),
        position: None,
        position_no: 0,
        next_offset: 0,
        status: ShardStatus::Open,
    }
}

#[test]
fn a_child_shard_waits_for_all_its_parents() {
    let mut open = OpenRun::new(run(RunMode::Streaming), vec![shard(1, "a", &[]), shard(2, "b", &[]), shard(3, "c", &["a", "b", "gone"])]);
    assert_eq!(open.ready(), vec![ShardId(1), ShardId(2)]);
    open.ends.insert(ShardId(1), ShardEnd::Closed);
    assert_eq!(open.ready(), vec![ShardId(2)]);
    open.ends.insert(ShardId(2), ShardEnd::Closed);
    assert_eq!(open.ready(), vec![ShardId(3)]);
    open.ends.insert(ShardId(3), ShardEnd::Closed);
    assert!(open.is_read());
}

#[test]
fn a_batch_run_is_read_when_every_shard_is_exhausted() {
    let mut open = OpenRun::new(run(RunMode::Batch), vec![shard(1, "a", &[]), shard(2, "b", &[])]);
    open.ends.insert(ShardId(1), ShardEnd::Exhausted);
    assert!(!open.is_read());
    open.ends.insert(ShardId(2), ShardEnd::Stopped);
    assert!(!open.is_read(), "a stopped shard has more to read");
    open.ends.insert(ShardId(2), ShardEnd::Exhausted);
    assert!(open.is_read());
}
