//! Runs.

use std::time::Duration;

use lakewright_actors::connectors::SourceError;
use lakewright_actors::runs;
use lakewright_actors::tenant::build_source;
use lakewright_proto::{admin as pb, Error, ErrorCode, RunId, TenantId};
use lakewright_storage::catalog::command::Command;
use lakewright_storage::catalog::keyspace::{Connectors, OpenRuns, Runs};
use lakewright_storage::catalog::records::{Connector, ConnectorStatus, Run, RunMode, RunScope, RunStatus, Status as TenantStatus, Tenant};
use lakewright_storage::catalog::{Catalog, Read as _};
use lakewright_storage::table::OutcomeCounts;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Status};

use super::access::not_found;
use super::alerts;
use super::convert;
use super::pages::page;
use super::service::AdminService;
use crate::auth::Action;

/// How often progress is told.
const PROGRESS: Duration = Duration::from_millis(250);

impl AdminService {
    fn run_message(&self, run: &Run) -> pb::IngestionRun {
        let connector = self.services().catalog.view().get::<Connectors>(&(run.tenant_id, run.connector_id)).ok().flatten();
        convert::run(run, connector.as_ref().map_or("", |c| c.name.as_str()))
    }

    pub(super) async fn start_run_(&self, request: Request<pb::StartRunRequest>) -> Result<pb::StartRunResponse, Error> {
        let caller = self.caller(&request, &request.get_ref().tenant, Action::RunConnectors)?;
        let r = request.into_inner();
        let record = self.connector(caller.tenant.id, &r.connector)?;
        let mode = match r.mode() {
            pb::RunMode::Streaming => RunMode::Streaming,
            _ => RunMode::Batch,
        };
        // Asked for a named stream too: a source that is not there is told now, not by a run that waits for it.
        let found = build_source(self.services(), &record)?.discover().await.map_err(|e| unreadable(&record.name, &e))?;
        let streams = if r.stream.is_empty() { found.into_iter().map(|s| s.name).collect() } else { vec![r.stream.clone()] };
        if streams.is_empty() {
            return Err(not_found(format_args!("a stream of {:?}", record.name)));
        }
        let scope = scope(r.scope());
        if scope == RunScope::Full {
            // A position is given up for a run that can start, never for a refusal.
            {
                let view = self.services().catalog.view();
                let mut open = Vec::new();
                for stream in &streams {
                    open.extend(view.get::<OpenRuns>(&(record.tenant_id, record.id, scope.open_name(stream))).map_err(Error::from)?);
                }
                may_start(&caller.tenant, &record, open.first())?;
                if view.pinned_packs(record.tenant_id).map_err(Error::from)?.is_empty() {
                    return Err(Error::new(ErrorCode::InvalidArgument, "the tenant uses no pack; `lakewright pack load DIR --pin`"));
                }
            }
            for stream in &streams {
                let command = Command::ResetStream { tenant: record.tenant_id, connector: record.id, stream: stream.clone() };
                self.propose(&caller.principal, "", command).await?;
            }
        }
        let mut started = Vec::new();
        for stream in streams {
            let id = runs::start(self.services(), &caller.principal.email, &record, Some(&stream), mode, scope, "manual").await?;
            started.push(self.run_message(&find(&self.services().catalog, record.tenant_id, id)?));
        }
        Ok(pb::StartRunResponse { runs: started })
    }

    pub(super) async fn get_run_(&self, request: Request<pb::GetRunRequest>) -> Result<pb::IngestionRun, Error> {
        let caller = self.caller(&request, &request.get_ref().tenant, Action::ReadRuns)?;
        Ok(self.run_message(&find(&self.services().catalog, caller.tenant.id, request.get_ref().id.parse()?)?))
    }

    pub(super) async fn list_runs_(&self, request: Request<pb::ListRunsRequest>) -> Result<pb::ListRunsResponse, Error> {
        let caller = self.caller(&request, &request.get_ref().tenant, Action::ReadRuns)?;
        let r = request.into_inner();
        let only = if r.connector.is_empty() { None } else { Some(self.connector(caller.tenant.id, &r.connector)?.id) };
        let all = self.services().catalog.view().scan::<Runs>(&caller.tenant.id).map_err(Error::from)?;
        let mut all: Vec<Run> = all.into_iter().map(|(_, r)| r).collect();
        all.retain(|run| only.is_none_or(|c| run.connector_id == c));
        all.retain(|run| r.status() == pb::RunStatus::Unspecified || convert::run_status(run.status) == r.status());
        all.sort_by_key(|r| std::cmp::Reverse(r.started_at));
        let (rows, next_page_token) = page(all, r.page_size, &r.page_token)?;
        Ok(pb::ListRunsResponse { runs: rows.iter().map(|r| self.run_message(r)).collect(), next_page_token })
    }

    pub(super) async fn cancel_run_(&self, request: Request<pb::CancelRunRequest>) -> Result<pb::IngestionRun, Error> {
        let caller = self.caller(&request, &request.get_ref().tenant, Action::RunConnectors)?;
        let r = request.into_inner();
        let run: RunId = r.id.parse()?;
        let command = Command::FinishRun { tenant: caller.tenant.id, run, status: RunStatus::Cancelled, error: None, breaks: false };
        self.propose(&caller.principal, &r.request_id, command).await?;
        Ok(self.run_message(&find(&self.services().catalog, caller.tenant.id, run)?))
    }

