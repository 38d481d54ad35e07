//! Progress of runs: a bar each, with records, bytes and rate.

use std::time::Duration;

use futures::future::try_join_all;
use indicatif::{HumanBytes, HumanCount, MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use lakewright_proto::admin::{FollowRunRequest, GetRunRequest, RunProgress, RunStatus};
use lakewright_proto::{Error, ErrorCode};
use serde_json::Value;

use super::client::{explain, Admin};
use super::output::Format;
use super::{run, views, Context};

/// Follows runs to their end, shows them, and fails if one of them failed.
pub(super) async fn follow(ctx: &Context, admin: &Admin, tenant: &str, ids: Vec<String>) -> Result<(), Error> {
    let target = if ctx.out.draws_progress() { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
    let bars = MultiProgress::with_draw_target(target);
    let ended = try_join_all(ids.iter().map(|id| follow_one(admin, tenant, id, &bars))).await?;
    let mut runs = Vec::with_capacity(ids.len());
    for id in ids {
        runs.push(admin.clone().get_run(GetRunRequest { tenant: tenant.to_owned(), id }).await.map_err(|s| explain(&s))?.into_inner());
    }
    if ctx.out.format() == Format::Json {
        ctx.out.json(&runs.iter().zip(&ended).map(|(r, p)| with_alerts(views::run(r), p)).collect())?;
    } else {
        runs.iter().try_for_each(|r| run::show(ctx, r))?;
        let alerts = alerts_of(&ended);
        if !alerts.is_empty() {
            ctx.out.remark(&format!("\n{} alerts were raised; see also `lakewright quality alerts`", alerts.len()));
            ctx.out.list(&alerts, super::quality::ALERT_COLUMNS, "")?;
        }
    }
    match ended.iter().find(|p| p.status() != RunStatus::Succeeded) {
        None => Ok(()),
        Some(p) => {
            let what = views::run_status(p.status());
            let why = if p.error.is_empty() { String::new() } else { format!(": {}", p.error) };
            Err(Error::new(
                ErrorCode::Unavailable,
                format!(
                    "the run {} of {} is {what}{why}; what it committed stays, and the next run goes on from there",
                    p.run_id, p.stream
                ),
            ))
        }
    }
}

fn with_alerts(mut run: Value, end: &RunProgress) -> Value {
    run["alerts"] = end.alerts.iter().map(views::alert).collect();
    run
}

/// What the ends of runs tell, each once: runs of one connector share its alerts.
pub(super) fn alerts_of(ended: &[RunProgress]) -> Vec<Value> {
    let mut out: Vec<Value> = Vec::new();
    for alert in ended.iter().flat_map(|p| &p.alerts).map(views::alert) {
        if !out.contains(&alert) {
            out.push(alert);
        }
    }
    out
}

async fn follow_one(admin: &Admin, tenant: &str, id: &str, bars: &MultiProgress) -> Result<RunProgress, Error> {
    let request = FollowRunRequest { tenant: tenant.to_owned(), id: id.to_owned() };
    let mut stream = admin.clone().follow_run(request).await.map_err(|s| explain(&s))?.into_inner();
    let bar = bars.add(ProgressBar::no_length());
    bar.set_style(style(false));
    bar.enable_steady_tick(Duration::from_millis(120));
    let mut last: Option<RunProgress> = None;
    let mut rate = Rate::default();
    while let Some(p) = stream.message().await.map_err(|s| explain(&s))? {
        if bar.length().is_none() {
            if let Some(total) = p.estimated_bytes.filter(|n| *n > 0) {
                bar.set_style(style(true));
                bar.set_length(total);
            }
        }
        bar.set_position(p.bytes);
        bar.set_prefix(p.stream.clone());
        bar.set_message(sentence(&p, rate.of(&p)));
        last = Some(p);
    }
    bar.finish();
    let last = last.filter(|p| is_over(p.status()));
    last.ok_or_else(|| {
        Error::new(
            ErrorCode::UnknownOutcome,
            format!("the node ended the progress of the run {id} before the run's end: look with `lakewright run show {id}`"),
        )
    })
}

fn is_over(status: RunStatus) -> bool {
    matches!(status, RunStatus::Succeeded | RunStatus::Failed | RunStatus::Cancelled)
}

fn style(has_length: bool) -> ProgressStyle {
    let template = if has_length { "{prefix:20} [{elapsed}] {bar:30} {msg}" } else { "{prefix:20} [{elapsed}] {spinner} {msg}" };
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// What stands beside the bar.
pub(super) fn sentence(p: &RunProgress, (records, bytes): (f64, f64)) -> String {
    let mut s = format!(
        "{} records, {}, {}/s, {}/s, {}",
        HumanCount(p.records),
        HumanBytes(p.bytes),
        HumanCount(records as u64),
        HumanBytes(bytes as u64),
        views::run_status(p.status())
    );
    if p.rejected > 0 {
        s += &format!(", {} rejected", HumanCount(p.rejected));
    }
    if p.settling > 0 {
        s += &format!(", {} on their way to silver", HumanCount(p.settling));
    }
    s
}

/// Records and bytes a second, from the node's own times: smoothed while it reads, then of the run as a whole.
#[derive(Default)]
pub(super) struct Rate {
    before: Option<(f64, u64, u64)>,
    smooth: (f64, f64),
}

impl Rate {
    pub(super) fn of(&mut self, p: &RunProgress) -> (f64, f64) {
        let seconds = |t: &Option<prost_types::Timestamp>| t.as_ref().map_or(0.0, |t| t.seconds as f64 + f64::from(t.nanos) / 1e9);
        let (at, start) = (seconds(&p.at), seconds(&p.started_at));
        if p.status() != RunStatus::Running && at > start {
            if self.before.is_none() {
                self.smooth = (p.records as f64 / (at - start), p.bytes as f64 / (at - start));
            }
            return self.smooth;
        }
        let (t, records, bytes) = self.before.unwrap_or((start, 0, 0));
        let dt = at - t;
        if dt > 0.05 {
            let now = (p.records.saturating_sub(records) as f64 / dt, p.bytes.saturating_sub(bytes) as f64 / dt);
            let mix = |old: f64, new: f64| if self.before.is_none() { new } else { 0.7 * old + 0.3 * new };
            self.smooth = (mix(self.smooth.0, now.0), mix(self.smooth.1, now.1));
            self.before = Some((at, p.records, p.bytes));
        }
        self.smooth
    }
}
