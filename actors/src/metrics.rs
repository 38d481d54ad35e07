//! Every metric of this crate, named once.

use std::time::Duration;

use lakewright_storage::catalog::records::{Shard, Table};
use metrics::{counter, gauge, histogram};

/// Records committed to Bronze.
pub const RECORDS: &str = "lakewright_records_total";
/// Payload bytes committed to Bronze.
pub const BYTES: &str = "lakewright_bytes_total";
/// Seconds from the proposal of a commit to its answer.
pub const COMMIT_SECONDS: &str = "lakewright_commit_seconds";
/// Records merged into Silver.
pub const MERGED: &str = "lakewright_merged_records_total";
/// Seconds that merging took.
pub const MERGE_SECONDS: &str = "lakewright_merge_seconds_total";
/// Children restarted after a failure.
pub const RESTARTS: &str = "lakewright_restarts_total";
/// Children given up.
pub const BROKEN: &str = "lakewright_broken_total";
/// Bytes of credit in use.
pub const CREDIT: &str = "lakewright_credit_in_use_bytes";
/// Bronze commits that Silver has still to consume.
pub const LAG: &str = "lakewright_silver_lag_commits";

pub(crate) fn bronze_commit(shard: &Shard, records: u64, bytes: u64, took: Duration) {
    let labels = [("tenant", shard.tenant_id.to_string()), ("connector", shard.connector_id.to_string())];
    counter!(RECORDS, &labels).increment(records);
    counter!(BYTES, &labels).increment(bytes);
    histogram!(COMMIT_SECONDS, "layer" => "bronze").record(took.as_secs_f64());
}

pub(crate) fn silver_commit(table: &Table, took: Duration) {
    histogram!(COMMIT_SECONDS, "layer" => "silver").record(took.as_secs_f64());
    counter!("lakewright_silver_commits_total", "tenant" => table.tenant_id.to_string(), "table" => table.name.clone()).increment(1);
}

pub(crate) fn merged(table: &Table, records: u64, took: Duration) {
    let labels = [("tenant", table.tenant_id.to_string()), ("table", table.name.clone())];
    counter!(MERGED, &labels).increment(records);
    gauge!(MERGE_SECONDS, &labels).increment(took.as_secs_f64());
}

pub(crate) fn restarted(what: &'static str) {
    counter!(RESTARTS, "what" => what).increment(1);
}

pub(crate) fn broken(what: &'static str) {
    counter!(BROKEN, "what" => what).increment(1);
}

pub(crate) fn credit(bytes: u64) {
    gauge!(CREDIT).set(bytes as f64);
}

pub(crate) fn lag(table: &Table, commits: usize) {
    gauge!(LAG, "tenant" => table.tenant_id.to_string(), "table" => table.name.clone()).set(commits as f64);
}
