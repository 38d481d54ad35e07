//! `lakewright table rebuild`: asks for it, and shows how far it is until it is swapped in.

use std::time::Duration;

use indicatif::{HumanCount, ProgressBar, ProgressDrawTarget, ProgressStyle};
use lakewright_proto::admin::{DescribeTableRequest, RebuildTableRequest, TableRebuild};
use lakewright_proto::Error;
use serde_json::{json, Value};
use tonic::Status;

use super::client::{explain, Admin};
use super::{views, Context};

/// How often it is asked how far it is.
const EVERY: Duration = Duration::from_millis(300);

/// Asks for a rebuild and follows it. A refusal of the call itself is for the caller to explain.
pub(super) async fn run(ctx: &Context, admin: &mut Admin, tenant: &str, table: &str, no_wait: bool) -> Result<Result<(), Error>, Status> {
    let request = RebuildTableRequest { tenant: tenant.to_owned(), table: table.to_owned(), ..Default::default() };
    let asked = admin.rebuild_table(request).await?.into_inner();
    if no_wait {
        return Ok(ctx
            .out
            .said(&format!("{table} will be made again from Bronze; `table describe` tells how far it is"), &shown(table, &asked)));
    }
    let bar = ProgressBar::new(0);
    bar.set_draw_target(if ctx.out.draws_progress() { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() });
    let style = ProgressStyle::with_template("{prefix:20} [{elapsed}] {bar:30} {msg}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar.set_prefix(table.to_owned());
    let done = loop {
        let asked = admin.describe_table(DescribeTableRequest { tenant: tenant.to_owned(), table: table.to_owned() }).await;
        let rebuild = match asked {
            Ok(found) => found.into_inner().rebuild.unwrap_or_default(),
            Err(status) => {
                bar.abandon();
                return Ok(Err(explain(&status)));
            }
        };
        if rebuild.reason.is_empty() {
            break rebuild;
        }
        bar.set_length(rebuild.watermark);
        bar.set_position(rebuild.commit);
        let records = HumanCount(rebuild.records);
        bar.set_message(format!("{records} records merged again, up to commit {} of {}", rebuild.commit, rebuild.watermark));
        tokio::time::sleep(EVERY).await;
    };
    bar.finish_and_clear();
    Ok(ctx.out.said(&format!("{table} was made again from Bronze up to commit {}, and swapped in", done.upto), &shown(table, &done)))
}

/// A rebuild as JSON.
pub(super) fn shown(table: &str, r: &TableRebuild) -> Value {
    json!({
        "table": table, "reason": views::text(&r.reason), "requested_at": views::time(&r.requested_at), "commit": r.commit,
        "watermark": r.watermark, "records": r.records, "done_at": views::time(&r.done_at), "pack": views::text(&r.pack), "upto": r.upto,
    })
}
