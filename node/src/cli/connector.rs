//! `lakewright connector`.

use std::ffi::OsStr;

use clap::builder::TypedValueParser;
use clap::error::ErrorKind;
use clap::{Arg, Subcommand, ValueEnum};
use lakewright_proto::admin::{
    self as api, ClearBrokenRequest, CreateConnectorRequest, DiscoverConnectorRequest, GetConnectorRequest, ListConnectorsRequest,
    PauseConnectorRequest, PlanConnectorRequest, ResetConnectorRequest, ResumeConnectorRequest, TestConnectorRequest,
    UpdateConnectorRequest,
};
use lakewright_proto::{Error, ErrorCode};
use serde_json::json;

use super::args::LimitArgs;
use super::client::pages;
use super::near::{explain_near, What};
use super::{views, Context};

#[derive(Debug, Subcommand)]
pub(super) enum Cmd {
    /// Make a connector.
    Create {
        /// Its name, unique in the tenant.
        #[arg(long)]
        name: String,
        #[arg(long, value_enum)]
        kind: Kind,
        /// Its configuration: JSON, or @FILE.
        #[arg(long, value_parser = JsonOrFile)]
        config: String,
    },
    /// Replace a connector's configuration; secrets that are left out stay.
    Update {
        name: String,
        /// JSON, or @FILE.
        #[arg(long, value_parser = JsonOrFile)]
        config: String,
        /// Refuse if the connector has another version by now.
        #[arg(long, default_value_t = 0, hide_default_value = true)]
        if_version: u64,
    },
    /// List connectors.
    List(LimitArgs),
    /// Show one connector and its shards.
    Show { name: String },
    /// Try to reach and read the source. Changes nothing.
    Test { name: String },
    /// List the streams that the source offers.
    Discover { name: String },
    /// Tell what a run would read, ask of the source's quota, and when it would be done. Starts nothing.
    Plan {
        name: String,
        /// Only this stream.
        #[arg(long, default_value = "", hide_default_value = true)]
        stream: String,
        /// Of a run from the beginning that also deletes what is gone.
        #[arg(long, conflicts_with = "backfill")]
        full: bool,
        /// Of a run from the beginning behind everything more urgent.
        #[arg(long)]
        backfill: bool,
    },
    /// Stop a connector until it is resumed.
    Pause { name: String },
    /// Let a paused connector run again.
    Resume { name: String },
    /// Read from the beginning again at the next run; nothing stored is deleted.
    Reset {
        name: String,
        /// Only this stream.
        #[arg(long, default_value = "", hide_default_value = true)]
        stream: String,
    },
    /// Take a connector out of `broken` after its cause is mended.
    ClearBroken { name: String },
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum Kind {
    /// NDJSON, JSON, CSV and Parquet files in a directory or an S3 prefix.
    Files,
    /// AWS Partner Central: opportunities, AWS's side of them, solutions, engagements, invitations.
    PartnerCentral,
}

/// Reads `--config`. What is refused is not shown, unlike clap does by itself: it may hold secrets.
#[derive(Clone)]
struct JsonOrFile;

impl TypedValueParser for JsonOrFile {
    type Value = String;

