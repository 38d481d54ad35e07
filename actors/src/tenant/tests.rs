//! What a tenant does with a connector that is changed while it runs.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::time::Duration;

use lakewright_proto::RunId;
use lakewright_storage::catalog::command::Command;
use lakewright_storage::catalog::keyspace::{Connectors, Runs};
use lakewright_storage::catalog::records::{Connector, RunMode, RunScope};
use lakewright_storage::catalog::Read as _;
use serde_json::json;

use crate::runs;
use crate::world::{World, SHOP};

async fn read_up_to(world: &World, run: RunId, records: u64) {
    let mut changed = world.services.catalog.store().subscribe();
    let enough = async {
        loop {
            changed.borrow_and_update();
            let run = world.services.catalog.view().get::<Runs>(&(world.tenant, run)).unwrap().unwrap();
            assert!(!run.is_over(), "{run:?}");
            if run.counts.read == records {
                return;
            }
            changed.changed().await.unwrap();
        }
    };
    tokio::time::timeout(Duration::from_secs(20), enough).await.unwrap();
}

#[tokio::test]
async fn an_open_run_goes_on_with_the_connectors_new_configuration() {
    let world = World::new(SHOP).await;
    let connector = world.connect(json!({"stream": "orders", "pattern": "a.*"})).await;
    let record = world.services.catalog.view().get::<Connectors>(&(world.tenant, connector)).unwrap().unwrap();
    world.write("a.ndjson", "{\"id\": 1, \"v\": 1}\n");
    world.write("b.ndjson", "{\"id\": 2, \"v\": 1}\n");
    let start = runs::start(&world.services, "test", &record, Some("orders"), RunMode::Streaming, RunScope::Incremental, "manual");
    let run = start.await.unwrap();
    read_up_to(&world, run, 1).await;
    let config_json = record.config_json.replace("a.*", "b.*");
    world.propose(Command::UpdateConnector { connector: Connector { config_json, ..record }, secrets: vec![] }).await;
    read_up_to(&world, run, 2).await;
    world.end().await;
}
