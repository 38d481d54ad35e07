//! `lakewright lineage`.

use clap::{Args, Subcommand};
use lakewright_proto::admin::walk_lineage_request::From;
use lakewright_proto::admin::{LineageDirection, WalkLineageRequest};
use lakewright_proto::{Error, RecordAddress};
use serde_json::json;

use super::near::{explain_near, What};
use super::output::Format;
use super::{views, Context};

#[derive(Debug, Subcommand)]
pub(super) enum Cmd {
    /// Walk from a table, a Bronze commit or a record towards its sources, or its consumers.
    Walk {
        #[command(flatten)]
        from: Start,
        /// Towards the consumers rather than the sources.
        #[arg(long)]
        down: bool,
        /// At most this many steps; 0: to the end.
        #[arg(long, default_value_t = 0)]
        depth: u32,
        /// Most entries to show.
        #[arg(long, default_value_t = 200)]
        limit: u32,
    },
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(super) struct Start {
    /// As in SQL: silver.opportunity
    table: Option<String>,
    /// The number of a Bronze commit: `_commit_seq` of a row.
    #[arg(long)]
    commit: Option<u64>,
    /// A Bronze record, SHARD/OFFSET: `_address_shard` and `_address_offset` of a row.
    #[arg(long)]
    address: Option<RecordAddress>,
}

pub(super) async fn run(ctx: &Context, cmd: Cmd) -> Result<(), Error> {
    let Cmd::Walk { from, down, depth, limit } = cmd;
    let mut admin = ctx.admin().await?;
    let tenant = ctx.tenant();
    let table = from.table.clone().unwrap_or_default();
    let start = match from {
        Start { table: Some(table), .. } => Some(From::Table(table)),
        Start { commit: Some(commit), .. } => Some(From::Commit(commit)),
        Start { address: Some(address), .. } => Some(From::Address(address.to_string())),
        _ => None,
    };
    let direction = if down { LineageDirection::Down } else { LineageDirection::Up };
    let request = WalkLineageRequest { tenant: tenant.clone(), direction: direction.into(), max_depth: depth, limit, from: start };
    let found = match admin.walk_lineage(request).await {
        Ok(found) => found.into_inner(),
        Err(status) => return Err(explain_near(&admin, What::Table, &tenant, &table, status).await),
    };
    let nodes: Vec<_> = found.nodes.iter().map(views::lineage_node).collect();
    if ctx.out.format() == Format::Json {
        let edges: Vec<_> = found.edges.iter().map(views::lineage_edge).collect();
        return ctx.out.json(&json!({ "nodes": nodes, "edges": edges, "truncated": found.truncated }));
    }
    ctx.out.list(&nodes, &[("STEP", "depth"), ("KIND", "kind"), ("WHAT", "label"), ("FACTS", "facts"), ("AT", "at")], "no lineage")?;
    if found.truncated {
        ctx.out.remark("there is more: raise --limit");
    }
    Ok(())
}
