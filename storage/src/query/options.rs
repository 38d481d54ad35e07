//! Limits of queries.

use std::path::PathBuf;
use std::time::Duration;

use lakewright_proto::NodeId;

/// What a tenant's queries may use on this node.
#[derive(Clone, Debug)]
pub struct QueryOptions {
    /// Bytes that all running queries of one tenant share; sorts, joins and aggregates that need more spill or fail.
    pub memory_per_tenant: usize,
    /// Bytes of spill files per tenant.
    pub spill_per_tenant: u64,
    /// Where spill files go.
    pub temp_dir: PathBuf,
    /// How long one query may run.
    pub timeout: Duration,
    /// Rows of one batch on its way to the client.
    pub batch_rows: usize,
    /// Parallel partitions of one query.
    pub partitions: usize,
    /// Bytes of deletion vectors kept in memory, for all tenants.
    pub delete_cache: usize,
    /// Bytes of Parquet footers kept in memory, per tenant.
    pub footer_cache: usize,
    /// This node, as `system.nodes` shows it.
    pub node: NodeId,
    /// Its Flight SQL address, as `system.nodes` shows it.
    pub flight_address: String,
}

impl Default for QueryOptions {
    fn default() -> Self {
        Self {
            memory_per_tenant: 256 << 20,
            spill_per_tenant: 4 << 30,
            temp_dir: std::env::temp_dir(),
            timeout: Duration::from_secs(300),
            batch_rows: 8_192,
            partitions: std::thread::available_parallelism().map_or(2, std::num::NonZeroUsize::get),
            delete_cache: 32 << 20,
            footer_cache: 16 << 20,
            node: NodeId(1),
            flight_address: String::new(),
        }
    }
}
