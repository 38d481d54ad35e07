//! `lakewright table verify --from-bronze`: progress while the node works, then the report.

use std::time::Duration;

use indicatif::{HumanCount, ProgressBar, ProgressDrawTarget, ProgressStyle};
use lakewright_proto::admin::{VerifyTableFromBronzeRequest, VerifyTableProgress, VerifyTableReport};
use lakewright_proto::{Error, ErrorCode};
use serde_json::json;
use tonic::Status;

use super::client::{explain, Admin};
use super::Context;

/// Follows a verification to its end; faults are a failure. A refusal of the call itself is for the caller to explain.
pub(super) async fn from_bronze(ctx: &Context, admin: &mut Admin, tenant: &str, table: &str) -> Result<Result<(), Error>, Status> {
    let request = VerifyTableFromBronzeRequest { tenant: tenant.to_owned(), table: table.to_owned() };
    let mut stream = admin.verify_table_from_bronze(request).await?.into_inner();
    let bar = ProgressBar::new(0);
    bar.set_draw_target(if ctx.out.draws_progress() { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() });
    let style = ProgressStyle::with_template("{prefix:20} [{elapsed}] {bar:30} {msg}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar.set_prefix(table.to_owned());
    bar.enable_steady_tick(Duration::from_millis(120));
    let report = loop {
        match stream.message().await {
            Ok(Some(p)) => {
                show(&bar, &p);
                if let Some(report) = p.report {
                    break Some(report);
                }
            }
            Ok(None) => break None,
            Err(status) => {
                bar.abandon();
                return Ok(Err(explain(&status)));
            }
        }
    };
    bar.finish_and_clear();
    Ok(match report {
        Some(report) => told(ctx, table, &report),
        None => Err(Error::new(ErrorCode::Unavailable, "the node ended the verification without a report; nothing was changed, try again")),
    })
}

fn show(bar: &ProgressBar, p: &VerifyTableProgress) {
    // Merging again and comparing are told as one bar each.
    let (at, of) = if p.rows_to_compare > 0 { (p.rows_compared, p.rows_to_compare) } else { (p.commit, p.watermark) };
    bar.set_length(of);
    bar.set_position(at);
    bar.set_message(sentence(p));
}

/// What stands beside the bar.
pub(super) fn sentence(p: &VerifyTableProgress) -> String {
    if p.rows_to_compare > 0 {
        return format!("{} of {} rows compared", HumanCount(p.rows_compared), HumanCount(p.rows_to_compare));
    }
    format!("{} records merged again, up to commit {} of {}", HumanCount(p.records), p.commit, p.watermark)
}

fn told(ctx: &Context, table: &str, r: &VerifyTableReport) -> Result<(), Error> {
    let shown = json!({
        "table": table, "watermark": r.watermark, "commits": r.commits_merged, "records": r.records_merged,
        "rows": r.rows_checked, "keys": r.keys_checked, "faults": r.faults, "fault_count": r.fault_count,
    });
    let said = format!(
        "{table}: {} rows and {} keys compared with {} records of {} Bronze commits, up to commit {}",
        r.rows_checked, r.keys_checked, r.records_merged, r.commits_merged, r.watermark
    );
    ctx.out.said(&said, &shown)?;
    if r.fault_count == 0 {
        return Ok(());
    }
    let first = if r.fault_count > r.faults.len() as u64 { format!("; the first {}", r.faults.len()) } else { String::new() };
    let faults = r.faults.join("\n  ");
    Err(Error::new(ErrorCode::DataLoss, format!("{table} is not what Bronze makes of it, {} faults{first}:\n  {faults}", r.fault_count)))
}
