//! Tables.

use lakewright_proto::{admin as pb, CommitSeq, Error, ErrorCode, TableId, TenantId};
use lakewright_storage::catalog::keyspace::Buckets;
use lakewright_storage::catalog::records::Table;
use lakewright_storage::catalog::Read as _;
use lakewright_storage::query::decode_schema;
use lakewright_storage::silver::verify;
use tonic::Request;

use super::access::not_found;
use super::convert;
use super::pages::page;
use super::service::AdminService;
use crate::auth::Action;

/// Bronze commits counted as lag at most.
const LAG_CAP: usize = 1_000;

impl AdminService {
    /// A table by id, or by `layer.name`.
    pub(super) fn table(&self, tenant: TenantId, name: &str) -> Result<Table, Error> {
        let view = self.services().catalog.view();
        if let Ok(id) = name.parse::<TableId>() {
            let table = view.table(id).map_err(Error::from)?;
            return if table.tenant_id == tenant { Ok(table) } else { Err(not_found(format_args!("table {name:?}"))) };
        }
        let all = view.tables(tenant).map_err(Error::from)?;
        let (layer, plain) = name.split_once('.').map_or((None, name), |(l, n)| (Some(l), n));
        let mut found = all.into_iter().filter(|t| t.name == plain && layer.is_none_or(|l| l == t.layer.as_str()));
        match (found.next(), found.next()) {
            (Some(table), None) => Ok(table),
            (Some(_), Some(_)) => {
                Err(Error::new(ErrorCode::InvalidArgument, format!("several layers have a table {plain:?}; write LAYER.NAME")))
            }
            (None, _) => Err(not_found(format_args!("table {name:?}"))),
        }
    }

    pub(super) async fn list_tables_(&self, request: Request<pb::ListTablesRequest>) -> Result<pb::ListTablesResponse, Error> {
        let caller = self.caller(&request, &request.get_ref().tenant, Action::ReadTables)?;
        let r = request.into_inner();
        let layer = convert::layer_of(r.layer());
        let mut all = self.services().catalog.view().tables(caller.tenant.id).map_err(Error::from)?;
        all.retain(|t| layer.is_none_or(|l| t.layer == l));
        let (rows, next_page_token) = page(all, r.page_size, &r.page_token)?;
        Ok(pb::ListTablesResponse { tables: rows.iter().map(convert::table).collect(), next_page_token })
    }

    pub(super) async fn describe_table_(&self, request: Request<pb::DescribeTableRequest>) -> Result<pb::DescribeTableResponse, Error> {
        let caller = self.caller(&request, &request.get_ref().tenant, Action::ReadTables)?;
        let table = self.table(caller.tenant.id, &request.get_ref().table)?;
        let schema = decode_schema(&table.name, &table.schema_ipc).map_err(Error::from)?;
        let columns = schema.fields().iter().map(|f| pb::Column {
            id: f.metadata().get("PARQUET:field_id").and_then(|i| i.parse().ok()).unwrap_or_default(),
            name: f.name().clone(),
            r#type: f.data_type().to_string(),
            nullable: f.is_nullable(),
            description: f.metadata().get("description").cloned().unwrap_or_default(),
            system: f.name().starts_with('_'),
        });
        let columns = columns.collect();
        let view = self.services().catalog.view();
        let waiting = view.queue_after(table.id, CommitSeq(0), LAG_CAP).map_err(Error::from)?.len() as u64;
        let buckets = view.scan::<Buckets>(&table.id).map_err(Error::from)?;
        let bucket = |((_, number), b): ((TableId, u32), lakewright_storage::catalog::records::Bucket)| pb::Bucket {
            number,
            owner: b.owner.map_or(0, |n| n.0),
            epoch: b.epoch.0,
            watermark: b.watermark.0,
            live_rows: b.live_rows,
            lag_commits: waiting,
        };
        drop(view);
        Ok(pb::DescribeTableResponse {
            table: Some(convert::table(&table)),
            columns,
            buckets: buckets.into_iter().map(bucket).collect(),
            rebuild: self.table_rebuild(&table),
        })
    }

    pub(super) async fn verify_table_(&self, request: Request<pb::VerifyTableRequest>) -> Result<pb::VerifyTableResponse, Error> {
        let caller = self.caller(&request, &request.get_ref().tenant, Action::MaintainTables)?;
        let table = self.table(caller.tenant.id, &request.get_ref().table)?;
        if table.buckets == 0 {
            return Err(Error::new(ErrorCode::InvalidArgument, "only Silver tables have a key index to verify"));
        }
        let mut answer = pb::VerifyTableResponse::default();
        for bucket in 0..table.buckets {
            let state = self.services().catalog.view().bucket_state(table.id, bucket).map_err(Error::from)?;
            let report = verify::verify(&self.services().store, &self.services().blocks, table.tenant_id, &table.subject, &state)
                .await
                .map_err(Error::from)?;
            answer.files_checked += report.files;
            answer.rows_checked += report.rows;
            answer.keys_checked += report.keys;
            answer.faults.extend(report.faults);
        }
        Ok(answer)
    }

    pub(super) async fn compact_table_(&self, request: Request<pb::CompactTableRequest>) -> Result<pb::CompactTableResponse, Error> {
        let caller = self.caller(&request, &request.get_ref().tenant, Action::MaintainTables)?;
        let before = self.table(caller.tenant.id, &request.get_ref().table)?;
        for bucket in 0..before.buckets {
            let done = lakewright_actors::merge::compact_now(self.services(), before.id, bucket).await;
            done.map_err(|e| Error::new(ErrorCode::Unavailable, format!("compacting {}: {e}", before.name)))?;
        }
        let after = self.services().catalog.view().table(before.id).map_err(Error::from)?;
        Ok(pb::CompactTableResponse {
            files_before: before.files,
            files_after: after.files,
            bytes_before: before.bytes,
            bytes_after: after.bytes,
        })
    }
}
