//! Runs that the clock starts. What is due stands in the catalog: an instant that passed while the node
//! was down, the connector was paused or its last run went on is made good once, as soon as it can be.

mod plan;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use lakewright_proto::{Error, ErrorCode, RunId};
use lakewright_storage::catalog::command::Command;
use lakewright_storage::catalog::keyspace::{Connectors, OpenRuns, Runs, Schedules, Tenants};
use lakewright_storage::catalog::records::{Alert, Connector, ConnectorStatus, Fired, RunMode, RunScope, Schedule, Status};
use lakewright_storage::catalog::Read as _;

pub use plan::{is_due, put_off, starts, Rule};

use crate::error::WorkError;
use crate::runs;
use crate::services::Services;
use crate::tenant::build_source;

/// What a scheduled run says of its origin.
pub const TRIGGER: &str = "schedule";

/// How often it is looked.
const EVERY: Duration = Duration::from_secs(1);
/// After a start that failed.
const AGAIN: i64 = 60 * 1_000_000;
/// Schedules seen to side by side: each asks its source what it offers.
const AT_ONCE: usize = 8;
/// A source has this long to say what it offers.
const PATIENCE: Duration = Duration::from_secs(60);
/// Runs looked at to find those of one instant.
const LOOKED_AT: usize = 10_000;

/// Starts what is due until the node stops. `clock` tells microseconds since 1970.
pub async fn watch(services: Arc<Services>, clock: fn() -> i64) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            () = services.stop_fetching.cancelled() => return,
        }
        if let Err(e) = start_due(&services, clock()).await {
            tracing::warn!(error = %e, "schedules could not be looked at and will be again");
        }
    }
}

/// One look; answers how many runs were started.
pub async fn start_due(services: &Arc<Services>, now: i64) -> Result<usize, WorkError> {
    let due = due(services, now)?;
    let started = futures::stream::iter(due)
        .map(|(schedule, connector)| async move {
            match fire(services, &schedule, &connector, now).await {
                Ok(started) => started,
                Err(e) => {
                    tracing::warn!(connector = connector.name, error = %e, "a schedule could not be seen to");
                    0
                }
            }
        })
        .buffer_unordered(AT_ONCE);
    Ok(started.collect::<Vec<_>>().await.into_iter().sum())
}

/// Schedules that are due, of connectors that may run.
fn due(services: &Services, now: i64) -> Result<Vec<(Schedule, Connector)>, WorkError> {
    let view = services.catalog.view();
    let mut out = Vec::new();
    for (key, schedule) in view.all::<Schedules>()?.into_iter().filter(|(_, s)| is_due(s, now)) {
        let active = view.get::<Tenants>(&key.0)?.is_some_and(|t| t.status == Status::Active);
        let connector = view.get::<Connectors>(&key)?.filter(|c| active && matches!(c.status, ConnectorStatus::Active));
        out.extend(connector.map(|c| (schedule, c)));
    }
    Ok(out)
}

async fn fire(services: &Arc<Services>, schedule: &Schedule, connector: &Connector, now: i64) -> Result<usize, WorkError> {
    let (started, fired) = match start(services, schedule, connector).await {
        Ok((started, false)) => return Ok(started),
        Ok((started, true)) => {
            let rule = Rule::parse(&schedule.cron, &schedule.zone)?;
            let (next_at, missed) = rule.after(schedule.next_at, now).unwrap_or((i64::MAX, 0));
            (started, Fired::Started { next_at, missed })
        }
        Err(e) => {
            tell(services, schedule, connector, &e).await;
            (0, Fired::Failed { error: e.message, retry_at: now + AGAIN })
        }
    };
    let (tenant, due) = (schedule.tenant_id, schedule.next_at);
    let command = Command::MoveSchedule { tenant, connector: connector.id, due, fired };
    match services.catalog.propose("schedule", command).await.map_err(Error::from) {
        // Set anew or ended meanwhile, or seen to by another.
        Err(e) if matches!(e.code, ErrorCode::NotFound | ErrorCode::Conflict) => Ok(started),
        Err(e) => Err(e.into()),
        Ok(_) => Ok(started),
    }
}

/// Starts the runs of the due instant that can be; answers how many, and whether that were all.
async fn start(services: &Arc<Services>, schedule: &Schedule, connector: &Connector) -> Result<(usize, bool), Error> {
    let source = build_source(services, connector)?;
    let late = |_| Error::new(ErrorCode::Unavailable, format!("the source of {:?} did not say what it offers", connector.name));
    let found = tokio::time::timeout(PATIENCE, source.discover()).await.map_err(late)?;
    let found = found.map_err(|e| Error::new(ErrorCode::Unavailable, format!("the source of {:?}: {e}", connector.name)))?;
    let offered: Vec<String> = found.into_iter().map(|s| s.name).collect();
    let (open, seen_to) = standing(services, schedule).map_err(Error::from)?;
    let (streams, mut all) = starts(&offered, &open, &seen_to);
    let mut started = 0;
    for stream in streams {
        match runs::start(services, "schedule", connector, Some(stream), RunMode::Batch, RunScope::Incremental, TRIGGER).await {
            Ok(_) => started += 1,
            // Somebody was quicker: this one waits for its end.
            Err(e) if e.code == ErrorCode::AlreadyExists => all = false,
            Err(e) => return Err(e),
        }
    }
    Ok((started, all))
}

/// Streams that are being read, and those whose run for the due instant was started already.
fn standing(services: &Services, schedule: &Schedule) -> Result<(HashSet<String>, HashSet<String>), lakewright_storage::StorageError> {
    let view = services.catalog.view();
    let key = (schedule.tenant_id, schedule.connector_id);
    let open = view.scan::<OpenRuns>(&key)?.into_iter().map(|((.., stream), _)| stream).collect();
    // Ids of runs begin with their time.
    let since = RunId(uuid::Uuid::from_u128((schedule.next_at.max(0) as u128 / 1_000) << 80));
    let last = (schedule.tenant_id, RunId(uuid::Uuid::max()));
    let runs = view.between::<Runs>(&(schedule.tenant_id, since), &last, LOOKED_AT)?;
    let ours = runs.into_iter().map(|(_, r)| r).filter(|r| r.connector_id == schedule.connector_id && r.trigger == TRIGGER);
    Ok((open, ours.map(|r| r.entity).collect()))
}

/// Raises an alert, once for each due instant.
async fn tell(services: &Services, schedule: &Schedule, connector: &Connector, e: &Error) {
    tracing::warn!(connector = connector.name, error = %e, "a scheduled run could not be started and will be tried again");
    if schedule.last_error.is_some() {
        return;
    }
    let message = format!("the scheduled run of {:?} could not be started and is tried again each minute: {e}", connector.name);
    let about = Alert::new(schedule.tenant_id, "schedule_failed", connector.name.as_str(), message);
    let alert = Alert { connector: Some(connector.id), ..about };
    if let Err(e) = services.catalog.propose("schedule", Command::RaiseAlert(alert)).await {
        tracing::warn!(error = %Error::from(e), "an alert could not be raised");
    }
}

#[cfg(test)]
mod tests;
