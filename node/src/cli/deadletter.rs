//! `lakewright deadletter`.

use clap::Subcommand;
use lakewright_proto::admin::{GetDeadLetterRequest, ListDeadLettersRequest, ReplayDeadLettersRequest};
use lakewright_proto::{Error, RecordAddress};
use serde_json::{json, Value};

use super::args::LimitArgs;
use super::client::{explain, pages};
use super::near::{explain_near, What};
use super::output::Format;
use super::{progress, views, Context};

#[derive(Debug, Subcommand)]
pub(super) enum Cmd {
    /// List rejected records, newest first.
    List {
        /// Only of this connector.
        #[arg(long, default_value = "", hide_default_value = true)]
        connector: String,
        /// Only of this run.
        #[arg(long, default_value = "", hide_default_value = true)]
        run: String,
        /// Only of this entity.
        #[arg(long, default_value = "", hide_default_value = true)]
        entity: String,
        /// Only with this reason: schema, parse, invalid_utf8, oversize, out_of_range, too_deep, internal.
        #[arg(long, default_value = "", hide_default_value = true)]
        reason: String,
        /// Only those that no later replay has checked.
        #[arg(long)]
        open: bool,
        #[command(flatten)]
        limit: LimitArgs,
    },
    /// Show one rejected record with its payload.
    Show {
        /// SHARD/OFFSET, as in `deadletter list`.
        address: RecordAddress,
        #[arg(long, default_value = "", hide_default_value = true)]
        entity: String,
        /// Write the payload alone, byte for byte.
        #[arg(long)]
        raw: bool,
    },
    /// Check rejected records that are still open again, after the pack or the rule is mended.
    Replay {
        /// Only these addresses; by default all that the options choose.
        addresses: Vec<RecordAddress>,
        /// Only of this run and of its replays.
        #[arg(long, default_value = "", hide_default_value = true)]
        run: String,
        /// Only of this entity.
        #[arg(long, default_value = "", hide_default_value = true)]
        entity: String,
        /// Only with this reason.
        #[arg(long, default_value = "", hide_default_value = true)]
        reason: String,
        /// Show progress until it is sealed.
        #[arg(long, short)]
        follow: bool,
    },
}

pub(super) async fn run(ctx: &Context, cmd: Cmd) -> Result<(), Error> {
    let mut admin = ctx.admin().await?;
    let tenant = ctx.tenant();
    match cmd {
        Cmd::List { connector, run, entity, reason, open, limit } => {
            let found = pages!(
                admin,
                limit.limit,
                list_dead_letters,
                ListDeadLettersRequest {
                    tenant: tenant,
                    connector: connector,
                    run_id: run,
                    entity: entity,
                    reason: reason,
                    open_only: open
                },
                dead_letters
            );
            match found {
                Ok(found) => {
                    let rows: Vec<_> = found.iter().map(views::dead_letter).collect();
                    let columns = [
                        ("ADDRESS", "address"),
                        ("ENTITY", "entity"),
                        ("REASON", "reason"),
                        ("RULE", "rule"),
                        ("DETAIL", "detail"),
                        ("LOCATION", "location"),
                        ("REJECTED", "rejected_at"),
                        ("OPEN", "open"),
                    ];
                    ctx.out.list(&rows, &columns, "no dead letters")
                }
                Err(status) => Err(explain_near(&admin, What::Connector, &tenant, &connector, status).await),
            }
        }
        Cmd::Show { address, entity, raw } => {
            let request = GetDeadLetterRequest { tenant, address: address.to_string(), entity };
            let d = admin.get_dead_letter(request).await.map_err(|s| explain(&s))?.into_inner();
            if raw {
                return ctx.out.bytes(&d.payload);
            }
            let mut shown = views::dead_letter(&d);
            if ctx.out.format() == Format::Table {
                ctx.out.one(&shown)?;
                return ctx.out.line(&format!("\n{}", String::from_utf8_lossy(&d.payload)));
            }
            // What is no text stands there in hexadecimal, and says so by its name.
            match std::str::from_utf8(&d.payload) {
                Ok(text) => shown["payload"] = text.into(),
                Err(_) => shown["payload_hex"] = hex::encode(&d.payload).into(),
            }
            ctx.out.one(&shown)
        }
        Cmd::Replay { addresses, run, entity, reason, follow } => {
            let addresses = addresses.iter().map(RecordAddress::to_string).collect();
            let request_id = uuid::Uuid::now_v7().to_string();
            let request = ReplayDeadLettersRequest { tenant: tenant.clone(), run_id: run, entity, reason, addresses, request_id };
            let done = admin.replay_dead_letters(request).await.map_err(|s| explain(&s))?.into_inner();
            if done.skipped > 0 {
                ctx.out.remark(&format!("{} records cannot be replayed: only their head was kept", done.skipped));
            }
            if done.mended > 0 {
                ctx.out.remark(&format!("{} records are left out: an earlier replay has checked them", done.mended));
            }
            if follow && !done.runs.is_empty() {
                return progress::follow(ctx, &admin, &tenant, done.runs.iter().map(|r| r.id.clone()).collect()).await;
            }
            let runs: Vec<Value> = done.runs.iter().map(views::run).collect();
            let ids: Vec<_> = done.runs.iter().map(|r| r.id.as_str()).collect();
            let said = match ids.len() {
                0 => "no open dead letters to replay".to_owned(),
                _ => format!("replaying {} records in {}", done.records, ids.join(", ")),
            };
            ctx.out.said(&said, &json!({ "records": done.records, "skipped": done.skipped, "mended": done.mended, "runs": runs }))
        }
    }
}
