//! Quality scores and results.

use lakewright_proto::{admin as pb, Error};
use tonic::Request;

use super::convert::time;
use super::pages::limit;
use super::service::AdminService;
use super::sql::{equals, filter, Columns};
use crate::auth::Action;

impl AdminService {
    pub(super) async fn quality_scores_(
        &self,
        request: Request<pb::ListQualityScoresRequest>,
    ) -> Result<pb::ListQualityScoresResponse, Error> {
        let caller = self.caller(&request, &request.get_ref().tenant, Action::ReadQuality)?;
        let r = request.into_inner();
        let wanted = filter([equals("entity", &r.entity), equals("ingestion_run_id", &r.run_id)]);
        let (size, start) = (limit(r.page_size), r.page_token.parse::<usize>().unwrap_or(0));
        let sql = format!(
            "SELECT r.entity, r.ingestion_run_id, r.connector_id, COUNT(*) AS total,
                    SUM(CASE WHEN is_valid THEN 1 ELSE 0 END) AS valid,
                    SUM(CASE WHEN NOT is_valid AND d.address_offset IS NULL THEN 1 ELSE 0 END) AS flagged,
                    SUM(CASE WHEN cardinality(warnings) > 0 THEN 1 ELSE 0 END) AS warned,
                    MIN(checked_at) AS started
             FROM (SELECT * FROM system.data_quality_results {wanted}) r
             LEFT JOIN (SELECT DISTINCT ingestion_run_id, address_shard, address_offset FROM system.dead_letters) d
             ON d.ingestion_run_id = r.ingestion_run_id AND d.address_shard = r.address_shard AND d.address_offset = r.address_offset
             GROUP BY 1, 2, 3 ORDER BY started DESC, entity LIMIT {} OFFSET {start}",
            size + 1
        );
        let mut scores = Vec::new();
        for batch in self.rows(&caller.tenant, &sql).await? {
            let c = Columns(&batch);
            for row in 0..batch.num_rows() {
                let (total, valid) = (c.number("total", row)?, c.number("valid", row)?);
                scores.push(pb::QualityScore {
                    entity: c.text("entity", row)?,
                    ingestion_run_id: c.text("ingestion_run_id", row)?,
                    connector_id: c.text("connector_id", row)?,
                    total_records: total as u64,
                    valid_records: valid as u64,
                    quality_score: if total > 0 { valid as f64 / total as f64 } else { 1.0 },
                    flagged: c.number("flagged", row)? as u64,
                    warned: c.number("warned", row)? as u64,
                    run_started_at: Some(time(c.time("started", row)?)),
                });
            }
        }
        let next_page_token = next(&mut scores, start, size);
        Ok(pb::ListQualityScoresResponse { scores, next_page_token })
    }

    pub(super) async fn quality_results_(
        &self,
        request: Request<pb::ListQualityResultsRequest>,
    ) -> Result<pb::ListQualityResultsResponse, Error> {
        let caller = self.caller(&request, &request.get_ref().tenant, Action::ReadQuality)?;
        let r = request.into_inner();
        let failed = r.failed_only.then(|| "(cardinality(failed_rules) > 0 OR cardinality(warnings) > 0)".to_owned());
        let wanted = filter([equals("entity", &r.entity), equals("ingestion_run_id", &r.run_id), failed]);
        let (size, start) = (limit(r.page_size), r.page_token.parse::<usize>().unwrap_or(0));
        let sql = format!(
            "SELECT * FROM system.data_quality_results {wanted} ORDER BY address_shard, address_offset, checked_at LIMIT {} OFFSET {start}",
            size + 1
        );
        let mut results = Vec::new();
        for batch in self.rows(&caller.tenant, &sql).await? {
            let c = Columns(&batch);
            for row in 0..batch.num_rows() {
                results.push(pb::QualityResult {
                    tenant_id: c.text("tenant_id", row)?,
                    connector_id: c.text("connector_id", row)?,
                    ingestion_run_id: c.text("ingestion_run_id", row)?,
                    entity: c.text("entity", row)?,
                    address: format!("{}/{}", c.number("address_shard", row)?, c.number("address_offset", row)?),
                    source_key: c.text("source_key", row)?,
                    is_valid: c.flag("is_valid", row)?,
                    failed_rules: c.texts("failed_rules", row)?,
                    warnings: c.texts("warnings", row)?,
                    checked_at: Some(time(c.time("checked_at", row)?)),
                });
            }
        }
        let next_page_token = next(&mut results, start, size);
        Ok(pb::ListQualityResultsResponse { results, next_page_token })
    }
}

/// Cuts the row that only told there is more, and answers where to go on.
pub(super) fn next<T>(rows: &mut Vec<T>, start: usize, size: usize) -> String {
    if rows.len() > size {
        rows.truncate(size);
        return (start + size).to_string();
    }
    String::new()
}
