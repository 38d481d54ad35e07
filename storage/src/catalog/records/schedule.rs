//! When a connector's runs are started by the clock.

use lakewright_proto::{ConnectorId, TenantId};
use serde::{Deserialize, Serialize};

/// A connector's schedule, and how far it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schedule {
    /// The tenant.
    pub tenant_id: TenantId,
    /// The connector.
    pub connector_id: ConnectorId,
    /// Five fields: minute, hour, day of the month, month, day of the week.
    pub cron: String,
    /// The IANA zone that the fields are meant in: `Europe/Berlin`.
    pub zone: String,
    /// A start is put off by up to this many microseconds, the same for each instant.
    pub jitter_us: i64,
    /// Microseconds since 1970.
    pub created_at: i64,
    /// The instant that is due next, or is being seen to: microseconds since 1970.
    pub next_at: i64,
    /// The last instant whose runs were started.
    pub last_at: Option<i64>,
    /// Instants that passed while nothing could be started; the next start made good for them.
    pub missed: u64,
    /// Why the start for `next_at` failed; none: it did not.
    pub last_error: Option<String>,
    /// When it is tried again after that, microseconds since 1970.
    pub retry_at: i64,
}

/// What became of a due instant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fired {
    /// Its runs are started.
    Started {
        /// The next instant.
        next_at: i64,
        /// Instants between the two that passed.
        missed: u64,
    },
    /// They could not be started.
    Failed {
        /// Why.
        error: String,
        /// When to try again.
        retry_at: i64,
    },
}
