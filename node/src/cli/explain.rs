//! `lakewright explain`.

use clap::{Args, Subcommand};
use lakewright_proto::admin::{ExplainRequest, ExplainResponse};
use lakewright_proto::Error;
use serde_json::{json, Value};

use super::near::{explain_near, What};
use super::output::Format;
use super::{explain_views as views, Context};

#[derive(Debug, Subcommand)]
pub(super) enum Cmd {
    /// Where a row comes from: its source record, run, request and checks, or the Silver rows behind a Gold row.
    Row {
        /// As in SQL: silver.partner_central_opportunity
        table: String,
        /// Of a Silver row its key at the source; of a Gold row COLUMN=VALUE for each column of its grain.
        #[arg(required = true)]
        key: Vec<String>,
        #[command(flatten)]
        which: Which,
    },
    /// Where one value comes from: the same, how it is made, and its history.
    Cell {
        /// As in SQL: silver.partner_central_opportunity
        table: String,
        /// The column.
        column: String,
        /// Of a Silver row its key at the source; of a Gold row COLUMN=VALUE for each column of its grain.
        #[arg(required = true)]
        key: Vec<String>,
        #[command(flatten)]
        which: Which,
    },
}

#[derive(Debug, Args)]
pub(super) struct Which {
    /// Of a Silver row whose key several scopes have: which scope.
    #[arg(long, default_value = "", hide_default_value = true)]
    scope: String,
    /// Of a Gold row: the UTC day, as 2026-11-23; by default the newest.
    #[arg(long, default_value = "", hide_default_value = true)]
    date: String,
    /// Changes, or contributing rows, at most.
    #[arg(long, default_value_t = 100)]
    limit: u32,
}

pub(super) async fn run(ctx: &Context, cmd: Cmd) -> Result<(), Error> {
    let mut admin = ctx.admin().await?;
    let tenant = ctx.tenant();
    let (table, column, key, which) = match cmd {
        Cmd::Row { table, key, which } => (table, String::new(), key, which),
        Cmd::Cell { table, column, key, which } => (table, column, key, which),
    };
    let Which { scope, date, limit } = which;
    let request = ExplainRequest { tenant: tenant.clone(), table: table.clone(), key, column, scope, date, limit };
    let found = match admin.explain(request).await {
        Ok(found) => found.into_inner(),
        Err(status) => return Err(explain_near(&admin, What::Table, &tenant, &table, status).await),
    };
    if ctx.out.format() == Format::Json {
        return ctx.out.json(&views::explanation(&found));
    }
    people(ctx, &found)
}

/// For people: what was asked first, then where it comes from, step by step.
fn people(ctx: &Context, e: &ExplainResponse) -> Result<(), Error> {
    let out = &ctx.out;
    if !e.column.is_empty() {
        out.one(&json!({ "table": e.table, "column": e.column, "value": parsed(&e.value_json), "made_by": e.made_by }))?;
    }
    if let Some(o) = &e.origin {
        let mut origin = views::origin(o);
        if let Some(fields) = origin.as_object_mut() {
            fields.remove("payload");
        }
        out.one(&origin)?;
        let verdict = e.verdict.clone().unwrap_or_default();
        out.one(&json!({ "is_valid": verdict.is_valid, "failed_rules": verdict.failed_rules, "warnings": verdict.warnings, "flags": verdict.flags }))?;
        let history: Vec<Value> = e.history.iter().map(views::row_change).collect();
        out.list(&history, &[("CHANGE", "change"), ("AT", "at"), ("COMMIT", "commit"), ("VALUE", "value")], "no changes")?;
        if !e.contributing_json.is_empty() {
            contributing(ctx, e, "")?;
        }
        out.line(&String::from_utf8_lossy(&o.payload))?;
    }
    if let Some(mart) = &e.mart {
        out.one(&views::mart(mart))?;
        if e.column.is_empty() {
            out.one(&parsed(&e.row_json))?;
        }
        contributing(ctx, e, "no contributing rows, or the mart does not say which they are")?;
    }
    if e.truncated {
        out.remark("there is more: raise --limit");
    }
    Ok(())
}

/// Rows that something is made of, with the columns of the last one.
fn contributing(ctx: &Context, e: &ExplainResponse, none: &str) -> Result<(), Error> {
    let rows: Vec<Value> = e.contributing_json.iter().map(|r| parsed(r)).collect();
    let names: Vec<String> = rows.last().and_then(Value::as_object).map(|o| o.keys().cloned().collect()).unwrap_or_default();
    let columns: Vec<(&str, &str)> = names.iter().map(|n| (n.as_str(), n.as_str())).collect();
    ctx.out.list(&rows, &columns, none)
}

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or(Value::Null)
}
