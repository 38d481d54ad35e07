//! Who asks, whom it concerns, and whether they may.

use lakewright_proto::{CommandId, Error, ErrorCode, TenantId};
use lakewright_storage::catalog::command::{Command, Envelope, Reply};
use lakewright_storage::catalog::keyspace::Tenants;
use lakewright_storage::catalog::records::Tenant;
use lakewright_storage::catalog::Read as _;
use tonic::Request;

use super::service::AdminService;
use crate::auth::{authorize, Action, Principal};

/// A caller who may do what it asks, to the tenant it asks about.
pub(super) struct Caller {
    /// Who.
    pub principal: Principal,
    /// The tenant concerned.
    pub tenant: Tenant,
}

pub(super) fn not_found(what: impl std::fmt::Display) -> Error {
    Error::new(ErrorCode::NotFound, format!("{what} does not exist"))
}

/// The caller, as the interceptor found it.
pub(super) fn principal<T>(request: &Request<T>) -> Result<Principal, Error> {
    let missing = || Error::new(ErrorCode::Unauthenticated, "no token; send `authorization: Bearer TOKEN`");
    request.extensions().get::<Principal>().cloned().ok_or_else(missing)
}

impl AdminService {
    /// The caller and the tenant that the request names (its own where it names none), if the
    /// action is allowed. Another tenant is NOT_FOUND for all but system administrators.
    pub(super) fn caller<T>(&self, request: &Request<T>, tenant: &str, action: Action) -> Result<Caller, Error> {
        let principal = principal(request)?;
        let tenant = self.tenant(&principal, tenant)?;
        authorize(&principal, action, tenant.id)?;
        Ok(Caller { principal, tenant })
    }

    fn tenant(&self, principal: &Principal, name: &str) -> Result<Tenant, Error> {
        let view = self.services().catalog.view();
        let found = if name.is_empty() {
            view.get::<Tenants>(&principal.tenant_id).map_err(Error::from)?
        } else if let Ok(id) = name.parse::<TenantId>() {
            view.get::<Tenants>(&id).map_err(Error::from)?
        } else {
            view.tenant_by_slug(name).map_err(Error::from)?
        };
        found.filter(|t| t.id == principal.tenant_id || principal.is_system_admin).ok_or_else(|| not_found(format_args!("tenant {name:?}")))
    }

    /// Proposes a command for a caller. A request id makes repeats harmless.
    pub(super) async fn propose(&self, principal: &Principal, request_id: &str, command: Command) -> Result<Reply, Error> {
        let mut envelope = Envelope::new(principal.email.clone(), command);
        if !request_id.is_empty() {
            envelope.id = request_id.parse::<CommandId>()?;
        }
        Ok(self.services().catalog.propose_envelope(&envelope).await?)
    }
}
