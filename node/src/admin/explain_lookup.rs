//! Where a looked-up value comes from: the rows of the other tables that lead to it.

use lakewright_proto::{Error, ErrorCode, TenantId};
use lakewright_storage::catalog::records::Table;
use lakewright_storage::pack::FieldSource;
use lakewright_storage::query::QuerySession;
use serde_json::{json, Value};

use super::explain::{json as rows_as_json, name};
use super::service::AdminService;
use super::sql::{quote, Columns};

impl AdminService {
    /// The rows over which a column of a row was looked up, the last one with its value, as JSON; none where it is not.
    pub(super) async fn looked_up(
        &self,
        tenant: TenantId,
        session: &QuerySession,
        table: &Table,
        row: &Columns<'_>,
        column: &str,
    ) -> Result<Vec<String>, Error> {
        let services = self.services();
        let Some(hash) = table.pack.clone() else { return Ok(Vec::new()) };
        let pack = services.packs.pack(&services.catalog, &hash).map_err(|e| Error::new(ErrorCode::Unavailable, e.to_string()))?;
        let Some(entity) = pack.entities().iter().find(|e| e.name() == table.subject) else { return Ok(Vec::new()) };
        let field = entity.fields().iter().find(|f| f.name == column);
        let Some(FieldSource::Lookup(lookup, theirs)) = field.map(|f| &f.source) else { return Ok(Vec::new()) };
        let Some(lookup) = entity.lookups().iter().find(|l| l.name == *lookup) else { return Ok(Vec::new()) };
        let (mut columns, mut from, mut places) = (Vec::new(), Vec::new(), Vec::new());
        for (i, step) in lookup.steps.iter().enumerate() {
            from.push(format!("silver.{} AS s{i}", name(&step.table)));
            columns.push(format!("s{i}._key_scope AS scope{i}, s{i}._source_key AS key{i}"));
            for (other, ours) in &step.on {
                let other = format!("s{i}.{}", name(other));
                places.push(match i.checked_sub(1) {
                    Some(before) => format!("{other} = s{before}.{}", name(ours)),
                    None => format!("{other} = {}", quote(&row.text(ours, 0)?)),
                });
            }
        }
        let last = lookup.steps.len().saturating_sub(1);
        columns.push(format!("s{last}.{} AS value", name(theirs)));
        let mut order: Vec<String> = lookup.latest.iter().map(|l| format!("s{last}.{} DESC NULLS LAST", name(l))).collect();
        order.extend(["_commit_seq", "_address_offset", "_address_shard"].map(|c| format!("s{last}.{c} DESC")));
        let sql = format!(
            "SELECT {} FROM {} WHERE {} ORDER BY {} LIMIT 1",
            columns.join(", "),
            from.join(", "),
            places.join(" AND "),
            order.join(", ")
        );
        tracing::debug!(%tenant, sql, "explaining a lookup");
        let mut out = Vec::new();
        for batch in session.collect(&sql).await? {
            for found in rows_as_json(&batch)? {
                for (i, step) in lookup.steps.iter().enumerate() {
                    let of = |what: &str| found.get(format!("{what}{i}")).cloned().unwrap_or(Value::Null);
                    let mut one = json!({ "table": format!("silver.{}", step.table), "scope": of("scope"), "key": of("key") });
                    if let (true, Some(one)) = (i == last, one.as_object_mut()) {
                        one.insert("column".into(), json!(theirs));
                        one.insert("value".into(), found.get("value").cloned().unwrap_or(Value::Null));
                    }
                    out.push(one.to_string());
                }
            }
        }
        Ok(out)
    }
}
