//! `lakewright mart`.

use clap::Subcommand;
use lakewright_proto::admin::{ListMartsRequest, RebuildMartRequest};
use lakewright_proto::Error;

use super::near::{explain_near, What};
use super::{explain_views as views, Context};

#[derive(Debug, Subcommand)]
pub(super) enum Cmd {
    /// List the Gold tables that the tenant's packs make, and where each stands.
    List,
    /// Build a Gold table now rather than some seconds after the next change; answers when its rows are there.
    Rebuild {
        /// The mart.
        mart: String,
    },
}

pub(super) async fn run(ctx: &Context, cmd: Cmd) -> Result<(), Error> {
    let mut admin = ctx.admin().await?;
    let tenant = ctx.tenant();
    match cmd {
        Cmd::List => match admin.list_marts(ListMartsRequest { tenant: tenant.clone() }).await {
            Ok(found) => {
                let rows: Vec<_> = found.into_inner().marts.iter().map(views::mart).collect();
                let columns = [
                    ("MART", "name"),
                    ("AS OF", "as_of_date"),
                    ("ROWS", "rows"),
                    ("STALE", "stale"),
                    ("BUILT AT", "built_at"),
                    ("SECONDS", "took_seconds"),
                    ("DESCRIPTION", "description"),
                ];
                ctx.out.list(&rows, &columns, "no marts; a pack names them in marts.yaml")
            }
            Err(status) => Err(explain_near(&admin, What::Tenant, "", &tenant, status).await),
        },
        Cmd::Rebuild { mart } => match admin.rebuild_mart(RebuildMartRequest { tenant: tenant.clone(), mart: mart.clone() }).await {
            Ok(built) => ctx.out.one(&views::mart(&built.into_inner())),
            Err(status) => Err(super::client::explain(&status)),
        },
    }
}
