//! What roles may do: one table, and everything that is not in it is refused.

use lakewright_proto::{Error, ErrorCode, TenantId};
use lakewright_storage::catalog::records::Role;

use super::authenticator::Principal;

/// Something that a caller wants to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// See the node: version, addresses, health.
    ReadNode,
    /// Make, change, suspend tenants.
    ManageTenants,
    /// See a tenant's name, plan, status.
    ReadTenant,
    /// Make and change users and their roles.
    ManageUsers,
    /// See users.
    ReadUsers,
    /// Make, list, revoke anybody's tokens.
    ManageTokens,
    /// Make, list, revoke one's own tokens.
    ManageOwnTokens,
    /// Make, change, test, discover, reset connectors.
    ManageConnectors,
    /// Pause, resume, clear a broken connector; start and cancel runs.
    RunConnectors,
    /// See connectors and where they stand, without secrets.
    ReadConnectors,
    /// See runs and their ledgers, and follow them.
    ReadRuns,
    /// Store a pack version, pin it, plan it.
    ManagePacks,
    /// See packs.
    ReadPacks,
    /// See names, columns and sizes of tables.
    ReadTables,
    /// Verify and compact tables.
    MaintainTables,
    /// Query rows, over Flight SQL.
    QueryData,
    /// See quality scores and results.
    ReadQuality,
    /// See rejected records with their payloads.
    ReadDeadLetters,
    /// Check rejected records again.
    ReplayDeadLetters,
    /// Push records into a connector over Flight.
    IngestData,
    /// Walk lineage.
    ReadLineage,
    /// See who did what.
    ReadAudit,
}

impl Action {
    /// Every action, for the tests of the table and for the documentation.
    pub const ALL: [Self; 22] = [
        Self::ReadNode,
        Self::ManageTenants,
        Self::ReadTenant,
        Self::ManageUsers,
        Self::ReadUsers,
        Self::ManageTokens,
        Self::ManageOwnTokens,
        Self::ManageConnectors,
        Self::RunConnectors,
        Self::ReadConnectors,
        Self::ReadRuns,
        Self::ManagePacks,
        Self::ReadPacks,
        Self::ReadTables,
        Self::MaintainTables,
        Self::QueryData,
        Self::ReadQuality,
        Self::ReadDeadLetters,
        Self::ReplayDeadLetters,
        Self::IngestData,
        Self::ReadLineage,
        Self::ReadAudit,
    ];

    fn describe(self) -> &'static str {
        match self {
            Self::ReadNode => "see the node",
            Self::ManageTenants => "manage tenants",
            Self::ReadTenant => "see the tenant",
            Self::ManageUsers => "manage users",
            Self::ReadUsers => "see users",
            Self::ManageTokens => "manage tokens of others",
            Self::ManageOwnTokens => "manage their own tokens",
            Self::ManageConnectors => "manage connectors",
            Self::RunConnectors => "run connectors",
            Self::ReadConnectors => "see connectors",
            Self::ReadRuns => "see runs",
            Self::ManagePacks => "load and pin packs",
            Self::ReadPacks => "see packs",
            Self::ReadTables => "see tables",
            Self::MaintainTables => "verify and compact tables",
            Self::QueryData => "query data",
            Self::ReadQuality => "see quality results",
            Self::ReadDeadLetters => "see dead letters",
            Self::ReplayDeadLetters => "replay dead letters",
            Self::IngestData => "push records",
            Self::ReadLineage => "walk lineage",
            Self::ReadAudit => "see the audit log",
        }
    }
}

/// Whether a role may do this within its own tenant. No role includes another; a user can have several.
pub fn allowed(role: Role, action: Action) -> bool {
    use Action as A;
    match role {
        Role::Admin => matches!(
            action,
            A::ReadNode
                | A::ReadTenant
                | A::ManageUsers
                | A::ReadUsers
                | A::ManageTokens
                | A::ManageOwnTokens
                | A::ReadConnectors
                | A::ReadRuns
                | A::ReadPacks
                | A::ReadTables
                | A::ReadAudit
        ),
        Role::Operator => matches!(
            action,
            A::ReadNode
                | A::ReadTenant
                | A::ManageOwnTokens
                | A::ManageConnectors
                | A::RunConnectors
                | A::ReadConnectors
                | A::ReadRuns
                | A::ReadPacks
                | A::ReadTables
                | A::ReadQuality
                | A::IngestData
                | A::ReadLineage
        ),
        Role::Engineer => matches!(
            action,
            A::ReadNode
                | A::ReadTenant
                | A::ManageOwnTokens
                | A::RunConnectors
                | A::ReadConnectors
                | A::ReadRuns
                | A::ManagePacks
                | A::ReadPacks
                | A::ReadTables
                | A::MaintainTables
                | A::QueryData
                | A::ReadQuality
                | A::ReadDeadLetters
                | A::ReplayDeadLetters
                | A::ReadLineage
        ),
        Role::Analyst => matches!(
            action,
            A::ReadNode
                | A::ReadTenant
                | A::ManageOwnTokens
                | A::ReadConnectors
                | A::ReadRuns
                | A::ReadPacks
                | A::ReadTables
                | A::QueryData
                | A::ReadQuality
                | A::ReadLineage
        ),
    }
}

/// Whether an administrator of the tenant `system` may do this to any tenant: manage it and see that it works,
/// never read its data. To read, they make themselves a user of the tenant, which the audit log shows.
pub fn allowed_across_tenants(action: Action) -> bool {
    use Action as A;
    matches!(
        action,
        A::ReadNode
            | A::ManageTenants
            | A::ReadTenant
            | A::ManageUsers
            | A::ReadUsers
            | A::ManageTokens
            | A::ReadConnectors
            | A::ReadRuns
            | A::ReadPacks
            | A::ReadAudit
    )
}

/// Refuses what the principal may not do to this tenant.
///
/// Another tenant is not found rather than forbidden: whether it exists is not the caller's to know.
pub fn authorize(principal: &Principal, action: Action, tenant: TenantId) -> Result<(), Error> {
    let within = principal.tenant_id == tenant && principal.roles.iter().any(|r| allowed(*r, action));
    if within || principal.is_system_admin && allowed_across_tenants(action) {
        return Ok(());
    }
    if principal.tenant_id != tenant && !principal.is_system_admin {
        return Err(Error::new(ErrorCode::NotFound, "there is no such tenant, or it is not yours to see"));
    }
    Err(Error::new(ErrorCode::PermissionDenied, format!("{} may not {}: {}", principal.email, action.describe(), who_may(action))))
}

fn who_may(action: Action) -> String {
    let roles: Vec<_> = [(Role::Admin, "admin"), (Role::Operator, "operator"), (Role::Engineer, "engineer"), (Role::Analyst, "analyst")]
        .into_iter()
        .filter(|(role, _)| allowed(*role, action))
        .map(|(_, name)| name)
        .collect();
    if roles.is_empty() {
        return "only administrators of the tenant system may".to_owned();
    }
    format!("this needs a user of the tenant with the role {}", roles.join(" or "))
}
