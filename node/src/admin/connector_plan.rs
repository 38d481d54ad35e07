//! What runs of a connector would cost.

use std::time::Duration;

use lakewright_actors::connectors::{SourceError, StreamPlan};
use lakewright_actors::services::now_us;
use lakewright_actors::tenant::build_source;
use lakewright_proto::{admin as pb, Error, ErrorCode};
use lakewright_storage::catalog::records::RunScope;
use tonic::Request;

use super::convert;
use super::runs::scope;
use super::service::AdminService;
use crate::auth::Action;

/// A stream is asked about for so long at most.
const PATIENCE: Duration = Duration::from_secs(60);

impl AdminService {
    pub(super) async fn plan_connector_(&self, request: Request<pb::PlanConnectorRequest>) -> Result<pb::PlanConnectorResponse, Error> {
        let caller = self.caller(&request, &request.get_ref().tenant, Action::ManageConnectors)?;
        let r = request.into_inner();
        let record = self.connector(caller.tenant.id, &r.connector)?;
        let scope = scope(r.scope());
        let source = build_source(self.services(), &record)?;
        let found = source.discover().await.map_err(|e| Error::new(ErrorCode::Unavailable, e.to_string()))?;
        let mut names: Vec<String> = found.into_iter().map(|s| s.name).collect();
        if !r.stream.is_empty() {
            if !names.contains(&r.stream) {
                let message = format!("{:?} has no stream {:?}; it has {}", record.name, r.stream, names.join(", "));
                return Err(Error::new(ErrorCode::NotFound, message));
            }
            names = vec![r.stream.clone()];
        }
        let mut streams = Vec::with_capacity(names.len());
        for name in names {
            // A full run and a backfill begin at the beginning, wherever the stream stands.
            let position = match scope {
                RunScope::Incremental => {
                    let shards = self.services().catalog.view().shards(record.tenant_id, record.id, &name).map_err(Error::from)?;
                    shards.into_iter().find(|s| scope.reads(&s.key)).and_then(|s| s.position)
                }
                RunScope::Full | RunScope::Backfill => None,
            };
            let planned = tokio::time::timeout(PATIENCE, source.plan(&name, position.as_ref(), scope)).await;
            streams.push(message(name, planned.unwrap_or_else(|_| Err(too_slow()))));
        }
        Ok(pb::PlanConnectorResponse { streams })
    }
}

fn too_slow() -> SourceError {
    SourceError::Retry { message: format!("the source did not answer within {} s", PATIENCE.as_secs()), after: None }
}

fn message(stream: String, planned: Result<StreamPlan, SourceError>) -> pb::StreamPlan {
    match planned {
        Ok(p) => {
            let takes_us = |d: Duration| i64::try_from(d.as_micros()).unwrap_or(i64::MAX);
            pb::StreamPlan {
                stream,
                records: p.records,
                at_least: p.at_least,
                requests: p.requests,
                takes: p.takes.and_then(|d| prost_types::Duration::try_from(d).ok()),
                done_at: p.takes.map(|d| convert::time(now_us().saturating_add(takes_us(d)))),
                detail: p.detail,
                error: String::new(),
            }
        }
        Err(e) => pb::StreamPlan { stream, error: e.to_string(), ..pb::StreamPlan::default() },
    }
}
