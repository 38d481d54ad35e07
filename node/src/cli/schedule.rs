//! `lakewright schedule`.

use std::time::Duration;

use clap::Subcommand;
use lakewright_proto::admin::{ClearScheduleRequest, ListSchedulesRequest, SetScheduleRequest};
use lakewright_proto::Error;
use serde_json::json;

use super::args::LimitArgs;
use super::client::{explain, pages};
use super::near::{explain_near, What};
use super::{views, Context};
use crate::config::parse_duration;

#[derive(Debug, Subcommand)]
pub(super) enum Cmd {
    /// Let the clock start a connector's runs, in place of its schedule. What is missed is made good once.
    Set {
        /// The connector.
        connector: String,
        /// Minute, hour, day of the month, month, day of the week: "15 6 * * MON-FRI".
        cron: String,
        /// The time zone that it is meant in, as Europe/Berlin.
        #[arg(long, default_value = "UTC")]
        zone: String,
        /// Put each start off by up to this, as 5m, so that not all begin at once.
        #[arg(long, default_value = "0s", value_parser = parse_duration)]
        jitter: Duration,
    },
    /// What the clock starts, and when next.
    List {
        #[command(flatten)]
        limit: LimitArgs,
    },
    /// Let the clock start no more of a connector's runs.
    Clear {
        /// The connector.
        connector: String,
    },
}

pub(super) async fn run(ctx: &Context, cmd: Cmd) -> Result<(), Error> {
    let mut admin = ctx.admin().await?;
    let tenant = ctx.tenant();
    match cmd {
        Cmd::Set { connector, cron, zone, jitter } => {
            let request =
                SetScheduleRequest { tenant: tenant.clone(), connector: connector.clone(), cron, zone, jitter_seconds: jitter.as_secs() };
            match admin.set_schedule(request).await {
                Ok(set) => ctx.out.one(&views::schedule(&set.into_inner())),
                Err(status) => Err(explain_near(&admin, What::Connector, &tenant, &connector, status).await),
            }
        }
        Cmd::List { limit } => {
            let found =
                pages!(admin, limit.limit, list_schedules, ListSchedulesRequest { tenant: tenant }, schedules).map_err(|s| explain(&s))?;
            let rows: Vec<_> = found.iter().map(views::schedule).collect();
            let columns = [
                ("CONNECTOR", "connector"),
                ("CRON", "cron"),
                ("ZONE", "zone"),
                ("NEXT", "next_at"),
                ("LAST", "last_at"),
                ("MISSED", "missed"),
                ("LAST ERROR", "last_error"),
            ];
            ctx.out.list(&rows, &columns, "no schedules: `lakewright schedule set CONNECTOR \"0 * * * *\"` makes one")
        }
        Cmd::Clear { connector } => {
            match admin.clear_schedule(ClearScheduleRequest { tenant: tenant.clone(), connector: connector.clone() }).await {
                Ok(_) => {
                    let text = format!("the clock starts no more runs of {connector}");
                    ctx.out.said(&text, &json!({ "connector": connector, "cleared": true }))
                }
                Err(status) => Err(explain_near(&admin, What::Connector, &tenant, &connector, status).await),
            }
        }
    }
}
