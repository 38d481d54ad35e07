//! Who calls: a basic-auth handshake or an `authorization` header on each call.

use base64::prelude::{Engine, BASE64_STANDARD};
use lakewright_proto::{Error, ErrorCode, TenantId, UserId};
use tonic::metadata::MetadataMap;
use tonic::Status;

/// An authenticated caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// The tenant.
    pub tenant_id: TenantId,
    /// The tenant's slug: the SQL catalog.
    pub slug: String,
    /// The user's e-mail.
    pub principal: String,
    /// The user.
    pub user_id: UserId,
    /// Tables of the schema `system` that the user's roles do not show: to this caller they do not exist.
    pub hidden: Vec<&'static str>,
}

/// Tells who a caller is. Answers from memory: it is asked on every call.
pub trait Authenticate: Send + Sync + 'static {
    /// A user (e-mail, or tenant/e-mail) with an API token as password.
    fn basic(&self, user: &str, password: &str) -> Result<Session, Error>;
    /// An API token.
    fn bearer(&self, token: &str) -> Result<Session, Error>;
}

/// The caller of a request.
pub(crate) fn caller(auth: &dyn Authenticate, metadata: &MetadataMap) -> Result<Session, Status> {
    match credentials(metadata)? {
        Credentials::Bearer(token) => Ok(auth.bearer(&token)?),
        Credentials::Basic(user, password) => Ok(auth.basic(&user, &password)?),
    }
}

/// What a client presents.
pub(crate) enum Credentials {
    /// An API token.
    Bearer(String),
    /// A user and an API token.
    Basic(String, String),
}

/// Reads the `authorization` header.
pub(crate) fn credentials(metadata: &MetadataMap) -> Result<Credentials, Status> {
    let refuse = |m: &str| Status::from(Error::new(ErrorCode::Unauthenticated, m));
    let header = metadata.get("authorization").ok_or_else(|| refuse("no credentials: send user and API token, or a bearer token"))?;
    let header = header.to_str().map_err(|_| refuse("the authorization header is not text"))?;
    let (scheme, value) = header.split_once(' ').ok_or_else(|| refuse("the authorization header has no scheme"))?;
    if scheme.eq_ignore_ascii_case("bearer") {
        return Ok(Credentials::Bearer(value.trim().to_owned()));
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return Err(refuse("only basic and bearer authorization are known"));
    }
    let decoded = BASE64_STANDARD.decode(value.trim()).ok().and_then(|b| String::from_utf8(b).ok());
    let decoded = decoded.ok_or_else(|| refuse("the basic authorization cannot be decoded"))?;
    let (user, password) = decoded.split_once(':').ok_or_else(|| refuse("the basic authorization has no password"))?;
    Ok(Credentials::Basic(user.to_owned(), password.to_owned()))
}
