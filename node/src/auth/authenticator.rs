//! From what a caller shows to who they are.

use std::sync::Arc;

use base64::Engine as _;
use lakewright_proto::{Error, ErrorCode, TenantId, TokenId, UserId};
use lakewright_storage::catalog::records::{Role, Status, Tenant, Token, User};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use super::token::TokenSecret;

/// Who calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// Their tenant.
    pub tenant_id: TenantId,
    /// Their tenant's slug, which is their catalog in SQL.
    pub tenant_slug: String,
    /// The user.
    pub user_id: UserId,
    /// The user's e-mail, as in the audit log.
    pub email: String,
    /// The token that they showed.
    pub token_id: TokenId,
    /// What they may do in their own tenant.
    pub roles: Vec<Role>,
    /// An administrator of the reserved tenant `system`.
    pub is_system_admin: bool,
}

/// A token and whose it is.
#[derive(Clone, Debug)]
pub struct TokenRecord {
    /// The stored hash.
    pub hash: [u8; 32],
    /// The token.
    pub token: Token,
    /// Its user.
    pub user: User,
    /// Their tenant.
    pub tenant: Tenant,
}

/// Where tokens are found: the catalog's applied state on this node.
pub trait Directory: Send + Sync + 'static {
    /// The token with this hash, revoked and expired ones too.
    fn token(&self, hash: &[u8; 32]) -> Result<Option<TokenRecord>, Error>;
    /// The reserved tenant.
    fn system_tenant(&self) -> Result<TenantId, Error>;
    /// Microseconds since 1970.
    fn now(&self) -> i64;
}

/// Checks tokens.
#[derive(Clone)]
pub struct Authenticator {
    directory: Arc<dyn Directory>,
}

impl std::fmt::Debug for Authenticator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Authenticator")
    }
}

impl Authenticator {
    /// Tokens are looked up in `directory`.
    pub fn new(directory: Arc<dyn Directory>) -> Self {
        Self { directory }
    }

    /// The value of an `authorization` header: `Bearer TOKEN`, or `Basic` with an e-mail and a token as its password.
    pub fn header(&self, value: &str) -> Result<Principal, Error> {
        let (scheme, rest) = value.trim().split_once(' ').ok_or_else(nobody)?;
        if scheme.eq_ignore_ascii_case("bearer") {
            self.bearer(rest)
        } else if scheme.eq_ignore_ascii_case("basic") {
            let bytes = base64::engine::general_purpose::STANDARD_NO_PAD.decode(rest.trim().trim_end_matches('=')).map_err(|_| nobody())?;
            let text = Zeroizing::new(String::from_utf8(bytes).map_err(|_| nobody())?);
            let (user, password) = text.split_once(':').ok_or_else(nobody)?;
            self.basic(user, password)
        } else {
            Err(nobody())
        }
    }

    /// A token by itself.
    pub fn bearer(&self, token: &str) -> Result<Principal, Error> {
        self.principal(&self.find(token)?)
    }

    /// A user's name and a token of theirs. The name is an e-mail, or tenant/e-mail; the token says which of several
    /// users of one e-mail it is.
    pub fn basic(&self, user: &str, password: &str) -> Result<Principal, Error> {
        let record = self.find(password)?;
        let (slug, email) = match user.split_once('/') {
            Some((slug, email)) => (Some(slug), email),
            None => (None, user),
        };
        let same = email.eq_ignore_ascii_case(&record.user.email) && slug.is_none_or(|s| s == record.tenant.slug);
        if !same {
            return Err(nobody());
        }
        self.principal(&record)
    }

    fn find(&self, token: &str) -> Result<TokenRecord, Error> {
        let hash = TokenSecret::parse(token).ok_or_else(nobody)?.hash();
        let record = self.directory.token(&hash)?.ok_or_else(nobody)?;
        if bool::from(record.hash.ct_eq(&hash)) {
            Ok(record)
        } else {
            Err(nobody())
        }
    }

    fn principal(&self, r: &TokenRecord) -> Result<Principal, Error> {
        // Whoever shows a token that was good once may be told why it is not.
        if r.token.revoked_at.is_some() {
            return Err(refused(format!("the token {:?} was revoked: make another with `lakewright token create`", r.token.name)));
        }
        if r.token.expires_at.is_some_and(|at| at <= self.directory.now()) {
            return Err(refused(format!("the token {:?} has expired: make another with `lakewright token create`", r.token.name)));
        }
        if r.user.status == Status::Suspended {
            return Err(refused(format!("the user {} is suspended: ask an administrator of the tenant {}", r.user.email, r.tenant.slug)));
        }
        if r.tenant.status == Status::Suspended {
            return Err(refused(format!("the tenant {} is suspended: ask an administrator of this installation", r.tenant.slug)));
        }
        Ok(Principal {
            tenant_id: r.tenant.id,
            tenant_slug: r.tenant.slug.clone(),
            user_id: r.user.id,
            email: r.user.email.clone(),
            token_id: r.token.id,
            is_system_admin: r.tenant.id == self.directory.system_tenant()? && r.user.roles.contains(&Role::Admin),
            roles: r.user.roles.clone(),
        })
    }
}

/// One sentence for every way of not being known.
fn nobody() -> Error {
    refused("the token or user name is not known: show `authorization: Bearer lw_...` (see `lakewright token create`)".to_owned())
}

fn refused(message: String) -> Error {
    Error::new(ErrorCode::Unauthenticated, message)
}
