//! Packs.

use std::collections::{BTreeSet, HashMap};

use lakewright_actors::pack_tables::{plan, EntityPlan};
use lakewright_proto::{admin as pb, Error, ErrorCode, Layer, TenantId};
use lakewright_storage::catalog::command::{Command, TableSpec};
use lakewright_storage::catalog::keyspace::{PackPins, Packs, Tenants};
use lakewright_storage::catalog::records::{Pack as Record, PackFile};
use lakewright_storage::catalog::Read as _;
use lakewright_storage::pack::Pack;
use tonic::Request;

use super::access::{not_found, principal};
use super::convert;
use super::pages::page;
use super::service::AdminService;
use crate::auth::{Action, Principal};

/// The tenant of the installation itself: its packs are everybody's.
const SYSTEM_TENANT: &str = "system";

impl AdminService {
    pub(super) async fn load_pack_(&self, request: Request<pb::LoadPackRequest>) -> Result<pb::LoadPackResponse, Error> {
        let pin = request.get_ref().pin_tenant.clone();
        let caller = self.caller(&request, &pin, Action::ManagePacks)?;
        let r = request.into_inner();
        let files: Vec<(String, Vec<u8>)> = r.files.iter().map(|f| (f.path.clone(), f.content.clone())).collect();
        let pack = match Pack::parse(&files) {
            Ok(pack) => pack,
            Err(faults) => {
                let fault = |f: &lakewright_storage::pack::PackFault| pb::PackFault {
                    file: f.file.clone(),
                    line: f.line,
                    message: f.message.clone(),
                };
                return Ok(pb::LoadPackResponse { pack: None, faults: faults.0.iter().map(fault).collect(), existed: false });
            }
        };
        let hash = pack.hash().to_owned();
        let stored = self.services().catalog.view().get::<Packs>(&hash).map_err(Error::from)?;
        let existed = stored.is_some_and(|p| p.tenants.contains(&caller.tenant.id));
        if !r.name.is_empty() && r.name != pack.name() {
            let message = format!("the pack calls itself {:?} in its entities.yaml, not {:?}: change it there", pack.name(), r.name);
            return Err(Error::new(ErrorCode::InvalidArgument, message));
        }
        let name = pack.name().to_owned();
        let files = r.files.into_iter().map(|f| PackFile { path: f.path, content: f.content }).collect();
        let record = Record {
            hash: hash.clone(),
            name,
            files,
            created_at: lakewright_actors::services::now_us(),
            tenants: [caller.tenant.id].into(),
        };
        if !r.check_only {
            self.propose(&caller.principal, &r.request_id, Command::PutPack(record.clone())).await?;
            if !pin.is_empty() {
                self.pin(&caller.principal, caller.tenant.id, &pack, "").await?;
            }
        }
        Ok(pb::LoadPackResponse { pack: Some(self.pack_message(&record, &caller.principal)?), faults: Vec::new(), existed })
    }

    fn pack_message(&self, record: &Record, principal: &Principal) -> Result<pb::Pack, Error> {
        let view = self.services().catalog.view();
        let mut pinned_by = Vec::new();
        for (id, tenant) in view.all::<Tenants>().map_err(Error::from)? {
            let sees = principal.is_system_admin || id == principal.tenant_id;
            let pin = view.get::<PackPins>(&(id, record.name.clone())).map_err(Error::from)?;
            if sees && pin.as_deref() == Some(&record.hash) {
                pinned_by.push(tenant.slug);
            }
        }
        drop(view);
        Ok(pb::Pack {
            hash: record.hash.clone(),
            name: record.name.clone(),
            created_at: Some(convert::time(record.created_at)),
            entities: self.parsed(record)?.entities().iter().map(|e| e.name().to_owned()).collect(),
            pinned_by,
        })
    }

    fn parsed(&self, record: &Record) -> Result<Pack, Error> {
        let files: Vec<(String, Vec<u8>)> = record.files.iter().map(|f| (f.path.clone(), f.content.clone())).collect();
        Pack::parse(&files).map_err(|e| Error::new(ErrorCode::InvalidArgument, format!("pack {}: {e}", record.hash)))
    }

    /// A pack that a tenant may use, by hash, by the beginning of one, or by name: its newest version.
    fn pack(&self, tenant: TenantId, name: &str) -> Result<Record, Error> {
        let mut found = self.packs_of(tenant)?;
        found.retain(|p| p.name == name || (name.len() >= 8 && p.hash.starts_with(name)));
        found.sort_by_key(|p| p.created_at);
        found.pop().ok_or_else(|| not_found(format_args!("pack {name:?}")))
    }

    /// The packs that a tenant may use: those that it loaded, and those of the installation.
    fn packs_of(&self, tenant: TenantId) -> Result<Vec<Record>, Error> {
        let view = self.services().catalog.view();
        let system = view.tenant_by_slug(SYSTEM_TENANT).map_err(Error::from)?.map(|t| t.id);
        let all = view.all::<Packs>().map_err(Error::from)?.into_iter().map(|(_, p)| p);
        Ok(all.filter(|p| p.tenants.contains(&tenant) || system.is_some_and(|s| p.tenants.contains(&s))).collect())
    }

