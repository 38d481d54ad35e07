//! `lakewright status` and `lakewright audit`.

use clap::Args;
use lakewright_proto::admin::{GetNodeRequest, ListAuditRequest};
use lakewright_proto::Error;
use serde_json::Value;

use super::args::LimitArgs;
use super::client::{explain, pages};
use super::near::{explain_near, What};
use super::output::Format;
use super::{views, Context};

#[derive(Debug, Args)]
pub(super) struct ListArgs {
    #[command(flatten)]
    limit: LimitArgs,
}

/// Shows the node.
pub(super) async fn status(ctx: &Context) -> Result<(), Error> {
    let mut admin = ctx.admin().await?;
    let node = admin.get_node(GetNodeRequest {}).await.map_err(|s| explain(&s))?.into_inner();
    let mut shown = views::node(&node);
    if ctx.out.format() != Format::Table {
        return ctx.out.one(&shown);
    }
    shown["memory_bytes"] = Value::Null;
    let layers = shown["layers"].take();
    ctx.out.one(&shown)?;
    let columns = [("LAYER", "layer"), ("TABLES", "tables"), ("FILES", "files"), ("ROWS", "rows"), ("BYTES", "bytes")];
    match layers.as_array() {
        Some(rows) if !rows.is_empty() => ctx.out.list(rows, &columns, ""),
        _ => Ok(()),
    }
}

/// Shows who did what.
pub(super) async fn list(ctx: &Context, args: ListArgs) -> Result<(), Error> {
    let admin = ctx.admin().await?;
    let tenant = ctx.tenant();
    match pages!(admin, args.limit.limit, list_audit, ListAuditRequest { tenant: tenant }, entries) {
        Ok(found) => {
            let rows: Vec<_> = found.iter().map(views::audit).collect();
            ctx.out.list(
                &rows,
                &[("AT", "at"), ("WHO", "principal"), ("TENANT", "tenant"), ("ACTION", "action"), ("REFUSED", "refused")],
                "nothing was done yet",
            )
        }
        Err(status) => Err(explain_near(&admin, What::Tenant, "", &tenant, status).await),
    }
}
