//! A result's passport: which snapshot it is of, and how fresh and how good the tables are that it read.
//! It is made of what the catalog keeps anyway (some look-ups a table); no table is scanned for it.

use std::any::Any;

use datafusion::catalog::default_table_source::source_as_provider;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::logical_expr::LogicalPlan;
use lakewright_proto::{Error, ErrorCode, Layer, TenantId};
use serde_json::json;

use super::failure::query_error;
use super::names::Scope;
use super::scan::SnapshotTable;
use crate::catalog::keyspace::{Arrivals, Runs, Standings};
use crate::catalog::records::{valid_of, Table};
use crate::catalog::{Read, View};
use crate::error::Result;

/// How fresh and how good one table is.
#[derive(Clone, Debug, PartialEq)]
pub struct TablePassport {
    /// Its schema.
    pub layer: Layer,
    /// Its name.
    pub table: String,
    /// The catalog version of its newest commit.
    pub version: u64,
    /// Live rows.
    pub rows: u64,
    /// Everything that was accepted until then is in it, microseconds since 1970; none: it never had a record.
    pub fresh_as_of: Option<i64>,
    /// Valid records and all of them, of the run that brought records last; none where nothing is checked.
    pub quality: Option<(u64, u64)>,
    /// That run.
    pub quality_run: Option<String>,
    /// Rejected records that no replay has accepted since; none where nothing is checked.
    pub open_dead_letters: Option<u64>,
}

impl TablePassport {
    /// Valid records as a share of all.
    pub fn quality_score(&self) -> Option<f64> {
        self.quality.filter(|(_, all)| *all > 0).map(|(valid, all)| valid as f64 / all as f64)
    }

    fn name(&self) -> String {
        format!("{}.{}", self.layer, self.table)
    }
}

/// What a result is made of.
#[derive(Clone, Debug, PartialEq)]
pub struct Passport {
    /// When it was made, microseconds since 1970.
    pub at: i64,
    /// The catalog version that the query reads.
    pub snapshot: u64,
    /// The tables it reads, by schema and name.
    pub tables: Vec<TablePassport>,
}

/// What an answer's tables must be like.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Requirements {
    /// The least quality score, 0 to 1.
    #[serde(default)]
    pub quality: Option<f64>,
    /// The most age, microseconds.
    #[serde(default)]
    pub freshness: Option<i64>,
}

impl Passport {
    /// The age of a table's data, microseconds.
    pub fn age(&self, table: &TablePassport) -> Option<i64> {
        table.fresh_as_of.map(|t| (self.at - t).max(0))
    }

    /// As it goes to clients: one JSON document, documented in docs/passport.md.
    pub fn to_json(&self) -> String {
        let tables = self.tables.iter().map(|t| {
            json!({
                "schema": t.layer.as_str(),
                "table": t.table,
                "version": t.version,
                "rows": t.rows,
                "fresh_as_of": t.fresh_as_of.map(rfc3339),
                "age_seconds": self.age(t).map(|us| us as f64 / 1e6),
                "quality_score": t.quality_score(),
                "quality_run": t.quality_run,
                "open_dead_letters": t.open_dead_letters,
            })
        });
        json!({"passport": 1, "at": rfc3339(self.at), "snapshot": self.snapshot, "tables": tables.collect::<Vec<_>>()}).to_string()
    }

    /// Refuses an answer from a table that is older or worse than the caller asked for.
    pub fn meets(&self, wanted: &Requirements) -> std::result::Result<(), Error> {
        let mut faults = Vec::new();
        for t in &self.tables {
            if let Some(most) = wanted.freshness {
                match self.age(t) {
                    Some(age) if age <= most => {}
                    Some(age) => faults.push(format!(
                        "{} is {} old and require_freshness allows {}: start a run of its source (`lakewright run start`), or SET require_freshness = NONE",
                        t.name(), span(age), span(most)
                    )),
                    None => faults.push(format!(
                        "{} never had a record, so its freshness is not known: start a run of its source (`lakewright run start`), or SET require_freshness = NONE",
                        t.name()
                    )),
                }
            }
            let Some((least, (valid, all))) = wanted.quality.zip(t.quality) else { continue };
            if t.quality_score().is_some_and(|score| score < least) {
                faults.push(format!(
                    "{} has a quality score of {:.4} ({valid} of {all} records of run {} are valid) and require_quality asks for {least}: look at `lakewright deadletter list --open` and `lakewright quality`, or SET require_quality = NONE",
                    t.name(), valid as f64 / all as f64, t.quality_run.as_deref().unwrap_or("-")
                ));
            }
        }
        if faults.is_empty() {
            return Ok(());
        }
        Err(Error::new(ErrorCode::Unmet, faults.join("; ")))
    }
}

