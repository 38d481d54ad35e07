//! Every metric once: its name, its kind, its labels and what it says. Code that records uses these constants.

/// What a metric is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only rises.
    Counter,
    /// Goes up and down.
    Gauge,
    /// A distribution, in seconds.
    Histogram,
}

/// A metric as it is told to Prometheus.
#[derive(Debug)]
pub struct Metric {
    /// Its name.
    pub name: &'static str,
    /// What it is.
    pub kind: Kind,
    /// What it says.
    pub help: &'static str,
}

macro_rules! metrics {
    ($($(#[doc = $help:literal])+ $name:ident = $text:literal $kind:ident;)+) => {
        $($(#[doc = $help])+ pub const $name: &str = $text;)+

        /// All of them.
        pub static METRICS: &[Metric] = &[$(Metric { name: $text, kind: Kind::$kind, help: concat!($($help),+) }),+];
    };
}

metrics! {
    /// Records committed to Bronze. Labels: tenant, connector.
    RECORDS = "lakewright_records_total" Counter;
    /// Bytes of payload committed to Bronze. Labels: tenant, connector.
    BYTES = "lakewright_bytes_total" Counter;
    /// Records merged into Silver. Labels: tenant, table.
    MERGED_RECORDS = "lakewright_merged_records_total" Counter;
    /// Seconds that merging one Bronze commit into Silver took. Labels: tenant, table.
    MERGE_SECONDS = "lakewright_merge_seconds" Histogram;
    /// Commits to Silver. Labels: tenant, table.
    SILVER_COMMITS = "lakewright_silver_commits_total" Counter;
    /// File entries moved from the catalog into manifests in the object store. Labels: tenant.
    FOLDED_FILES = "lakewright_folded_files_total" Counter;
    /// Objects deleted from the object store that no commit had named for a day. Labels: tenant, table.
    ORPHANS_DELETED = "lakewright_orphans_deleted_total" Counter;
    /// Small Bronze files that became part of a larger one. Labels: tenant, table.
    REPACKED_FILES = "lakewright_repacked_files_total" Counter;
    /// Bronze commits that wait for a Silver table. Labels: tenant, table.
    SILVER_LAG_COMMITS = "lakewright_silver_lag_commits" Gauge;
    /// Seconds since accepted records last came, for tables with a freshness rule. Labels: tenant, table.
    TABLE_AGE = "lakewright_table_age_seconds" Gauge;
    /// Fetched bytes that wait for their commit, on this node.
    CREDIT_IN_USE = "lakewright_credit_in_use_bytes" Gauge;
    /// Fetched bytes that wait for their commit. Labels: tenant.
    TENANT_CREDIT_IN_USE = "lakewright_tenant_credit_in_use_bytes" Gauge;
    /// Seconds from handing a commit to the catalog to its answer. Labels: tenant, layer, connector (bronze) or table (silver).
    COMMIT_SECONDS = "lakewright_commit_seconds" Histogram;
    /// Restarts of a supervised actor. Labels: tenant, what (tenant, connector, shard, merge), connector.
    RESTARTS = "lakewright_restarts_total" Counter;
    /// Supervised actors given up after too many failures. Labels: tenant, what, connector.
    BROKEN = "lakewright_broken_total" Counter;
    /// Seconds from proposing a command to the catalog to its answer.
    CATALOG_COMMIT_SECONDS = "lakewright_catalog_commit_seconds" Histogram;
    /// Seconds that a snapshot of the catalog took.
    CATALOG_SNAPSHOT_SECONDS = "lakewright_catalog_snapshot_seconds" Histogram;
    /// Commands that wait for the catalog.
    CATALOG_QUEUE = "lakewright_catalog_queue_length" Gauge;
    /// Flushes of the catalog's log to disk.
    CATALOG_FSYNCS = "lakewright_catalog_log_fsyncs_total" Counter;
    /// Queries begun. Labels: tenant.
    QUERIES = "lakewright_queries_total" Counter;
    /// Queries that failed. Labels: tenant.
    QUERY_FAILURES = "lakewright_query_failures_total" Counter;
    /// Rows answered. Labels: tenant.
    QUERY_ROWS = "lakewright_query_rows_total" Counter;
    /// Bytes answered, as in memory. Labels: tenant.
    QUERY_BYTES = "lakewright_query_bytes_total" Counter;
    /// Seconds that a query took. Labels: tenant.
    QUERY_SECONDS = "lakewright_query_seconds" Histogram;
    /// Calls to the object store by their end. Labels: op, outcome.
    OBJECT_STORE_CALLS = "lakewright_object_store_calls_total" Counter;
    /// Bytes to and from the object store. Labels: op.
    OBJECT_STORE_BYTES = "lakewright_object_store_bytes_total" Counter;
    /// Seconds that a call to the object store took. Labels: op.
    OBJECT_STORE_SECONDS = "lakewright_object_store_seconds" Histogram;
}

#[cfg(test)]
#[path = "metric_names_tests.rs"]
mod tests;
