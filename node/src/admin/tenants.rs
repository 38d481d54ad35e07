//! Tenants.

use lakewright_actors::runs::system_tables;
use lakewright_proto::ids::validate_slug;
use lakewright_proto::{admin as pb, Error, TenantId};
use lakewright_storage::catalog::command::Command;
use lakewright_storage::catalog::keyspace::{PackPins, Tenants};
use lakewright_storage::catalog::records::{Status, Tenant};
use lakewright_storage::catalog::Read as _;
use tonic::Request;

use super::access::{not_found, principal};
use super::convert;
use super::pages::page;
use super::service::AdminService;
use crate::auth::Action;

impl AdminService {
    pub(super) async fn create_tenant_(&self, request: Request<pb::CreateTenantRequest>) -> Result<pb::Tenant, Error> {
        let caller = self.caller(&request, "", Action::ManageTenants)?;
        let r = request.into_inner();
        validate_slug("tenant slug", &r.slug)?;
        let id = TenantId::generate();
        let plan = convert::plan_name(r.plan()).to_owned();
        let name = if r.name.is_empty() { r.slug.clone() } else { r.name };
        let tenant = Tenant { id, slug: r.slug, name, plan, status: Status::Active, created_at: 0 };
        let slug = tenant.slug.clone();
        let command = Command::CreateTenant { tables: system_tables(id)?, tenant };
        self.propose(&caller.principal, &r.request_id, command).await?;
        let made = self.services().catalog.view().tenant_by_slug(&slug).map_err(Error::from)?;
        Ok(self.tenant_message(&made.ok_or_else(|| not_found("the new tenant"))?))
    }

    pub(super) fn tenant_message(&self, tenant: &Tenant) -> pb::Tenant {
        let pins = self.services().catalog.view().scan::<PackPins>(&tenant.id).unwrap_or_default();
        convert::tenant(tenant, pins.into_iter().map(|(_, hash)| hash).next().unwrap_or_default())
    }

    pub(super) async fn get_tenant_(&self, request: Request<pb::GetTenantRequest>) -> Result<pb::Tenant, Error> {
        let caller = self.caller(&request, &request.get_ref().tenant, Action::ReadTenant)?;
        Ok(self.tenant_message(&caller.tenant))
    }

    pub(super) async fn list_tenants_(&self, request: Request<pb::ListTenantsRequest>) -> Result<pb::ListTenantsResponse, Error> {
        let principal = principal(&request)?;
        let r = request.into_inner();
        let mut all: Vec<Tenant> =
            self.services().catalog.view().all::<Tenants>().map_err(Error::from)?.into_iter().map(|(_, t)| t).collect();
        all.retain(|t| principal.is_system_admin || t.id == principal.tenant_id);
        all.sort_by(|a, b| a.slug.cmp(&b.slug));
        let (rows, next_page_token) = page(all, r.page_size, &r.page_token)?;
        Ok(pb::ListTenantsResponse { tenants: rows.iter().map(|t| self.tenant_message(t)).collect(), next_page_token })
    }

    pub(super) async fn update_tenant_(&self, request: Request<pb::UpdateTenantRequest>) -> Result<pb::Tenant, Error> {
        let caller = self.caller(&request, &request.get_ref().tenant, Action::ManageTenants)?;
        let r = request.into_inner();
        let mut tenant = caller.tenant;
        if r.plan() != pb::TenantPlan::Unspecified {
            tenant.plan = convert::plan_name(r.plan()).to_owned();
        }
        if let Some(name) = r.name {
            tenant.name = name;
        }
        self.propose(&caller.principal, &r.request_id, Command::UpdateTenant(tenant.clone())).await?;
        Ok(self.tenant_message(&tenant))
    }

    pub(super) async fn suspend_tenant_(&self, request: Request<pb::SuspendTenantRequest>) -> Result<pb::Tenant, Error> {
        let caller = self.caller(&request, &request.get_ref().tenant, Action::ManageTenants)?;
        let r = request.into_inner();
        let mut tenant = caller.tenant;
        tenant.status = if r.suspended { Status::Suspended } else { Status::Active };
        self.propose(&caller.principal, &r.request_id, Command::UpdateTenant(tenant.clone())).await?;
        Ok(self.tenant_message(&tenant))
    }
}
