//! Where a Silver row comes from: its record at the source, the run and request that brought it, what
//! the checks said, how the pack makes a column of it, and its changes.

use arrow_array::RecordBatch;
use lakewright_actors::recover::{bronze_files, rows};
use lakewright_proto::{admin as pb, Error, ErrorCode, Layer, RecordAddress, ShardId, TenantId};
use lakewright_storage::catalog::keyspace::{Connectors, Packs, Shards};
use lakewright_storage::catalog::records::Table;
use lakewright_storage::catalog::Read as _;
use lakewright_storage::pack::definition;
use lakewright_storage::query::QuerySession;
use serde_json::Value;
use tonic::Request;

use super::access::not_found;
use super::convert;
use super::service::AdminService;
use super::sql::{equals, filter, quote, Columns};
use crate::auth::Action;

/// Bytes of a payload that are shown.
const MAX_PAYLOAD: usize = 1 << 20;
/// Rows of history or contributing rows, unless the caller says otherwise.
const LIMIT: u32 = 100;
/// ... and at most.
const MAX_LIMIT: u32 = 10_000;

impl AdminService {
    pub(super) async fn explain_(&self, request: Request<pb::ExplainRequest>) -> Result<pb::ExplainResponse, Error> {
        let caller = self.caller(&request, &request.get_ref().tenant, Action::QueryData)?;
        let mut r = request.into_inner();
        r.limit = if r.limit == 0 { LIMIT } else { r.limit.min(MAX_LIMIT) };
        let table = self.table(caller.tenant.id, &r.table)?;
        match table.layer {
            Layer::Silver => self.explain_silver(caller.tenant.id, &table, &r).await,
            Layer::Gold => self.explain_gold(caller.tenant.id, &table, &r).await,
            other => Err(Error::new(
                ErrorCode::InvalidArgument,
                format!("rows of Silver and Gold are explained; {other}.{} holds records as they came", table.name),
            )),
        }
    }

    async fn explain_silver(&self, tenant: TenantId, table: &Table, r: &pb::ExplainRequest) -> Result<pb::ExplainResponse, Error> {
        let session = self.engine().session(tenant, None)?;
        let [key] = r.key.as_slice() else {
            return Err(Error::new(ErrorCode::InvalidArgument, "a Silver row is named by one key, its `_source_key`"));
        };
        let columns = all_columns(&session, table)?;
        wanted(table, &columns, &r.column)?;
        let place = filter([equals("_source_key", key), equals("_key_scope", &r.scope)]);
        let sql = format!("SELECT {} FROM silver.{} {place} LIMIT 2", list(&columns), name(&table.name));
        let found = one_batch(session.collect(&sql).await?)?;
        let row = match found.num_rows() {
            0 => return Err(not_found(format_args!("a row of silver.{} with the key {key:?}", table.name))),
            1 => found,
            _ => {
                let scopes: Vec<String> = (0..2).map(|i| Columns(&found).text("_key_scope", i)).collect::<Result<_, _>>()?;
                let message = format!("several scopes have the key {key:?}, among them {}; name one with --scope", scopes.join(" and "));
                return Err(Error::new(ErrorCode::InvalidArgument, message));
            }
        };
        let c = Columns(&row);
        let address =
            RecordAddress { shard: ShardId(c.number("_address_shard", 0)? as u64), offset: c.number("_address_offset", 0)? as u64 };
        let origin = self.origin(tenant, address, &c).await?;
        let verdict = self.verdict(&session, table, address, &c).await?;
        let (history, truncated) = self.history(&session, table, r, &c).await?;
        let contributing_json = self.looked_up(tenant, &session, table, &c, &r.column).await?;
        let pack = c.text("_pack", 0)?;
        Ok(pb::ExplainResponse {
            table: format!("silver.{}", table.name),
            row_json: json(&row)?.first().cloned().unwrap_or(Value::Null).to_string(),
            column: r.column.clone(),
            value_json: cell(&row, &r.column)?,
            made_by: self.made_by(&pack, table, &r.column)?,
            origin: Some(origin),
            verdict: Some(verdict),
            history,
            contributing_json,
            truncated,
            ..pb::ExplainResponse::default()
        })
    }

