//! The node's own state, and the audit.

use lakewright_proto::{admin as pb, Error};
use lakewright_storage::catalog::keyspace::{Audit, Tables, Tenants};
use lakewright_storage::catalog::Read as _;
use tonic::Request;

use super::access::principal;
use super::convert::{self, time};
use super::pages::page;
use super::service::AdminService;
use crate::auth::Action;

impl AdminService {
    pub(super) async fn get_node_(&self, request: Request<pb::GetNodeRequest>) -> Result<pb::Node, Error> {
        let principal = principal(&request)?;
        let facts = self.facts();
        let mut node = pb::Node {
            id: self.services().node.0,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            name: facts.name.clone(),
            cluster_id: self.services().cluster.id.to_string(),
            admin_address: facts.admin_address.clone(),
            flight_address: facts.flight_address.clone(),
            metrics_address: facts.metrics_address.clone(),
            storage_url: facts.storage_url.clone(),
            health: pb::NodeHealth::Ok as i32,
            problems: Vec::new(),
            raft: Some(self.raft_state()),
            started_at: Some(time(facts.started_at)),
            zone: facts.zone.clone(),
            labels: facts.labels.clone().into_iter().collect(),
            memory_bytes: resident_bytes(),
            layers: Vec::new(),
        };
        if self.services().stop_fetching.is_cancelled() {
            node.health = pb::NodeHealth::Stopping as i32;
        }
        let view = self.services().catalog.view();
        for (id, _) in view.all::<Tenants>().map_err(Error::from)? {
            if !principal.is_system_admin && id != principal.tenant_id {
                continue;
            }
            for ((_, layer, _), t) in view.scan::<Tables>(&id).map_err(Error::from)? {
                let code = convert::layer(layer) as i32;
                let at = node.layers.iter().position(|l| l.layer == code).unwrap_or_else(|| {
                    node.layers.push(pb::LayerSummary { layer: code, ..Default::default() });
                    node.layers.len() - 1
                });
                let sum = &mut node.layers[at];
                sum.tables += 1;
                sum.files += t.files;
                sum.rows += t.rows;
                sum.bytes += t.bytes;
            }
        }
        node.layers.sort_by_key(|l| l.layer);
        Ok(node)
    }

    pub(super) async fn list_audit_(&self, request: Request<pb::ListAuditRequest>) -> Result<pb::ListAuditResponse, Error> {
        let caller = self.caller(&request, &request.get_ref().tenant, Action::ReadAudit)?;
        let whole = caller.principal.is_system_admin && request.get_ref().tenant.is_empty();
        let r = request.into_inner();
        let view = self.services().catalog.view();
        let mut all = view.all::<Audit>().map_err(Error::from)?;
        all.retain(|(_, e)| whole || e.tenant == Some(caller.tenant.id));
        all.reverse();
        let (rows, next_page_token) = page(all, r.page_size, &r.page_token)?;
        let mut entries = Vec::with_capacity(rows.len());
        for (_, e) in rows {
            let tenant = match e.tenant {
                Some(id) => view.get::<Tenants>(&id).map_err(Error::from)?.map(|t| t.slug).unwrap_or_default(),
                None => String::new(),
            };
            entries.push(pb::AuditEntry {
                at: Some(time(e.at)),
                command_id: e.command.to_string(),
                tenant,
                principal: e.principal,
                action: e.action,
                refused: e.refused.map(|e| e.message).unwrap_or_default(),
            });
        }
        Ok(pb::ListAuditResponse { entries, next_page_token })
    }
}

/// Resident memory of this process, or 0 where the system does not tell.
fn resident_bytes() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm").ok();
    let resident = pages.as_deref().and_then(|s| s.split_whitespace().nth(1)).and_then(|n| n.parse::<u64>().ok());
    resident.unwrap_or(0) * 4_096
}