    pub(super) async fn follow_run_(
        &self,
        request: Request<pb::FollowRunRequest>,
    ) -> Result<ReceiverStream<Result<pb::RunProgress, Status>>, Error> {
        let caller = self.caller(&request, &request.get_ref().tenant, Action::ReadRuns)?;
        let id: RunId = request.get_ref().id.parse()?;
        let catalog = self.services().catalog.clone();
        let first = find(&catalog, caller.tenant.id, id)?;
        let estimate = self.estimate(&first).await;
        let (tell, told) = mpsc::channel(4);
        tokio::spawn(async move {
            let mut changed = catalog.store().subscribe();
            loop {
                changed.borrow_and_update();
                let run = match find(&catalog, caller.tenant.id, id) {
                    Ok(run) => run,
                    Err(e) => {
                        // A caller that is gone needs no answer.
                        let _ = tell.send(Err(e.into())).await;
                        return;
                    }
                };
                let over = run.ended_at.is_some();
                let mut message = progress(&run, estimate);
                if over {
                    // A run is over whether or not its alerts can be read.
                    message.alerts = alerts::of_run(&catalog, &run).unwrap_or_default();
                }
                if tell.send(Ok(message)).await.is_err() || over {
                    return;
                }
                tokio::time::sleep(PROGRESS).await;
                // Without a change there is nothing to tell, but the rate falls: tell it each second.
                let _ = tokio::time::timeout(Duration::from_secs(1), changed.changed()).await;
            }
        });
        Ok(ReceiverStream::new(told))
    }

    /// What the source estimates for the run's stream; a source that cannot tell is not waited for.
    async fn estimate(&self, run: &Run) -> Option<(u64, u64)> {
        let record = self.services().catalog.view().get::<Connectors>(&(run.tenant_id, run.connector_id)).ok().flatten()?;
        let source = build_source(self.services(), &record).ok()?;
        let found = tokio::time::timeout(Duration::from_secs(2), source.discover()).await.ok()?.ok()?;
        found.into_iter().find(|s| s.name == run.entity)?.estimate
    }
}

/// Whether a run of the connector can start now, as the catalog will judge it.
fn may_start(tenant: &Tenant, connector: &Connector, open: Option<&RunId>) -> Result<(), Error> {
    let refuse = |message: String| Err(Error::new(ErrorCode::Conflict, message));
    let name = &connector.name;
    match (&connector.status, open) {
        _ if tenant.status != TenantStatus::Active => {
            let message = "the tenant is suspended; an administrator has to activate it first";
            Err(Error::new(ErrorCode::PermissionDenied, message))
        }
        (ConnectorStatus::Paused, _) => refuse(format!("connector {name:?} is paused; `lakewright connector resume {name}`")),
        (ConnectorStatus::Broken { reason, .. }, _) => {
            refuse(format!("connector {name:?} is broken ({reason}); mend it, then `lakewright connector clear-broken {name}`"))
        }
        (ConnectorStatus::Active, Some(run)) => {
            let message = format!("run {run} of {name} is still reading; wait for it or cancel it");
            Err(Error::new(ErrorCode::AlreadyExists, message))
        }
        (ConnectorStatus::Active, None) => Ok(()),
    }
}

#[cfg(test)]
#[path = "runs_tests.rs"]
mod tests;

/// The scope that a request names.
pub(super) fn scope(scope: pb::RunScope) -> RunScope {
    match scope {
        pb::RunScope::Full => RunScope::Full,
        pb::RunScope::Backfill => RunScope::Backfill,
        pb::RunScope::Unspecified | pb::RunScope::Incremental => RunScope::Incremental,
    }
}

fn find(catalog: &Catalog, tenant: TenantId, id: RunId) -> Result<Run, Error> {
    catalog.view().get::<Runs>(&(tenant, id)).map_err(Error::from)?.ok_or_else(|| not_found(format_args!("run {id}")))
}

fn unreadable(connector: &str, e: &SourceError) -> Error {
    let message = format!(
        "the source of {connector:?} cannot be read, so no run was started: {e}. Then try `lakewright connector test {connector}`, \
         or set another place with `lakewright connector update {connector} --config ...`"
    );
    Error::new(ErrorCode::Unavailable, message)
}

fn progress(run: &Run, estimate: Option<(u64, u64)>) -> pb::RunProgress {
    let mut outcomes = OutcomeCounts::default();
    let mut settling = 0;
    for ledger in run.ledger.values() {
        outcomes.add(&ledger.outcomes);
        settling += ledger.residue().max(0) as u64;
    }
    pb::RunProgress {
        run_id: run.id.to_string(),
        stream: run.entity.clone(),
        status: convert::run_status(run.status) as i32,
        records: run.counts.read,
        bytes: run.counts.bytes,
        at: Some(convert::time(lakewright_actors::services::now_us())),
        started_at: Some(convert::time(run.started_at)),
        estimated_records: estimate.map(|e| e.0).filter(|n| *n > 0),
        estimated_bytes: estimate.map(|e| e.1).filter(|n| *n > 0),
        outcomes: Some(convert::outcomes(&outcomes)),
        rejected: run.counts.rejected,
        unmapped: run.counts.unmapped,
        settling,
        error: run.error.clone().unwrap_or_default(),
        alerts: Vec::new(),
    }
}