    async fn origin(&self, tenant: TenantId, address: RecordAddress, row: &Columns<'_>) -> Result<pb::RecordOrigin, Error> {
        let services = self.services();
        let mut out = pb::RecordOrigin {
            address: address.to_string(),
            run_id: row.text("_run_id", 0)?,
            pack: row.text("_pack", 0)?,
            version: row.number("_version", 0)?,
            bronze_commit: row.number("_commit_seq", 0)? as u64,
            ingested_at: Some(convert::time(row.time("_ingested_at", 0)?)),
            ..pb::RecordOrigin::default()
        };
        let shard = {
            let view = services.catalog.view();
            let shard = view.get::<Shards>(&address.shard).map_err(Error::from)?;
            let shard = shard.filter(|s| s.tenant_id == tenant).ok_or_else(|| not_found(format_args!("shard {}", address.shard)))?;
            let connector = view.get::<Connectors>(&(tenant, shard.connector_id)).map_err(Error::from)?;
            out.connector = connector.map(|c| c.name).unwrap_or_default();
            out.stream = shard.stream.clone();
            shard
        };
        let range = [(address.offset, 1)];
        let failed = |e: lakewright_actors::error::WorkError| Error::new(ErrorCode::Unavailable, e.to_string());
        for file in bronze_files(services, &shard, &range).await.map_err(failed)? {
            for batch in rows(services, &file, &range).await.map_err(failed)? {
                if batch.num_rows() == 0 {
                    continue;
                }
                let c = Columns(&batch);
                let payload = c.bytes("payload", 0)?;
                out.location = c.text("_location", 0)?;
                out.request_id = c.text("_request_id", 0)?;
                out.payload_bytes = payload.len() as u64;
                out.payload = payload.into_iter().take(MAX_PAYLOAD).collect();
                return Ok(out);
            }
        }
        out.expired = format!("the source record {address} is not kept any more");
        Ok(out)
    }

    async fn verdict(
        &self,
        session: &QuerySession,
        table: &Table,
        address: RecordAddress,
        row: &Columns<'_>,
    ) -> Result<pb::RecordVerdict, Error> {
        let sql = format!(
            "SELECT is_valid, failed_rules, warnings FROM system.data_quality_results WHERE address_shard = {} AND address_offset = {} AND entity = {} LIMIT 1",
            address.shard,
            address.offset,
            quote(&table.subject)
        );
        let found = session.collect(&sql).await?;
        let flags = row.texts("_flags", 0)?;
        let Some(batch) = found.iter().find(|b| b.num_rows() > 0) else {
            return Ok(pb::RecordVerdict { is_valid: true, flags, ..pb::RecordVerdict::default() });
        };
        let c = Columns(batch);
        Ok(pb::RecordVerdict {
            is_valid: c.flag("is_valid", 0)?,
            failed_rules: c.texts("failed_rules", 0)?,
            warnings: c.texts("warnings", 0)?,
            flags,
        })
    }

    /// The changes of the row, oldest first; of a cell those that changed it.
    async fn history(
        &self,
        session: &QuerySession,
        table: &Table,
        r: &pb::ExplainRequest,
        row: &Columns<'_>,
    ) -> Result<(Vec<pb::RowChange>, bool), Error> {
        let changes = session.table_schema(Layer::Silver, &format!("{}__changes", table.name))?;
        let kept: Vec<String> = changes.fields().iter().map(|f| f.name().clone()).filter(|c| !c.starts_with('_')).collect();
        let shown = if r.column.is_empty() {
            list(&kept)
        } else if !kept.contains(&r.column) {
            // Whole payloads are not repeated in changes: Bronze has them.
            return Ok((Vec::new(), false));
        } else {
            name(&r.column)
        };
        let place = filter([equals("_source_key", &row.text("_source_key", 0)?), equals("_key_scope", &row.text("_key_scope", 0)?)]);
        let sql = format!(
            "SELECT _change, _change_commit, _changed_at, {shown} FROM silver.{} {place} ORDER BY _change_commit, _changed_at, _version, _change DESC LIMIT {}",
            name(&format!("{}__changes", table.name)),
            r.limit + 1
        );
        let mut out: Vec<pb::RowChange> = Vec::new();
        for batch in session.collect(&sql).await? {
            let c = Columns(&batch);
            for (i, value) in json(&batch)?.into_iter().enumerate() {
                let value = match (value, r.column.is_empty()) {
                    (Value::Object(mut o), true) => {
                        o.retain(|k, _| !k.starts_with('_'));
                        Value::Object(o)
                    }
                    (Value::Object(mut o), false) => o.remove(&r.column).unwrap_or(Value::Null),
                    (other, _) => other,
                };
                let change = pb::RowChange {
                    change: c.text("_change", i)?,
                    commit: c.number("_change_commit", i)? as u64,
                    at: Some(convert::time(c.time("_changed_at", i)?)),
                    value_json: value.to_string(),
                };
                let is_news = r.column.is_empty() || out.last().is_none_or(|last| last.value_json != change.value_json);
                if is_news {
                    out.push(change);
                }
            }
        }
        let truncated = out.len() > r.limit as usize;
        out.truncate(r.limit as usize);
        Ok((out, truncated))
    }

