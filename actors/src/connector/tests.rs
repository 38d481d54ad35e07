//! Which shards may be read, when a run is read, and what is left of a connector that is given up.
#![expect(clippy::unwrap_used, reason = "tests")]

use lakewright_proto::{CommitSeq, ConnectorId, RunId, ShardEpoch, ShardId, TableId, TenantId};
use lakewright_storage::catalog::keyspace::{Connectors, Runs};
use lakewright_storage::catalog::records::{ConnectorStatus, Run, RunMode, RunStatus, Shard, ShardStatus};
use lakewright_storage::catalog::Read as _;

use super::actor::give_up_once;
use super::state::OpenRun;
use crate::catalog_world::{tenant, World, START};
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
        scope: Default::default(),
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

#[tokio::test]
async fn a_connector_that_cannot_even_run_fails_its_runs_and_says_so_once() {
    let dir = tempfile::tempdir().unwrap();
    let w = World::open(dir.path(), START);
    let (_, _, run, _) = w.start().await;
    let get = || w.catalog.view().get::<Runs>(&(tenant(), run)).unwrap().unwrap();
    let id = get().connector_id;
    let record = || w.catalog.view().get::<Connectors>(&(tenant(), id)).unwrap().unwrap();
    // Twice: the first answer may have been lost.
    for _ in 0..2 {
        give_up_once(&w.catalog, &record(), &[run], "its secret cannot be opened").await.unwrap();
    }
    assert_eq!((get().status, get().error.as_deref()), (RunStatus::Failed, Some("its secret cannot be opened")));
    assert!(matches!(record().status, ConnectorStatus::Broken { .. }));
    assert_eq!(w.kinds(), ["connector_broken"]);
}
