//! How much of a source's quota is used: one account's budget for a group of operations, whoever's connectors use it.

use lakewright_proto::TenantId;
use serde::{Deserialize, Serialize};

/// Who comes first where a quota does not suffice for all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QuotaClass {
    /// What changed at the source.
    Live,
    /// Comparing the source's whole list with what is known.
    Sweep,
    /// History.
    Backfill,
}

/// Calls that somebody wants to make.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuotaAsk {
    /// `<account>/<service>/<operations>`: `111111111111/partnercentral-selling/reads`.
    pub name: String,
    /// Whose connector asks.
    pub tenant: TenantId,
    /// How urgent it is.
    pub class: QuotaClass,
    /// Calls wanted; fewer may be granted.
    pub calls: u32,
    /// The source's limit of a second.
    pub per_second: u32,
    /// The source's limit of any 24 hours.
    pub per_day: u32,
}

/// The answer to a [`QuotaAsk`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QuotaGrant {
    /// The first of so many calls may be made after `wait_us`, each further one `spacing_us` after the one before.
    Granted {
        /// Calls.
        calls: u32,
        /// Microseconds from the answer on.
        wait_us: i64,
        /// Microseconds.
        spacing_us: i64,
    },
    /// None now; asking again makes sense after `wait_us`.
    Denied {
        /// Microseconds from the answer on.
        wait_us: i64,
        /// What is used up.
        limit: QuotaLimit,
    },
}

/// What of a quota is used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QuotaLimit {
    /// Calls of the next seconds are promised already, or more urgent ones wait.
    Second,
    /// The calls of 24 hours.
    Day,
    /// The tenant's share of them, while others have some left.
    Share,
}

/// Calls charged in one slot of five minutes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuotaSlot {
    /// Its number since 1970.
    pub index: i64,
    /// Calls by tenant.
    pub used: Vec<(TenantId, u32)>,
}

/// Where a quota stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quota {
    /// The limit of a second that was told last.
    pub per_second: u32,
    /// The limit of 24 hours that was told last.
    pub per_day: u32,
    /// Every call before this instant is promised to somebody: microseconds since 1970.
    pub next_at: i64,
    /// Until when backfills, and until when sweeps and backfills, give way to somebody who was turned away.
    pub give_way: (i64, i64),
    /// The last 24 hours, oldest first.
    pub slots: Vec<QuotaSlot>,
}
