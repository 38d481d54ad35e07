//! Tests of what a run's end tells.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::sync::Arc;

use lakewright_proto::{CommitSeq, TenantId};
use lakewright_storage::catalog::command::Command;
use lakewright_storage::catalog::records::{RunMode, RunStatus};
use lakewright_storage::catalog::{CatalogStore, LocalProposer};

use super::*;

fn run(tenant_id: TenantId, connector_id: ConnectorId, started_at: i64) -> Run {
    Run {
        id: RunId::generate(),
        tenant_id,
        connector_id,
        entity: "s".into(),
        mode: RunMode::Batch,
        status: RunStatus::Failed,
        trigger: "manual".into(),
        replay_of: None,
        started_at,
        ended_at: None,
        scan: 1,
        commits: 0,
        last_commit: CommitSeq(0),
        counts: Default::default(),
        ledger: Default::default(),
        feeds: Vec::new(),
        error: None,
        scope: Default::default(),
    }
}

#[tokio::test]
async fn a_run_ends_with_its_alerts_and_its_connectors_since_it_started() {
    let dir = tempfile::tempdir().unwrap();
    let store = Arc::new(CatalogStore::open(dir.path(), 1 << 20).unwrap().0);
    let catalog = Catalog::new(Arc::clone(&store), Arc::new(LocalProposer::new(store)));
    let (tenant, connector) = (TenantId::generate(), ConnectorId::generate());
    let raise = |kind: &str, connector, run| {
        let alert = Alert { connector, run, ..Alert::new(tenant, kind, "subject", "message") };
        let catalog = catalog.clone();
        async move { catalog.propose("node", Command::RaiseAlert(alert)).await.unwrap() }
    };
    raise("before", Some(connector), None).await;
    let started = catalog.view().store().clock().unwrap().0 + 1;
    let (run, other) = (run(tenant, connector, started), run(tenant, connector, started));
    raise("of_the_run", Some(connector), Some(run.id)).await;
    raise("of_another_run", Some(ConnectorId::generate()), Some(other.id)).await;
    raise("of_the_connector", Some(connector), None).await;
    raise("of_another_connector", Some(ConnectorId::generate()), None).await;
    raise("of_a_table", None, None).await;
    let kinds: Vec<String> = of_run(&catalog, &run).unwrap().into_iter().map(|a| a.kind).collect();
    assert_eq!(kinds, ["of_the_run", "of_the_connector"]);
}

#[test]
fn a_list_takes_what_is_asked_for() {
    let (connector, run) = (ConnectorId::generate(), RunId::generate());
    let alert = Alert { connector: Some(connector), run: Some(run), ..Alert::new(TenantId::generate(), "freshness", "s", "m") };
    let takes = |kind: Option<&str>, connector, run| Wanted { kind: kind.map(str::to_owned), connector, run }.takes(&alert);
    assert!(takes(None, None, None) && takes(Some("freshness"), Some(connector), Some(run)));
    assert!(!takes(Some("anomaly_nulls"), None, None));
    assert!(!takes(None, Some(ConnectorId::generate()), None) && !takes(None, None, Some(RunId::generate())));
}
