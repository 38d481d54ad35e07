//! What a Gold row is made of: the build, and the Silver rows that the mart's own query names, of the
//! catalog version that the build read.

use arrow_array::RecordBatch;
use futures::TryStreamExt as _;
use lakewright_proto::{admin as pb, Error, ErrorCode, TenantId};
use lakewright_storage::catalog::keyspace::GoldBuilds;
use lakewright_storage::catalog::records::{GoldBuild, Table};
use lakewright_storage::catalog::Read as _;
use lakewright_storage::pack::Mart;
use lakewright_storage::query::QuerySession;
use serde_json::Value;

use super::access::not_found;
use super::explain::{all_columns, cell, json, list, name, one_batch, wanted};
use super::marts::day_text;
use super::service::AdminService;
use super::sql::quote;

impl AdminService {
    pub(super) async fn explain_gold(&self, tenant: TenantId, table: &Table, r: &pb::ExplainRequest) -> Result<pb::ExplainResponse, Error> {
        let (pack, mart) = self.mart(tenant, &table.name)?;
        let build = self.build_of(table, &r.date)?;
        let session = self.engine().session(tenant, None)?;
        let columns = all_columns(&session, table)?;
        wanted(table, &columns, &r.column)?;
        let place = grain(&mart, &r.key)?;
        let sql = format!(
            "SELECT {} FROM gold.{} WHERE as_of_date = DATE {} AND {place} LIMIT 2",
            list(&columns),
            name(&table.name),
            quote(&day_text(build.date))
        );
        let row = one_batch(session.collect(&sql).await?)?;
        if row.num_rows() != 1 {
            return Err(not_found(format_args!("one row of gold.{} as of {} with {}", table.name, day_text(build.date), r.key.join(" "))));
        }
        let (contributing, truncated) = self.contributing(tenant, &session, &mart, &build, &row, r.limit as usize).await?;
        Ok(pb::ExplainResponse {
            table: format!("gold.{}", table.name),
            row_json: json(&row)?.first().cloned().unwrap_or(Value::Null).to_string(),
            column: r.column.clone(),
            value_json: cell(&row, &r.column)?,
            made_by: if r.column.is_empty() { String::new() } else { mart.columns.get(&r.column).cloned().unwrap_or_default() },
            mart: Some(self.mart_message(tenant, &pack, &mart).await?),
            contributing_json: contributing,
            truncated,
            ..pb::ExplainResponse::default()
        })
    }

    /// The build of a day, or the newest.
    fn build_of(&self, table: &Table, date: &str) -> Result<GoldBuild, Error> {
        let view = self.services().catalog.view();
        let builds = view.scan::<GoldBuilds>(&table.id).map_err(Error::from)?;
        let found =
            if date.is_empty() { builds.into_iter().next_back() } else { builds.into_iter().find(|(_, b)| day_text(b.date) == date) };
        found
            .map(|(_, b)| b)
            .ok_or_else(|| not_found(format_args!("rows of gold.{} as of {}", table.name, if date.is_empty() { "any day" } else { date })))
    }

    async fn contributing(
        &self,
        tenant: TenantId,
        now: &QuerySession,
        mart: &Mart,
        build: &GoldBuild,
        row: &RecordBatch,
        limit: usize,
    ) -> Result<(Vec<String>, bool), Error> {
        let Some(sql) = &mart.explain else { return Ok((Vec::new(), false)) };
        let then = self.engine().session(tenant, Some(build.snapshot))?;
        match listed(&then, sql, mart, row, limit).await {
            Ok(found) => Ok(found),
            // Files that were replaced long ago are gone: what is there now says as much as can be said.
            Err(e) => {
                tracing::info!(mart = mart.name, error = %e, "explaining with the newest snapshot");
                listed(now, sql, mart, row, limit).await
            }
        }
    }
}

async fn listed(session: &QuerySession, sql: &str, mart: &Mart, row: &RecordBatch, limit: usize) -> Result<(Vec<String>, bool), Error> {
    let planned = session.plan(sql).await?.bind_row(row, &mart.grain)?;
    let mut rows = session.run(planned).await?;
    let mut out = Vec::new();
    while let Some(batch) = rows.try_next().await? {
        out.extend(json(&batch)?.into_iter().map(|v| v.to_string()));
        if out.len() > limit {
            out.truncate(limit);
            return Ok((out, true));
        }
    }
    Ok((out, false))
}

/// `column=value` for each column of the grain, as a condition; nothing after `=` is null.
fn grain(mart: &Mart, key: &[String]) -> Result<String, Error> {
    let usage = || {
        let columns: Vec<String> = mart.grain.iter().map(|c| format!("{c}=VALUE")).collect();
        Error::new(
            ErrorCode::InvalidArgument,
            format!("a row of gold.{} is named by {}; nothing after = is null", mart.name, columns.join(" ")),
        )
    };
    let mut conditions = Vec::new();
    for column in &mart.grain {
        let value = key.iter().find_map(|k| k.strip_prefix(column.as_str())?.strip_prefix('=')).ok_or_else(usage)?;
        conditions.push(if value.is_empty() {
            format!("{} IS NULL", name(column))
        } else {
            // A date that the query made an instant is named by its day too.
            let (text, value) = (format!("CAST({} AS VARCHAR)", name(column)), quote(value));
            format!("({text} = {value} OR {text} LIKE {value} || 'T%')")
        });
    }
    if key.len() != mart.grain.len() || conditions.is_empty() {
        return Err(usage());
    }
    Ok(conditions.join(" AND "))
}
