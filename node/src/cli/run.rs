//! `lakewright run`.

use clap::{Subcommand, ValueEnum};
use lakewright_proto::admin::{self as api, CancelRunRequest, GetRunRequest, ListRunsRequest, StartRunRequest};
use lakewright_proto::Error;
use serde_json::Value;

use super::args::LimitArgs;
use super::client::{explain, pages};
use super::near::{explain_near, What};
use super::output::Format;
use super::{progress, views, Context};

#[derive(Debug, Subcommand)]
pub(super) enum Cmd {
    /// Start a run of a connector.
    Start {
        /// The connector's name.
        connector: String,
        /// Only this stream; by default all.
        #[arg(long, default_value = "", hide_default_value = true)]
        stream: String,
        #[arg(long, value_enum, default_value_t = Mode::Batch)]
        mode: Mode,
        /// Read from the beginning rather than from where the last run ended.
        #[arg(long)]
        full: bool,
        /// Read from the beginning beside the stream's other runs, and behind them at the source's quota.
        #[arg(long, conflicts_with = "full")]
        backfill: bool,
        /// Show progress until it is sealed, and fail if it fails.
        #[arg(long, short)]
        follow: bool,
    },
    /// List runs, newest first.
    List {
        /// Only of this connector.
        #[arg(long, default_value = "", hide_default_value = true)]
        connector: String,
        #[arg(long, value_enum)]
        status: Option<Status>,
        #[command(flatten)]
        limit: LimitArgs,
    },
    /// Show one run with its ledger.
    Show { id: String },
    /// Show a run's progress until it is sealed.
    Follow { id: String },
    /// End a run; what it has committed stays.
    Cancel { id: String },
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum Mode {
    /// Ends when the source has nothing more.
    Batch,
    /// Goes on until it is cancelled.
    Streaming,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum Status {
    Running,
    Settling,
    Succeeded,
    Failed,
    Cancelled,
}

impl From<Status> for api::RunStatus {
    fn from(s: Status) -> Self {
        match s {
            Status::Running => Self::Running,
            Status::Settling => Self::Settling,
            Status::Succeeded => Self::Succeeded,
            Status::Failed => Self::Failed,
            Status::Cancelled => Self::Cancelled,
        }
    }
}

/// The scope that the flags name.
pub(super) fn scope(full: bool, backfill: bool) -> api::RunScope {
    match (full, backfill) {
        (true, _) => api::RunScope::Full,
        (_, true) => api::RunScope::Backfill,
        _ => api::RunScope::Incremental,
    }
}

pub(super) async fn run(ctx: &Context, cmd: Cmd) -> Result<(), Error> {
    let mut admin = ctx.admin().await?;
    let tenant = ctx.tenant();
    match cmd {
        Cmd::Start { connector, stream, mode, full, backfill, follow } => {
            let mode = match mode {
                Mode::Batch => api::RunMode::Batch,
                Mode::Streaming => api::RunMode::Streaming,
            };
            let scope = scope(full, backfill);
            // A repeat of this very call, by a retry below us, must not start a second run.
            let request_id = uuid::Uuid::now_v7().to_string();
            let request = StartRunRequest {
                tenant: tenant.clone(),
                connector: connector.clone(),
                stream,
                mode: mode.into(),
                scope: scope.into(),
                request_id,
            };
            let runs = match admin.start_run(request).await {
                Ok(started) => started.into_inner().runs,
                Err(status) => return Err(explain_near(&admin, What::Connector, &tenant, &connector, status).await),
            };
            if !follow {
                return list(ctx, &runs, "nothing to run: the connector has no streams");
            }
            progress::follow(ctx, &admin, &tenant, runs.iter().map(|r| r.id.clone()).collect()).await
        }
        Cmd::List { connector, status, limit } => {
            let status = status.map_or(0, |s| api::RunStatus::from(s).into());
            match pages!(admin, limit.limit, list_runs, ListRunsRequest { tenant: tenant, connector: connector, status: status }, runs) {
                Ok(found) => list(ctx, &found, "no runs; start one with `lakewright run start CONNECTOR --follow`"),
                Err(status) => Err(explain_near(&admin, What::Connector, &tenant, &connector, status).await),
            }
        }
        Cmd::Show { id } => show(ctx, &admin.get_run(GetRunRequest { tenant, id }).await.map_err(|s| explain(&s))?.into_inner()),
        Cmd::Cancel { id } => {
            show(ctx, &admin.cancel_run(CancelRunRequest { tenant, id, ..Default::default() }).await.map_err(|s| explain(&s))?.into_inner())
        }
        Cmd::Follow { id } => progress::follow(ctx, &admin, &tenant, vec![id]).await,
    }
}

fn list(ctx: &Context, runs: &[api::IngestionRun], nothing: &str) -> Result<(), Error> {
    let rows: Vec<_> = runs.iter().map(views::run).collect();
    let columns = [
        ("ID", "id"),
        ("CONNECTOR", "connector"),
        ("STREAM", "entity"),
        ("MODE", "mode"),
        ("STATUS", "status"),
        ("READ", "read"),
        ("REJECTED", "rejected"),
        ("STARTED", "started_at"),
        ("ENDED", "ended_at"),
    ];
    ctx.out.list(&rows, &columns, nothing)
}

/// One run; for people the ledger stands below as a table.
pub(super) fn show(ctx: &Context, run: &api::IngestionRun) -> Result<(), Error> {
    let mut shown = views::run(run);
    if ctx.out.format() != Format::Table {
        return ctx.out.one(&shown);
    }
    let ledger = shown["ledger"].take();
    shown["stats_json"] = Value::Null;
    ctx.out.one(&shown)?;
    let columns = [
        ("ENTITY", "entity"),
        ("ACCEPTED", "accepted"),
        ("INSERTED", "inserted"),
        ("UPDATED", "updated"),
        ("DELETED", "deleted"),
        ("UNCHANGED", "unchanged"),
        ("STALE", "stale"),
        ("REJECTED", "rejected"),
        ("FLAGGED", "flagged"),
        ("WARNED", "warned"),
        ("RESIDUE", "residue"),
    ];
    match ledger.as_array() {
        Some(rows) if !rows.is_empty() => ctx.out.list(rows, &columns, ""),
        _ => Ok(()),
    }
}