    /// How the pack version makes a column: its definition, as JSON.
    fn made_by(&self, pack: &str, table: &Table, column: &str) -> Result<String, Error> {
        if column.is_empty() {
            return Ok(String::new());
        }
        let record = self.services().catalog.view().get::<Packs>(&pack.to_owned());
        let Some(record) = record.map_err(Error::from)? else { return Ok(format!("pack {pack} is not kept any more")) };
        let text = record.files.iter().find(|f| f.path == "entities.yaml").map(|f| f.content.as_slice()).unwrap_or_default();
        Ok(definition(text, &table.name, column).unwrap_or_default())
    }
}

/// Every column of a table, system columns too.
pub(super) fn all_columns(session: &QuerySession, table: &Table) -> Result<Vec<String>, Error> {
    let schema = session.table_schema(table.layer, &table.name)?;
    Ok(schema.fields().iter().map(|f| f.name().clone()).collect())
}

/// Refuses a column that the table does not have.
pub(super) fn wanted(table: &Table, columns: &[String], column: &str) -> Result<(), Error> {
    if column.is_empty() || columns.iter().any(|c| c == column) {
        return Ok(());
    }
    let known: Vec<_> = columns.iter().filter(|c| !c.starts_with('_')).map(String::as_str).collect();
    Err(not_found(format_args!("column {column:?} of {}.{} (it has {})", table.layer, table.name, known.join(", "))))
}

/// A quoted name.
pub(super) fn name(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\"\""))
}

pub(super) fn list(columns: &[String]) -> String {
    columns.iter().map(|c| name(c)).collect::<Vec<_>>().join(", ")
}

pub(super) fn one_batch(batches: Vec<RecordBatch>) -> Result<RecordBatch, Error> {
    let schema = batches.first().map(|b| b.schema()).unwrap_or_else(|| std::sync::Arc::new(arrow_schema::Schema::empty()));
    arrow::compute::concat_batches(&schema, &batches).map_err(|e| Error::new(ErrorCode::Internal, e.to_string()))
}

/// Rows as JSON objects, nulls told.
pub(super) fn json(batch: &RecordBatch) -> Result<Vec<Value>, Error> {
    let failed = |e: String| Error::new(ErrorCode::Internal, format!("a row cannot be shown: {e}"));
    let mut writer =
        arrow_json::writer::WriterBuilder::new().with_explicit_nulls(true).build::<_, arrow_json::writer::JsonArray>(Vec::new());
    writer.write(batch).and_then(|()| writer.finish()).map_err(|e| failed(e.to_string()))?;
    let bytes = writer.into_inner();
    if bytes.is_empty() {
        return Ok(Vec::new());
    }
    serde_json::from_slice(&bytes).map_err(|e| failed(e.to_string()))
}

/// One value of the first row, as JSON.
pub(super) fn cell(row: &RecordBatch, column: &str) -> Result<String, Error> {
    if column.is_empty() {
        return Ok(String::new());
    }
    Ok(json(row)?.first().and_then(|r| r.get(column)).cloned().unwrap_or(Value::Null).to_string())
}
