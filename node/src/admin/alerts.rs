//! Alerts: listed, and told at the end of the run that they are about.

use lakewright_proto::{admin as pb, ConnectorId, Error, RunId};
use lakewright_storage::catalog::keyspace::Alerts;
use lakewright_storage::catalog::records::{Alert, Run};
use lakewright_storage::catalog::{Catalog, Read as _};
use tonic::Request;

use super::convert;
use super::pages::page;
use super::service::AdminService;
use crate::auth::Action;

/// Alerts told at the end of a run.
const AT_END: usize = 100;

/// Which alerts are wanted; nothing: all.
#[derive(Debug, Default)]
struct Wanted {
    kind: Option<String>,
    connector: Option<ConnectorId>,
    run: Option<RunId>,
}

impl Wanted {
    fn takes(&self, a: &Alert) -> bool {
        self.kind.as_ref().is_none_or(|k| *k == a.kind)
            && self.connector.is_none_or(|c| a.connector == Some(c))
            && self.run.is_none_or(|r| a.run == Some(r))
    }
}

impl AdminService {
    pub(super) async fn list_alerts_(&self, request: Request<pb::ListAlertsRequest>) -> Result<pb::ListAlertsResponse, Error> {
        let caller = self.caller(&request, &request.get_ref().tenant, Action::ReadQuality)?;
        let r = request.into_inner();
        let wanted = Wanted {
            kind: (!r.kind.is_empty()).then_some(r.kind),
            connector: if r.connector.is_empty() { None } else { Some(self.connector(caller.tenant.id, &r.connector)?.id) },
            run: if r.run_id.is_empty() { None } else { Some(r.run_id.parse()?) },
        };
        let all = self.services().catalog.view().scan::<Alerts>(&caller.tenant.id).map_err(Error::from)?;
        let found: Vec<Alert> = all.into_iter().rev().map(|(_, a)| a).filter(|a| wanted.takes(a)).collect();
        let (rows, next_page_token) = page(found, r.page_size, &r.page_token)?;
        Ok(pb::ListAlertsResponse { alerts: rows.iter().map(convert::alert).collect(), next_page_token })
    }
}

/// What was raised for a run or its connector since the run started, oldest first.
pub(super) fn of_run(catalog: &Catalog, run: &Run) -> Result<Vec<pb::Alert>, Error> {
    let view = catalog.view();
    let mut found = Vec::new();
    let mut from = (run.tenant_id, run.started_at as u64);
    while found.len() < AT_END {
        let Some(((tenant, at), alert)) = view.next::<Alerts>(&run.tenant_id, &from).map_err(Error::from)? else { break };
        if alert.run == Some(run.id) || alert.connector == Some(run.connector_id) {
            found.push(convert::alert(&alert));
        }
        from = (tenant, at + 1);
    }
    Ok(found)
}

#[cfg(test)]
#[path = "alerts_tests.rs"]
mod tests;
