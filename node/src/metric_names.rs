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
    /// Records committed to Bronze. Labels: tenant, connector, stream.
    INGEST_RECORDS = "lakewright_ingest_records_total" Counter;
    /// Bytes of payload committed to Bronze. Labels: tenant, connector, stream.
    INGEST_BYTES = "lakewright_ingest_bytes_total" Counter;
    /// Records in the dead letters. Labels: tenant, connector, stream.
    INGEST_REJECTED = "lakewright_ingest_rejected_total" Counter;
    /// Records that map to no entity. Labels: tenant, connector, stream.
    INGEST_UNMAPPED = "lakewright_ingest_unmapped_total" Counter;
    /// Outcomes of records in Silver. Labels: tenant, entity, outcome.
    SILVER_OUTCOMES = "lakewright_silver_outcomes_total" Counter;
    /// Bronze commits that wait for a Silver table. Labels: tenant, entity.
    SILVER_LAG_COMMITS = "lakewright_silver_lag_commits" Gauge;
    /// Seconds since the ingest of the oldest record that waits for a Silver table; 0: none waits. Labels: tenant, entity.
    SILVER_LAG_SECONDS = "lakewright_silver_lag_seconds" Gauge;
    /// Fetched bytes that wait for their commit, on this node.
    CREDIT_USED_BYTES = "lakewright_credit_used_bytes" Gauge;
    /// Bytes that may wait for their commit, on this node.
    CREDIT_LIMIT_BYTES = "lakewright_credit_limit_bytes" Gauge;
    /// Fetched bytes that wait for their commit. Labels: tenant.
    CREDIT_TENANT_USED_BYTES = "lakewright_credit_tenant_used_bytes" Gauge;
    /// Seconds from handing a Bronze commit to the catalog to its answer. Labels: tenant, connector.
    BRONZE_COMMIT_SECONDS = "lakewright_bronze_commit_seconds" Histogram;
    /// Seconds from handing a Silver commit to the catalog to its answer. Labels: tenant, entity.
    SILVER_COMMIT_SECONDS = "lakewright_silver_commit_seconds" Histogram;
    /// Seconds that one fetch from a source took. Labels: tenant, connector.
    FETCH_SECONDS = "lakewright_fetch_seconds" Histogram;
    /// Restarts of a supervised actor. Labels: tenant, connector, kind (error, panic).
    RESTARTS = "lakewright_restarts_total" Counter;
    /// 1 where a connector is broken and waits for an operator. Labels: tenant, connector.
    CONNECTOR_BROKEN = "lakewright_connector_broken" Gauge;
    /// Runs by their end. Labels: tenant, connector, status.
    RUNS = "lakewright_runs_total" Counter;
    /// Runs that are reading or settling. Labels: tenant, connector.
    RUNS_ACTIVE = "lakewright_runs_active" Gauge;
    /// Commands applied to the catalog.
    CATALOG_COMMANDS = "lakewright_catalog_commands_total" Counter;
    /// Seconds from proposing a command to its answer.
    CATALOG_PROPOSE_SECONDS = "lakewright_catalog_propose_seconds" Histogram;
    /// The last log entry applied on this node.
    RAFT_APPLIED = "lakewright_raft_applied_index" Gauge;
    /// 1 where this node leads.
    RAFT_LEADER = "lakewright_raft_is_leader" Gauge;
    /// Queries by their end. Labels: tenant, status.
    QUERIES = "lakewright_queries_total" Counter;
    /// Seconds that a query took. Labels: tenant.
    QUERY_SECONDS = "lakewright_query_seconds" Histogram;
    /// Memory that running queries hold.
    QUERY_MEMORY_BYTES = "lakewright_query_memory_bytes" Gauge;
    /// Flight SQL sessions open. Labels: tenant.
    SESSIONS = "lakewright_sessions" Gauge;
    /// Calls to the object store by their end. Labels: operation, status.
    OBJECT_STORE_CALLS = "lakewright_object_store_calls_total" Counter;
    /// Resident memory of the process.
    PROCESS_MEMORY_BYTES = "lakewright_process_memory_bytes" Gauge;
}

#[cfg(test)]
#[path = "metric_names_tests.rs"]
mod tests;
