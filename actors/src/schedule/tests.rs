//! Schedules over real runs: once for each instant, none over another, what was missed made good once.
#![expect(clippy::unwrap_used, reason = "tests")]

use lakewright_proto::{ConnectorId, TenantId};
use lakewright_storage::catalog::keyspace::{Alerts, Runs};
use lakewright_storage::catalog::records::Run;
use serde_json::json;

use super::*;
use crate::services::now_us;
use crate::world::{World, SHOP};

const MINUTE: i64 = 60_000_000;

async fn set(world: &World, connector: ConnectorId, next_at: i64) {
    let schedule = Schedule {
        tenant_id: world.tenant,
        connector_id: connector,
        cron: "* * * * *".into(),
        zone: "UTC".into(),
        jitter_us: 0,
        created_at: 0,
        next_at,
        last_at: None,
        missed: 0,
        last_error: None,
        retry_at: 0,
    };
    world.propose(Command::SetSchedule(schedule)).await;
}

fn read(world: &World, connector: ConnectorId) -> Schedule {
    world.services.catalog.view().get::<Schedules>(&(world.tenant, connector)).unwrap().unwrap()
}

fn all_runs(world: &World, tenant: TenantId) -> Vec<Run> {
    world.services.catalog.view().scan::<Runs>(&tenant).unwrap().into_iter().map(|(_, r)| r).collect()
}

#[tokio::test]
async fn an_instant_starts_one_run_and_those_that_were_missed_no_more() {
    let world = World::new(SHOP).await;
    let connector = world.connect(json!({"stream": "orders"})).await;
    world.write("a.ndjson", "{\"id\": 1, \"v\": 1}\n");
    let now = now_us();
    set(&world, connector, now + MINUTE).await;
    assert_eq!(start_due(&world.services, now).await.unwrap(), 0, "not due");
    // Due for ten minutes: nobody looked.
    set(&world, connector, now - 10 * MINUTE).await;
    assert_eq!(start_due(&world.services, now).await.unwrap(), 1);
    let s = read(&world, connector);
    assert!(s.next_at > now && s.missed >= 9, "{s:?}");
    assert_eq!(start_due(&world.services, now).await.unwrap(), 0);
    let run = world.sealed(all_runs(&world, world.tenant)[0].id).await;
    assert_eq!((run.trigger.as_str(), run.counts.read), (TRIGGER, 1));

    // A crash between the start and the note of it: the run is there, so only the note is made.
    set(&world, connector, run.started_at - MINUTE).await;
    assert_eq!(start_due(&world.services, now).await.unwrap(), 0);
    assert!(read(&world, connector).next_at > now);
    assert_eq!(all_runs(&world, world.tenant).len(), 1);
    world.end().await;
}

#[tokio::test]
async fn a_run_that_goes_on_or_a_pause_puts_the_start_off() {
    let world = World::new(SHOP).await;
    let connector = world.connect(json!({"stream": "orders"})).await;
    world.write("a.ndjson", "{\"id\": 1, \"v\": 1}\n");
    let record = world.services.catalog.view().get::<Connectors>(&(world.tenant, connector)).unwrap().unwrap();
    let going =
        runs::start(&world.services, "test", &record, Some("orders"), RunMode::Streaming, RunScope::Incremental, "manual").await.unwrap();
    let now = now_us();
    set(&world, connector, now - MINUTE).await;
    assert_eq!(start_due(&world.services, now).await.unwrap(), 0);
    assert_eq!(read(&world, connector).next_at, now - MINUTE, "it stays due");

    let status = |status| Command::SetConnectorStatus { tenant: world.tenant, connector, status };
    world.propose(status(ConnectorStatus::Paused)).await;
    assert_eq!(start_due(&world.services, now).await.unwrap(), 0);
    world.propose(status(ConnectorStatus::Active)).await;
    let end = Command::FinishRun {
        tenant: world.tenant,
        run: going,
        status: lakewright_storage::catalog::records::RunStatus::Cancelled,
        error: None,
        breaks: false,
    };
    world.propose(end).await;
    assert_eq!(start_due(&world.services, now).await.unwrap(), 1, "and is made good once it can be");
    world.end().await;
}

#[tokio::test]
async fn a_source_that_is_away_is_told_once_and_tried_again() {
    let world = World::new(SHOP).await;
    let gone = world.files.path().join("gone");
    let connector = world.connect(json!({"stream": "orders", "url": format!("file://{}", gone.display())})).await;
    let now = now_us();
    set(&world, connector, now - MINUTE).await;
    for attempt in 0..3 {
        assert_eq!(start_due(&world.services, now + attempt * MINUTE).await.unwrap(), 0);
    }
    let alerts = world.services.catalog.view().scan::<Alerts>(&world.tenant).unwrap();
    assert_eq!(alerts.iter().map(|(_, a)| a.kind.as_str()).collect::<Vec<_>>(), ["schedule_failed"]);
    assert!(read(&world, connector).last_error.is_some());
    std::fs::create_dir(&gone).unwrap();
    std::fs::write(gone.join("a.ndjson"), "{\"id\": 1, \"v\": 1}\n").unwrap();
    assert_eq!(start_due(&world.services, now + 3 * MINUTE).await.unwrap(), 1);
    assert_eq!(read(&world, connector).last_error, None);
    world.end().await;
}
