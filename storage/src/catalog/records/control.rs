//! Tenants, users, tokens, connectors, packs.

use std::collections::BTreeSet;

use lakewright_proto::{ConnectorId, TenantId, TokenId, UserId};
use serde::{Deserialize, Serialize};

use super::cluster::serde_bytes_vec;

/// Whether a tenant or user may act.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It may.
    Active,
    /// Its tokens are refused and its connectors are stopped; its data stays.
    Suspended,
}

/// A company whose data is apart from everybody else's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tenant {
    /// Its id.
    pub id: TenantId,
    /// Its name in SQL and on the command line; unique.
    pub slug: String,
    /// Its name for people.
    pub name: String,
    /// Sets default quotas: `standard`, `large`.
    pub plan: String,
    /// Whether it may act.
    pub status: Status,
    /// Microseconds since 1970.
    pub created_at: i64,
}

/// What a user may do; each includes nothing of the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Manages tenants (in `system`), users and tokens.
    Admin,
    /// Manages connectors and runs.
    Operator,
    /// Loads packs, replays dead letters.
    Engineer,
    /// Queries.
    Analyst,
}

/// A person or program of one tenant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// Its id.
    pub id: UserId,
    /// Its tenant.
    pub tenant_id: TenantId,
    /// Unique within the tenant.
    pub email: String,
    /// For people.
    pub display_name: String,
    /// What it may do.
    pub roles: Vec<Role>,
    /// Whether it may act.
    pub status: Status,
    /// Microseconds since 1970.
    pub created_at: i64,
}

/// An API token; its secret is nowhere, only its hash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// Its id.
    pub id: TokenId,
    /// Its user's tenant.
    pub tenant_id: TenantId,
    /// Its user.
    pub user_id: UserId,
    /// For people.
    pub name: String,
    /// Microseconds since 1970.
    pub created_at: i64,
    /// Microseconds since 1970; none: it does not expire.
    pub expires_at: Option<i64>,
    /// Microseconds since 1970, once it is revoked.
    pub revoked_at: Option<i64>,
}

/// Whether a connector runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConnectorStatus {
    /// It runs when asked or scheduled.
    Active,
    /// It does not run until it is resumed.
    Paused,
    /// It failed too often; an operator looks at it and clears it.
    Broken {
        /// The last failure.
        reason: String,
        /// Microseconds since 1970.
        since: i64,
    },
}

/// A configured source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Connector {
    /// Its id.
    pub id: ConnectorId,
    /// Its tenant.
    pub tenant_id: TenantId,
    /// Unique within the tenant.
    pub name: String,
    /// `files`, ...
    pub kind: String,
    /// Its configuration as JSON, without the values of secrets.
    pub config_json: String,
    /// Whether it runs.
    pub status: ConnectorStatus,
    /// Microseconds since 1970.
    pub created_at: i64,
    /// Raised by each change of the configuration.
    pub version: u64,
}

/// An immutable pack version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pack {
    /// SHA-256 of its canonical content, hexadecimal.
    pub hash: String,
    /// The pack's name.
    pub name: String,
    /// Its files.
    pub files: Vec<PackFile>,
    /// Microseconds since 1970.
    pub created_at: i64,
    /// The tenants that loaded it: they alone may use it, or everybody if the system tenant is among them.
    #[serde(default)]
    pub tenants: BTreeSet<TenantId>,
}

/// A file of a pack.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackFile {
    /// Its path within the pack: `entities.yaml`.
    pub path: String,
    /// Its bytes.
    #[serde(with = "serde_bytes_vec")]
    pub content: Vec<u8>,
}