fn rfc3339(us: i64) -> String {
    chrono::DateTime::from_timestamp_micros(us).map_or_else(String::new, |t| t.to_rfc3339_opts(chrono::SecondsFormat::Micros, true))
}

/// A span as people say it, in its largest two units.
fn span(us: i64) -> String {
    match us / 1_000_000 {
        0 => format!("{}ms", us / 1_000),
        s if s < 60 => format!("{s}s"),
        s if s < 3_600 => format!("{}m {}s", s / 60, s % 60),
        s if s < 86_400 => format!("{}h {}m", s / 3_600, s % 3_600 / 60),
        s => format!("{}d {}h", s / 86_400, s % 86_400 / 3_600),
    }
}

/// The stored tables that a plan reads, each once.
pub(super) fn tables_read(plan: &LogicalPlan) -> std::result::Result<Vec<(Layer, String)>, Error> {
    let mut found = Vec::new();
    let walk = plan.apply_with_subqueries(|node| {
        if let LogicalPlan::TableScan(scan) = node {
            // What is no provider of ours, such as a table function, is no table either.
            if let Ok(provider) = source_as_provider(&scan.source) {
                if let Some(table) = (provider.as_ref() as &dyn Any).downcast_ref::<SnapshotTable>() {
                    found.push(table.name());
                }
            }
        }
        Ok(TreeNodeRecursion::Continue)
    });
    walk.map_err(|e| query_error(&e))?;
    found.sort_by(|a, b| (a.0.as_str(), &a.1).cmp(&(b.0.as_str(), &b.1)));
    found.dedup();
    Ok(found)
}

/// The passport of an answer from these tables.
pub(super) fn passport(scope: &Scope, tables: &[(Layer, String)]) -> Result<Passport> {
    let view = scope.catalog.view();
    let clock = view.store().clock()?.0;
    let wall = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |d| d.as_micros() as i64);
    let mut out = Passport { at: wall.max(clock), snapshot: scope.version, tables: Vec::with_capacity(tables.len()) };
    for (layer, name) in tables {
        let Some(table) = view.table_by_name(scope.tenant, *layer, name)? else { continue };
        out.tables.push(of_table(&view, scope.tenant, &table)?);
    }
    Ok(out)
}

fn of_table(view: &View<'_>, tenant: TenantId, table: &Table) -> Result<TablePassport> {
    let mut out = TablePassport {
        layer: table.layer,
        table: table.name.clone(),
        version: table.version,
        rows: table.rows,
        fresh_as_of: (table.updated_at > table.created_at || table.rows > 0).then_some(table.updated_at),
        quality: None,
        quality_run: None,
        open_dead_letters: None,
    };
    if table.layer != Layer::Silver {
        return Ok(out);
    }
    // A change table is as good as the table whose changes it has.
    let base = table.name.strip_suffix("__changes").unwrap_or(&table.name).to_owned();
    let merged = if base == table.name { Some(table.clone()) } else { view.table_by_name(tenant, Layer::Silver, &base)? };
    let Some(merged) = merged else { return Ok(out) };
    let arrived = view.get::<Arrivals>(&(tenant, base.clone()))?.map(|a| a.at);
    // What waits for its merge is not in the table: it is complete up to the oldest of that.
    let waiting = view.queue(merged.id, 1)?.first().map(|c| c.committed_at);
    out.fresh_as_of = match (arrived, waiting) {
        (Some(a), Some(w)) if merged.rows > 0 || merged.updated_at > merged.created_at => Some(a.min(w)),
        (_, Some(_)) => None,
        (a, None) => a,
    };
    if let Some(standing) = view.get::<Standings>(&(tenant, base))? {
        let run = view.get::<Runs>(&(tenant, standing.run))?;
        let ledger = run.as_ref().and_then(|r| r.ledger.get(&merged.subject));
        out.quality = ledger.map(|l| valid_of(&l.checked, &standing.mended));
        out.quality_run = Some(standing.run.to_string());
        out.open_dead_letters = Some(standing.open_letters);
    }
    Ok(out)
}

#[cfg(test)]
#[path = "passport_tests.rs"]
mod tests;
