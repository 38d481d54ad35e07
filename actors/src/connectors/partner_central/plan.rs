//! What a run would cost: a few pages of the list, the account's limits, and what is left of the quota.

use std::time::Duration;

use lakewright_storage::catalog::records::{QuotaClass, RunScope};

use super::api::Call;
use super::connector::{ended, Source};
use super::lists::list_call;
use super::pace::quota_name;
use super::pages::{self, Item};
use super::position::Position;
use super::streams::Stream;
use crate::connectors::{SourceError, StreamPlan};

/// Pages that are listed to tell what a run would read.
const PAGES: u64 = 5;
const PAGE: u64 = 100;
const DAY: u64 = 86_400;

/// What a run of a stream from a position on would cost.
pub async fn plan(source: &Source, stream: Stream, position: &Position, scope: RunScope) -> Result<StreamPlan, SourceError> {
    let (mut records, mut pages_read, mut token) = (0, 0, None);
    let overlap = i64::try_from(source.config.overlap.as_micros()).unwrap_or(i64::MAX);
    loop {
        let call = if stream.is_listed_whole() {
            list_call(stream, 0, token.take())
        } else {
            Call::ListOpportunities { after: position.list_from(overlap), token: token.take() }
        };
        let answer = source.caller.call(&call, QuotaClass::Live, 1).await.map_err(ended)?;
        let page = pages::parse(stream, &answer.body).map_err(SourceError::Fatal)?;
        pages_read += 1;
        let unread = |i: &&Item| !position.has_seen(&i.id, i.changed);
        records += page.items.iter().filter(unread).count() as u64;
        token = page.token;
        if token.is_none() || pages_read == PAGES {
            break;
        }
    }
    let mut at_least = token.is_some();
    if at_least && scope != RunScope::Incremental {
        // Of a whole list that is longer than was looked at, what is known says more.
        let known = source.host.known(stream.name(), source.known_scope(stream), source.config.max_keys).await?.len() as u64;
        records = records.max(known);
    }
    if stream == Stream::Invitation {
        // The other side's list was not asked for.
        at_least = true;
    }
    let gets = if matches!(stream, Stream::Solution | Stream::Association) { 0 } else { records };
    let requests = gets + records.div_ceil(PAGE).max(pages_read);
    let (_, used) = source.host.quota_used(&quota_name(&source.account))?;
    let left = u64::from(source.config.reads_per_day).saturating_sub(used);
    let detail = format!(
        "{} lists{}, {} a second; {left} of {} calls are left of these 24 hours",
        requests - gets,
        if gets > 0 { format!(" and {gets} Gets") } else { String::new() },
        source.config.reads_per_second,
        source.config.reads_per_day,
    );
    Ok(StreamPlan {
        stream: stream.name().to_owned(),
        records: Some(records),
        at_least,
        requests: Some(requests),
        takes: Some(takes(requests, left, source.config.reads_per_second, source.config.reads_per_day)),
        detail,
    })
}

/// How long requests take at a pace, with what is left of a day's budget: pure.
fn takes(requests: u64, left: u64, per_second: u32, per_day: u32) -> Duration {
    let at_pace = |n: u64| Duration::from_secs_f64(n as f64 / f64::from(per_second.max(1)));
    match requests.checked_sub(left) {
        None | Some(0) => at_pace(requests),
        Some(over) => {
            // What is over waits for calls of the last 24 hours to be forgotten, a day's worth a day.
            let per_day = u64::from(per_day.max(1));
            let days = over.div_ceil(per_day);
            Duration::from_secs(DAY * days) + at_pace(over - (days - 1) * per_day)
        }
    }
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
