//! Gold tables: where each stands, and building one now.

use lakewright_actors::marts;
use lakewright_actors::services::now_us;
use lakewright_proto::{admin as pb, Error, TenantId};
use lakewright_storage::catalog::records::GoldBuild;
use lakewright_storage::pack::Mart;
use tonic::Request;

use super::access::not_found;
use super::convert;
use super::service::AdminService;
use crate::auth::Action;

impl AdminService {
    pub(super) async fn list_marts_(&self, request: Request<pb::ListMartsRequest>) -> Result<pb::ListMartsResponse, Error> {
        let caller = self.caller(&request, &request.get_ref().tenant, Action::ReadTables)?;
        let mut marts = Vec::new();
        for (pack, mart) in self.marts(caller.tenant.id)? {
            marts.push(self.mart_message(caller.tenant.id, &pack, &mart).await?);
        }
        marts.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(pb::ListMartsResponse { marts })
    }

    pub(super) async fn rebuild_mart_(&self, request: Request<pb::RebuildMartRequest>) -> Result<pb::Mart, Error> {
        let caller = self.caller(&request, &request.get_ref().tenant, Action::RunConnectors)?;
        let tenant = caller.tenant.id;
        let (pack, mart) = self.mart(tenant, &request.get_ref().mart)?;
        marts::build(self.services(), self.engine(), tenant, &pack, &mart, now_us()).await?;
        self.mart_message(tenant, &pack, &mart).await
    }

    /// The tenant's marts, each with the pack version that defines it.
    fn marts(&self, tenant: TenantId) -> Result<Vec<(String, Mart)>, Error> {
        let services = self.services();
        let pins = services.catalog.view().pinned_packs(tenant).map_err(Error::from)?;
        let mut out = Vec::new();
        for pin in pins {
            let pack = services
                .packs
                .pack(&services.catalog, &pin.hash)
                .map_err(|e| Error::new(lakewright_proto::ErrorCode::Internal, e.to_string()))?;
            out.extend(pack.marts().iter().map(|m| (pin.hash.clone(), m.clone())));
        }
        Ok(out)
    }

    /// One of them.
    pub(super) fn mart(&self, tenant: TenantId, name: &str) -> Result<(String, Mart), Error> {
        let all = self.marts(tenant)?;
        let known: Vec<String> = all.iter().map(|(_, m)| m.name.clone()).collect();
        let found = all.into_iter().find(|(_, m)| m.name == name);
        found.ok_or_else(|| not_found(format_args!("mart {name:?} (there are: {})", known.join(", "))))
    }

    pub(super) async fn mart_message(&self, tenant: TenantId, pack: &str, mart: &Mart) -> Result<pb::Mart, Error> {
        let last = marts::last(&self.services().catalog.view(), tenant, &mart.name)?;
        let stale = marts::is_stale(self.services(), self.engine(), tenant, pack, mart, now_us()).await?;
        Ok(message(pack, mart, last.as_ref(), stale))
    }
}

fn message(pack: &str, mart: &Mart, last: Option<&GoldBuild>, stale: bool) -> pb::Mart {
    let took = last.and_then(|b| prost_types::Duration::try_from(std::time::Duration::from_micros(b.took_us.max(0).unsigned_abs())).ok());
    pb::Mart {
        name: mart.name.clone(),
        description: mart.description.clone(),
        pack: pack.to_owned(),
        grain: mart.grain.clone(),
        stale,
        built_at: last.map(|b| convert::time(b.built_at)),
        as_of_date: last.map(|b| day_text(b.date)).unwrap_or_default(),
        rows: last.map_or(0, |b| b.rows),
        snapshot: last.map_or(0, |b| b.snapshot),
        took,
    }
}

/// `2026-11-23` of a day since 1970.
pub(super) fn day_text(date: u32) -> String {
    let day = chrono::DateTime::from_timestamp(i64::from(date) * 86_400, 0);
    day.map(|d| d.date_naive().to_string()).unwrap_or_default()
}
