//! Where a tenant's alerts are sent, and how far that is.

use lakewright_proto::TenantId;
use serde::{Deserialize, Serialize};

use super::cluster::SealedSecret;

/// An address that gets a tenant's alerts, in their order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Webhook {
    /// The tenant.
    pub tenant_id: TenantId,
    /// Its name within the tenant.
    pub name: String,
    /// `https://...`
    pub url: String,
    /// Kinds of alerts that are sent; empty: all.
    pub kinds: Vec<String>,
    /// What deliveries are signed with.
    pub secret: SealedSecret,
    /// Microseconds since 1970.
    pub created_at: i64,
    /// The key of the first alert that is not settled, or a later one than any.
    pub next: u64,
    /// Failed attempts for the alert at hand.
    pub attempts: u32,
    /// When it may be tried again, microseconds since 1970; 0: now.
    pub retry_at: i64,
    /// Why the last attempt failed; none once one succeeds.
    pub last_error: Option<String>,
    /// Alerts delivered.
    pub delivered: u64,
    /// Alerts that were given up after the last attempt.
    pub given_up: u64,
}

/// What became of the alerts from a webhook's next one on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Delivery {
    /// Sent, and taken by the other side.
    Delivered,
    /// Not of a kind that it wants.
    Passed,
    /// Tried for the last time.
    GivenUp {
        /// Why it failed.
        error: String,
    },
    /// To be tried again.
    Failed {
        /// Why it failed.
        error: String,
        /// When, microseconds since 1970.
        retry_at: i64,
    },
}