    fn parse_ref(&self, cmd: &clap::Command, arg: Option<&Arg>, value: &OsStr) -> Result<String, clap::Error> {
        let text = value.to_str().ok_or_else(|| "the configuration is not UTF-8".to_owned());
        text.and_then(json_or_file).map_err(|why| {
            let name = arg.and_then(Arg::get_long).unwrap_or("config");
            clap::Error::raw(ErrorKind::ValueValidation, format!("--{name}: {why}\n")).with_cmd(cmd)
        })
    }
}

/// The text itself, or that of the file after `@`; refused here where it is no JSON.
fn json_or_file(s: &str) -> Result<String, String> {
    let text = match s.strip_prefix('@') {
        Some(path) => std::fs::read_to_string(path).map_err(|e| format!("{path} cannot be read: {e}"))?,
        None => s.to_owned(),
    };
    match serde_json::from_str::<serde_json::Value>(&text) {
        Ok(v) if v.is_object() => Ok(text),
        Ok(_) => Err("the configuration is not a JSON object".to_owned()),
        Err(e) => Err(format!("the configuration is not JSON: {e}")),
    }
}

pub(super) async fn run(ctx: &Context, cmd: Cmd) -> Result<(), Error> {
    let mut admin = ctx.admin().await?;
    let tenant = ctx.tenant();
    let request_id = String::new();
    let (name, answer) = match cmd {
        Cmd::Create { name, kind, config } => {
            let kind = match kind {
                Kind::Files => api::ConnectorKind::Files,
                Kind::PartnerCentral => api::ConnectorKind::PartnerCentral,
            };
            let request =
                CreateConnectorRequest { tenant: tenant.clone(), name: name.clone(), kind: kind.into(), config_json: config, request_id };
            return match admin.create_connector(request).await {
                Ok(c) => {
                    let c = c.into_inner();
                    ctx.out.said(
                        &format!(
                            "made the connector {} ({}); next: lakewright connector test {}, then lakewright run start {} --follow",
                            c.name, c.id, c.name, c.name
                        ),
                        &views::connector(&c),
                    )
                }
                Err(status) => Err(explain_near(&admin, What::Tenant, "", &tenant, status).await),
            };
        }
        Cmd::List(args) => {
            return match pages!(admin, args.limit, list_connectors, ListConnectorsRequest { tenant: tenant }, connectors) {
                Ok(found) => {
                    let rows: Vec<_> = found.iter().map(views::connector).collect();
                    let columns = [
                        ("NAME", "name"),
                        ("KIND", "kind"),
                        ("STATUS", "status"),
                        ("BROKEN", "broken"),
                        ("VERSION", "version"),
                        ("ID", "id"),
                    ];
                    ctx.out.list(&rows, &columns, "no connectors; make one with `lakewright connector create`")
                }
                Err(status) => Err(explain_near(&admin, What::Tenant, "", &tenant, status).await),
            };
        }
        Cmd::Test { name } => match admin.test_connector(TestConnectorRequest { tenant: tenant.clone(), connector: name.clone() }).await {
            Ok(t) => {
                let t = t.into_inner();
                ctx.out.said(&t.message, &json!({ "ok": t.ok, "message": t.message }))?;
                return if t.ok { Ok(()) } else { Err(Error::new(ErrorCode::Unavailable, format!("{name} cannot be read: see above"))) };
            }
            Err(status) => (name, Err(status)),
        },
        Cmd::Discover { name } => match admin
            .discover_connector(DiscoverConnectorRequest { tenant: tenant.clone(), connector: name.clone() })
            .await
        {
            Ok(found) => {
                let rows: Vec<_> = found.into_inner().streams.iter().map(views::stream).collect();
                let columns =
                    [("STREAM", "name"), ("RECORDS", "estimated_records"), ("BYTES", "estimated_bytes"), ("DESCRIPTION", "description")];
                return ctx.out.list(&rows, &columns, "the source offers no streams");
            }
            Err(status) => (name, Err(status)),
        },
        Cmd::Plan { name, stream, full, backfill } => {
            let scope = super::run::scope(full, backfill);
            let request = PlanConnectorRequest { tenant: tenant.clone(), connector: name.clone(), stream, scope: scope.into() };
            match admin.plan_connector(request).await {
                Ok(planned) => {
                    let rows: Vec<_> = planned.into_inner().streams.iter().map(views::stream_plan).collect();
                    let columns = [
                        ("STREAM", "stream"),
                        ("RECORDS", "records"),
                        ("REQUESTS", "requests"),
                        ("SECONDS", "seconds"),
                        ("DONE AT", "done_at"),
                        ("DETAIL", "detail"),
                    ];
                    return ctx.out.list(&rows, &columns, "the source offers no streams");
                }
                Err(status) => (name, Err(status)),
            }
        }
        Cmd::Update { name, config, if_version } => {
            let request =
                UpdateConnectorRequest { tenant: tenant.clone(), connector: name.clone(), config_json: config, if_version, request_id };
            (name, admin.update_connector(request).await)
        }
        Cmd::Show { name } => {
            let answer = admin.get_connector(GetConnectorRequest { tenant: tenant.clone(), connector: name.clone() }).await;
            (name, answer)
        }
        Cmd::Pause { name } => {
            let answer = admin.pause_connector(PauseConnectorRequest { tenant: tenant.clone(), connector: name.clone(), request_id }).await;
            (name, answer)
        }
        Cmd::Resume { name } => {
            let answer =
                admin.resume_connector(ResumeConnectorRequest { tenant: tenant.clone(), connector: name.clone(), request_id }).await;
            (name, answer)
        }
        Cmd::Reset { name, stream } => {
            let answer =
                admin.reset_connector(ResetConnectorRequest { tenant: tenant.clone(), connector: name.clone(), stream, request_id }).await;
            (name, answer)
        }
        Cmd::ClearBroken { name } => {
            let answer = admin.clear_broken(ClearBrokenRequest { tenant: tenant.clone(), connector: name.clone(), request_id }).await;
            (name, answer)
        }
    };
    match answer {
        Ok(c) => ctx.out.one(&views::connector(&c.into_inner())),
        Err(status) => Err(explain_near(&admin, What::Connector, &tenant, &name, status).await),
    }
}
