//! Tables made again from Bronze: asked for, and how far they are.

use lakewright_proto::{admin as pb, Error};
use lakewright_storage::catalog::command::Command;
use lakewright_storage::catalog::records::Table;
use tonic::Request;

use super::convert;
use super::service::AdminService;
use crate::auth::Action;

impl AdminService {
    pub(super) async fn rebuild_table_(&self, request: Request<pb::RebuildTableRequest>) -> Result<pb::TableRebuild, Error> {
        let caller = self.caller(&request, &request.get_ref().tenant, Action::MaintainTables)?;
        let r = request.into_inner();
        let table = self.table(caller.tenant.id, &r.table)?;
        let reason = format!("asked for by {}", caller.principal.email);
        let command = Command::RequestRebuild { tenant: caller.tenant.id, table: table.id, reason };
        self.propose(&caller.principal, &r.request_id, command).await?;
        let table = self.services().catalog.view().table(table.id).map_err(Error::from)?;
        Ok(self.table_rebuild(&table).unwrap_or_default())
    }

    /// What is to be said of a table's rebuilds; none: it never had one.
    pub(super) fn table_rebuild(&self, table: &Table) -> Option<pb::TableRebuild> {
        if table.rebuild.is_none() && table.rebuilt.is_none() {
            return None;
        }
        let mut out = pb::TableRebuild::default();
        if let Some(wanted) = &table.rebuild {
            out.reason.clone_from(&wanted.reason);
            out.requested_at = Some(convert::time(wanted.requested_at));
            let progress = self.services().rebuilds.progress(table.id).unwrap_or_default();
            (out.commit, out.watermark, out.records) = (progress.commit.0, progress.watermark.0, progress.records);
        }
        if let Some(done) = &table.rebuilt {
            out.done_at = Some(convert::time(done.at));
            out.pack.clone_from(&done.pack);
            out.upto = done.upto.0;
        }
        Some(out)
    }
}
