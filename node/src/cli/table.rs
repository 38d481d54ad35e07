//! `lakewright table`.

use clap::{Subcommand, ValueEnum};
use lakewright_proto::admin::{self as api, CompactTableRequest, DescribeTableRequest, ListTablesRequest, VerifyTableRequest};
use lakewright_proto::{Error, ErrorCode};
use serde_json::json;

use super::args::LimitArgs;
use super::client::pages;
use super::near::{explain_near, What};
use super::output::{bytes, Format};
use super::{rebuild, verify, views, Context};

#[derive(Debug, Subcommand)]
pub(super) enum Cmd {
    /// List tables.
    List {
        /// Only of this layer.
        #[arg(long, value_enum)]
        layer: Option<Layer>,
        #[command(flatten)]
        limit: LimitArgs,
    },
    /// Show a table's columns and buckets.
    Describe {
        /// As in SQL: silver.opportunity
        table: String,
    },
    /// Compare a table's files, key index and catalog with each other.
    Verify {
        table: String,
        /// Make the table again from its Bronze commits, in a scratch place, and compare every row.
        #[arg(long)]
        from_bronze: bool,
    },
    /// Compact a table now.
    Compact { table: String },
    /// Make a Silver table again from its Bronze commits, by the pack version in use, and swap it in.
    Rebuild {
        table: String,
        /// Return at once; `table describe` tells how far it is.
        #[arg(long)]
        no_wait: bool,
    },
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum Layer {
    Bronze,
    Silver,
    Gold,
    Platinum,
    System,
}

impl From<Layer> for api::Layer {
    fn from(l: Layer) -> Self {
        match l {
            Layer::Bronze => Self::Bronze,
            Layer::Silver => Self::Silver,
            Layer::Gold => Self::Gold,
            Layer::Platinum => Self::Platinum,
            Layer::System => Self::System,
        }
    }
}

pub(super) async fn run(ctx: &Context, cmd: Cmd) -> Result<(), Error> {
    let mut admin = ctx.admin().await?;
    let tenant = ctx.tenant();
    let (table, status) = match cmd {
        Cmd::List { layer, limit } => {
            let layer = layer.map_or(0, |l| api::Layer::from(l).into());
            return match pages!(admin, limit.limit, list_tables, ListTablesRequest { tenant: tenant, layer: layer }, tables) {
                Ok(found) => {
                    let rows: Vec<_> = found.iter().map(views::table).collect();
                    let columns = [
                        ("TABLE", "table"),
                        ("ROWS", "rows"),
                        ("FILES", "files"),
                        ("SIZE", "size"),
                        ("SOURCE", "subject"),
                        ("UPDATED", "updated_at"),
                    ];
                    ctx.out.list(&rows, &columns, "no tables yet: they come with the first run")
                }
                Err(status) => Err(explain_near(&admin, What::Tenant, "", &tenant, status).await),
            };
        }
        Cmd::Describe { table } => {
            match admin.describe_table(DescribeTableRequest { tenant: tenant.clone(), table: table.clone() }).await {
                Ok(found) => return describe(ctx, &found.into_inner()),
                Err(status) => (table, status),
            }
        }
        Cmd::Verify { table, from_bronze: true } => match verify::from_bronze(ctx, &mut admin, &tenant, &table).await {
            Ok(done) => return done,
            Err(status) => (table, status),
        },
        Cmd::Verify { table, .. } => match admin.verify_table(VerifyTableRequest { tenant: tenant.clone(), table: table.clone() }).await {
            Ok(done) => {
                let v = done.into_inner();
                let shown =
                    json!({ "table": table, "files": v.files_checked, "rows": v.rows_checked, "keys": v.keys_checked, "faults": v.faults });
                ctx.out.said(
                    &format!("{table}: {} files, {} rows, {} keys checked", v.files_checked, v.rows_checked, v.keys_checked),
                    &shown,
                )?;
                if v.faults.is_empty() {
                    return Ok(());
                }
                return Err(Error::new(
                    ErrorCode::DataLoss,
                    format!("{table} has {} faults:\n  {}", v.faults.len(), v.faults.join("\n  ")),
                ));
            }
            Err(status) => (table, status),
        },
        Cmd::Rebuild { table, no_wait } => match rebuild::run(ctx, &mut admin, &tenant, &table, no_wait).await {
            Ok(done) => return done,
            Err(status) => (table, status),
        },
        Cmd::Compact { table } => {
            match admin.compact_table(CompactTableRequest { tenant: tenant.clone(), table: table.clone(), ..Default::default() }).await {
                Ok(done) => {
                    let c = done.into_inner();
                    let shown = json!({ "table": table, "files_before": c.files_before, "files_after": c.files_after, "bytes_before": c.bytes_before, "bytes_after": c.bytes_after });
                    let said = format!(
                        "{table}: {} files ({}) became {} ({})",
                        c.files_before,
                        bytes(c.bytes_before),
                        c.files_after,
                        bytes(c.bytes_after)
                    );
                    return ctx.out.said(&said, &shown);
                }
                Err(status) => (table, status),
            }
        }
    };
    Err(explain_near(&admin, What::Table, &tenant, &table, status).await)
}

fn describe(ctx: &Context, d: &api::DescribeTableResponse) -> Result<(), Error> {
    let mut shown = d.table.as_ref().map_or_else(|| json!({}), views::table);
    let columns: Vec<_> = d.columns.iter().map(views::column).collect();
    let buckets: Vec<_> = d.buckets.iter().map(views::bucket).collect();
    if let Some(rebuild) = &d.rebuild {
        shown["rebuild"] = rebuild::shown(shown["table"].as_str().unwrap_or_default(), rebuild);
    }
    if ctx.out.format() != Format::Table {
        shown["columns"] = columns.into();
        shown["buckets"] = buckets.into();
        return ctx.out.one(&shown);
    }
    ctx.out.one(&shown)?;
    ctx.out.list(
        &columns,
        &[("ID", "id"), ("COLUMN", "name"), ("TYPE", "type"), ("NULL", "nullable"), ("DESCRIPTION", "description")],
        "no columns",
    )?;
    if buckets.is_empty() {
        return Ok(());
    }
    let heads = [
        ("BUCKET", "number"),
        ("OWNER", "owner"),
        ("EPOCH", "epoch"),
        ("WATERMARK", "watermark"),
        ("ROWS", "live_rows"),
        ("LAG", "lag_commits"),
    ];
    ctx.out.list(&buckets, &heads, "")
}
