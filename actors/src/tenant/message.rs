//! What a tenant is told.

use std::collections::BTreeMap;

use lakewright_proto::{ConnectorId, TableId};
use lakewright_storage::catalog::records::{Connector, Run, Shard};

/// An open run with its shards.
pub type OpenRun = (Run, Vec<Shard>);

/// What a tenant should run, by the catalog.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TenantDesired {
    /// Connectors with open runs, and the runs with their shards.
    pub connectors: BTreeMap<ConnectorId, (Connector, Vec<OpenRun>)>,
    /// Silver tables whose queue is not empty.
    pub merges: Vec<TableId>,
}

/// Messages of a tenant.
#[derive(Debug)]
pub enum TenantMsg {
    /// What it should run.
    Desired(TenantDesired),
    /// A merge ended by itself.
    MergeEnded(TableId),
    /// A failed connector's wait is over.
    RestartConnector(ConnectorId),
    /// A failed merge's wait is over.
    RestartMerge(TableId),
}