    pub(super) async fn list_packs_(&self, request: Request<pb::ListPacksRequest>) -> Result<pb::ListPacksResponse, Error> {
        let principal = principal(&request)?;
        let r = request.into_inner();
        let mut packs = if principal.is_system_admin {
            self.services().catalog.view().all::<Packs>().map_err(Error::from)?.into_iter().map(|(_, p)| p).collect()
        } else {
            self.packs_of(principal.tenant_id)?
        };
        packs.sort_by_key(|p| std::cmp::Reverse(p.created_at));
        let (rows, next_page_token) = page(packs, r.page_size, &r.page_token)?;
        let packs = rows.iter().map(|p| self.pack_message(p, &principal)).collect::<Result<_, _>>()?;
        Ok(pb::ListPacksResponse { packs, next_page_token })
    }

    pub(super) async fn pin_pack_(&self, request: Request<pb::PinPackRequest>) -> Result<pb::PinPackResponse, Error> {
        let caller = self.caller(&request, &request.get_ref().tenant, Action::ManagePacks)?;
        let r = request.into_inner();
        let record = self.pack(caller.tenant.id, &r.pack)?;
        let pack = self.parsed(&record)?;
        let plan = self.pin(&caller.principal, caller.tenant.id, &pack, &r.request_id).await?;
        Ok(pb::PinPackResponse { pack: Some(self.pack_message(&record, &caller.principal)?), plan })
    }

    async fn pin(&self, principal: &Principal, tenant: TenantId, pack: &Pack, request_id: &str) -> Result<Vec<pb::PackPlanEntry>, Error> {
        let (tables, plan) = self.plan(tenant, pack)?;
        let refused: Vec<_> =
            plan.iter().filter(|p| p.action() == pb::PackPlanAction::Refused).map(|p| format!("{}: {}", p.entity, p.reason)).collect();
        if !refused.is_empty() {
            return Err(Error::new(ErrorCode::InvalidArgument, format!("the pack cannot be used:\n- {}", refused.join("\n- "))));
        }
        let command = Command::PinPack { tenant, hash: pack.hash().to_owned(), tables };
        self.propose(principal, request_id, command).await?;
        Ok(plan)
    }

    pub(super) async fn plan_pack_(&self, request: Request<pb::PlanPackRequest>) -> Result<pb::PlanPackResponse, Error> {
        let caller = self.caller(&request, &request.get_ref().tenant, Action::ManagePacks)?;
        let pack = self.parsed(&self.pack(caller.tenant.id, &request.get_ref().pack)?)?;
        Ok(pb::PlanPackResponse { plan: self.plan(caller.tenant.id, &pack)?.1 })
    }

    /// The pack's tables, and what it does to those that the tenant has.
    fn plan(&self, tenant: TenantId, pack: &Pack) -> Result<(Vec<TableSpec>, Vec<pb::PackPlanEntry>), Error> {
        let services = self.services();
        let hashes: BTreeSet<String> = {
            let tables = services.catalog.view().tables(tenant).map_err(Error::from)?;
            tables.into_iter().filter(|t| t.layer == Layer::Silver).filter_map(|t| t.pack).collect()
        };
        let mut old = HashMap::new();
        for hash in hashes {
            let pack = services.packs.pack(&services.catalog, &hash).map_err(|e| Error::new(ErrorCode::Unavailable, e.to_string()))?;
            old.insert(hash, pack);
        }
        let (tables, plans) = plan(&services.catalog.view(), tenant, pack, &old)?;
        Ok((tables, plans.into_iter().map(entry).collect()))
    }
}

fn entry(plan: EntityPlan) -> pb::PackPlanEntry {
    let change = plan.change.unwrap_or_default();
    let mut entry = pb::PackPlanEntry { entity: plan.entity, rules: change.rules.clone(), ..Default::default() };
    let Some(evolution) = plan.evolution else {
        entry.action = pb::PackPlanAction::Create as i32;
        entry.reason = plan.rebuild.map(|_| "filled from Bronze".to_owned()).unwrap_or_default();
        return entry;
    };
    let types = evolution.refused.iter().map(|r| {
        format!("column {} is {} and cannot become {} while the table has rows; give the field another name", r.column, r.is, r.wanted)
    });
    let refused: Vec<String> = change.refused.iter().cloned().chain(types).collect();
    entry.left = evolution.left;
    entry.action = match (refused.is_empty(), &plan.rebuild, evolution.added.is_empty()) {
        (false, ..) => pb::PackPlanAction::Refused,
        // Columns that records fill are filled for those of before too.
        (true, Some(_), _) if change.changed.is_empty() && change.other.is_empty() && evolution.widened.is_empty() => {
            pb::PackPlanAction::AddColumns
        }
        (true, Some(_), _) => pb::PackPlanAction::Rebuild,
        (true, None, false) => pb::PackPlanAction::AddColumns,
        // A column that the pack no longer names stays as it is.
        (true, None, true) => pb::PackPlanAction::Nothing,
    } as i32;
    entry.reason = if refused.is_empty() { plan.rebuild.unwrap_or_default() } else { refused.join("; ") };
    entry.columns = evolution.added;
    entry
}
