//! `lakewright quality`.

use clap::{Args, Subcommand};
use lakewright_proto::admin::{ListAlertsRequest, ListQualityResultsRequest, ListQualityScoresRequest};
use lakewright_proto::Error;

use super::args::LimitArgs;
use super::client::pages;
use super::near::{explain_near, What};
use super::output::Column;
use super::{views, Context};

/// Alerts as lists show them.
pub(super) const ALERT_COLUMNS: &[Column] = &[("AT", "at"), ("KIND", "kind"), ("SUBJECT", "subject"), ("MESSAGE", "message")];

#[derive(Debug, Subcommand)]
pub(super) enum Cmd {
    /// The share of valid records per entity and run.
    Scores(Which),
    /// Results per record.
    Results {
        #[command(flatten)]
        which: Which,
        /// Only records with a failed rule or a warning.
        #[arg(long)]
        failed: bool,
    },
    /// What people should look at, newest first: stale tables, unusual runs, broken connectors.
    Alerts {
        /// Only of this kind: freshness, anomaly_volume, connector_broken, ...
        #[arg(long, default_value = "", hide_default_value = true)]
        kind: String,
        /// Only of this connector.
        #[arg(long, default_value = "", hide_default_value = true)]
        connector: String,
        /// Only of this run.
        #[arg(long, default_value = "", hide_default_value = true)]
        run: String,
        #[command(flatten)]
        limit: LimitArgs,
    },
}

#[derive(Debug, Args)]
pub(super) struct Which {
    /// Only of this entity.
    #[arg(long, default_value = "", hide_default_value = true)]
    entity: String,
    /// Only of this run.
    #[arg(long, default_value = "", hide_default_value = true)]
    run: String,
    #[command(flatten)]
    limit: LimitArgs,
}

pub(super) async fn run(ctx: &Context, cmd: Cmd) -> Result<(), Error> {
    let admin = ctx.admin().await?;
    let tenant = ctx.tenant();
    let failed = match cmd {
        Cmd::Scores(Which { entity, run, limit }) => {
            let request = pages!(
                admin,
                limit.limit,
                list_quality_scores,
                ListQualityScoresRequest { tenant: tenant, entity: entity, run_id: run },
                scores
            );
            match request {
                Ok(found) => {
                    let rows: Vec<_> = found.iter().map(views::score).collect();
                    let columns = [
                        ("ENTITY", "entity"),
                        ("RUN", "ingestion_run_id"),
                        ("RECORDS", "total_records"),
                        ("VALID", "valid_records"),
                        ("SCORE", "quality_score"),
                        ("FLAGGED", "flagged"),
                        ("WARNED", "warned"),
                        ("RUN STARTED", "run_started_at"),
                    ];
                    return ctx.out.list(&rows, &columns, "nothing was checked yet");
                }
                Err(status) => status,
            }
        }
        Cmd::Results { which: Which { entity, run, limit }, failed } => {
            let request = pages!(
                admin,
                limit.limit,
                list_quality_results,
                ListQualityResultsRequest { tenant: tenant, entity: entity, run_id: run, failed_only: failed },
                results
            );
            match request {
                Ok(found) => {
                    let rows: Vec<_> = found.iter().map(views::quality_result).collect();
                    let columns = [
                        ("ADDRESS", "address"),
                        ("ENTITY", "entity"),
                        ("KEY", "source_key"),
                        ("VALID", "is_valid"),
                        ("FAILED", "failed_rules"),
                        ("WARNINGS", "warnings"),
                        ("CHECKED", "checked_at"),
                    ];
                    return ctx.out.list(&rows, &columns, "no results");
                }
                Err(status) => status,
            }
        }
        Cmd::Alerts { kind, connector, run, limit } => {
            let request = pages!(
                admin,
                limit.limit,
                list_alerts,
                ListAlertsRequest { tenant: tenant, kind: kind, connector: connector, run_id: run },
                alerts
            );
            match request {
                Ok(found) => {
                    let rows: Vec<_> = found.iter().map(views::alert).collect();
                    return ctx.out.list(&rows, ALERT_COLUMNS, "no alerts");
                }
                Err(status) if !connector.is_empty() => {
                    return Err(explain_near(&admin, What::Connector, &tenant, &connector, status).await)
                }
                Err(status) => status,
            }
        }
    };
    Err(explain_near(&admin, What::Tenant, "", &tenant, failed).await)
}
