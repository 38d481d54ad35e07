//! Is a run unlike the last ones? Pure, and in whole numbers: every node must answer the same.
//!
//! A number is usual within `median ± max(6 × MAD, 50% of the median, a floor)` of the last 14 runs, MAD being the median
//! distance from the median; with fewer than 5 runs nothing is said. The floors are 20 records for the volume, and 5
//! percentage points for the share of records without a value in a column, which is judged in runs of 20 records and more.
//! Where most runs bring nothing there is no usual volume, and none is judged. An enum column's value is new if none of the
//! last 14 runs had it. Every judged run joins the history, so a lasting change is told until it is usual.

use crate::catalog::records::{EntityProfile, History};

/// Runs that are compared with.
pub const RUNS: usize = 14;
/// Runs without which nothing is said.
pub const LEAST_RUNS: usize = 5;
/// A volume this far from the median is usual in any case.
const VOLUME_FLOOR: u64 = 20;
/// Likewise a share, in millionths.
const SHARE_FLOOR: u64 = 50_000;
/// A share of fewer records says nothing.
const LEAST_ROWS: u64 = 20;
/// Columns and values named in one finding.
const NAMED: usize = 10;

/// Something unusual: the kind of its alert, and what was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// `anomaly_volume`, `anomaly_nulls`, `anomaly_values`.
    pub kind: &'static str,
    /// What is unusual, and what would be usual.
    pub text: String,
}

/// What is usual, by the last runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usual {
    /// The middle.
    pub median: u64,
    /// The least.
    pub low: u64,
    /// The most.
    pub high: u64,
}

fn median(mut values: Vec<u64>) -> u64 {
    values.sort_unstable();
    let mid = values.len() / 2;
    match (values.len() % 2, values.get(mid), mid.checked_sub(1).and_then(|i| values.get(i))) {
        (0, Some(a), Some(b)) => b + (a - b) / 2,
        (1, Some(a), _) => *a,
        _ => 0,
    }
}

/// What the last runs make usual; none if they are too few.
pub fn usual(last: &[u64], floor: u64) -> Option<Usual> {
    if last.len() < LEAST_RUNS {
        return None;
    }
    let middle = median(last.to_vec());
    let spread = median(last.iter().map(|v| v.abs_diff(middle)).collect());
    let width = spread.saturating_mul(6).max(middle / 2).max(floor);
    Some(Usual { median: middle, low: middle.saturating_sub(width), high: middle.saturating_add(width) })
}

/// What of a run is unlike the runs before it.
pub fn judge(history: &History, volume: u64, profile: &EntityProfile) -> Vec<Finding> {
    let findings = [volume_of(history, volume), nulls_of(history, profile), values_of(history, profile)];
    findings.into_iter().flatten().collect()
}

fn volume_of(history: &History, volume: u64) -> Option<Finding> {
    let usual = usual(&history.volumes, VOLUME_FLOOR).filter(|u| u.median > 0 && !(u.low..=u.high).contains(&volume))?;
    let text =
        format!("{volume} records; the last {} runs had {} to {} (median {})", history.volumes.len(), usual.low, usual.high, usual.median);
    Some(Finding { kind: "anomaly_volume", text })
}

fn nulls_of(history: &History, profile: &EntityProfile) -> Option<Finding> {
    let mut found = Vec::new();
    for (column, share) in shares(profile) {
        let Some(usual) = history.shares.get(column).and_then(|last| usual(last, SHARE_FLOOR)) else { continue };
        if !(usual.low..=usual.high).contains(&share) {
            found.push(format!("{column} {} (median {})", percent(share), percent(usual.median)));
        }
    }
    finding("anomaly_nulls", "records without a value: ", found)
}

fn values_of(history: &History, profile: &EntityProfile) -> Option<Finding> {
    let mut found = Vec::new();
    for (column, values) in &profile.values {
        let Some(known) = history.values.get(column).filter(|k| k.runs >= LEAST_RUNS as u64) else { continue };
        let new = values.seen.iter().filter(|v| !known.last.contains_key(*v));
        found.extend(new.map(|v| format!("{column} = {v:?}")));
    }
    finding("anomaly_values", "values that no recent run had: ", found)
}

fn finding(kind: &'static str, what: &str, mut found: Vec<String>) -> Option<Finding> {
    let more = found.len().saturating_sub(NAMED);
    found.truncate(NAMED);
    let rest = if more > 0 { format!(", and {more} more") } else { String::new() };
    (!found.is_empty()).then(|| Finding { kind, text: format!("{what}{}{rest}", found.join(", ")) })
}

/// Shares of records without a value, in millionths; of too few records none.
fn shares(profile: &EntityProfile) -> impl Iterator<Item = (&String, u64)> {
    let rows = profile.rows;
    let enough = rows >= LEAST_ROWS;
    profile.nulls.iter().filter(move |_| enough).map(move |(column, nulls)| (column, nulls.saturating_mul(1_000_000) / rows.max(1)))
}

fn percent(millionths: u64) -> String {
    format!("{}.{}%", millionths / 10_000, millionths % 10_000 / 1_000)
}

/// Adds a run to the history.
pub fn remember(history: &mut History, volume: u64, profile: &EntityProfile) {
    history.runs += 1;
    push(&mut history.volumes, volume);
    for (column, share) in shares(profile) {
        push(history.shares.entry(column.clone()).or_default(), share);
    }
    let run = history.runs;
    let oldest = run.saturating_sub(RUNS as u64);
    for (column, values) in &profile.values {
        if values.many {
            // It is no enumeration now; should it become one again, it is learnt afresh.
            history.values.remove(column);
            continue;
        }
        let known = history.values.entry(column.clone()).or_default();
        known.runs += 1;
        known.last.extend(values.seen.iter().map(|v| (v.clone(), run)));
        known.last.retain(|_, last| *last > oldest);
    }
    if profile.rows > 0 {
        // Columns that the pack does not have any more.
        history.shares.retain(|column, _| profile.nulls.contains_key(column));
        history.values.retain(|column, _| profile.values.contains_key(column));
    }
}

fn push(last: &mut Vec<u64>, value: u64) {
    last.push(value);
    let surplus = last.len().saturating_sub(RUNS);
    last.drain(..surplus);
}

#[cfg(test)]
#[path = "anomaly_tests.rs"]
mod tests;
