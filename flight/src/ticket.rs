//! Signed tickets and statement handles: all that a node needs to answer, and nothing on the server.

use hmac::{Hmac, Mac};
use lakewright_proto::{Error, ErrorCode, TenantId, UserId};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use uuid::Uuid;

use crate::auth::Session;
use crate::options::Options;

/// A signing key.
pub type Key = [u8; 32];

/// The cluster's signing keys.
pub trait KeyRing: Send + Sync + 'static {
    /// The newest key with its id.
    fn current(&self) -> (u32, Key);
    /// The key with this id, while it is valid.
    fn get(&self, id: u32) -> Option<Key>;
}

/// `LWT`, then the format.
const MAGIC: [u8; 4] = *b"LWT\x01";
const HEAD: usize = 4 + 4 + 32;
/// How long a ticket is good for, microseconds.
pub(crate) const TICKET_LIFE: i64 = 15 * 60 * 1_000_000;
/// How long a prepared statement is good for, microseconds: as long as its key is surely valid.
pub(crate) const HANDLE_LIFE: i64 = 24 * 3_600 * 1_000_000;

/// What the bytes are for: a ticket is no handle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Use {
    /// An answer to fetch.
    Ticket,
    /// A prepared statement.
    Handle,
}

/// A signed query.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Claims {
    /// What it is for.
    pub(crate) purpose: Use,
    /// Names the query, for cancelling.
    pub(crate) query: Uuid,
    /// The statement.
    pub(crate) sql: String,
    /// Bound parameters: an Arrow IPC stream with one row.
    pub(crate) parameters: Option<Vec<u8>>,
    /// What the session had set when it was asked.
    #[serde(default)]
    pub(crate) options: Options,
    /// The catalog version it reads; a handle has none.
    pub(crate) version: Option<u64>,
    /// The tenant.
    pub(crate) tenant: TenantId,
    /// The user.
    pub(crate) user: UserId,
    /// The user's e-mail.
    pub(crate) principal: String,
    /// Microseconds since 1970.
    pub(crate) expires_at: i64,
}

/// Microseconds since 1970.
pub(crate) fn now() -> i64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |d| d.as_micros() as i64)
}

fn mac(key: &Key, id: [u8; 4], body: &[u8]) -> Result<Hmac<Sha256>, Error> {
    let mut mac = <Hmac<Sha256> as Mac>::new_from_slice(key).map_err(|e| Error::new(ErrorCode::Internal, e.to_string()))?;
    mac.update(&MAGIC);
    mac.update(&id);
    mac.update(body);
    Ok(mac)
}

/// Signs.
pub(crate) fn seal(ring: &dyn KeyRing, claims: &Claims) -> Result<Vec<u8>, Error> {
    let body = rmp_serde::to_vec_named(claims).map_err(|e| Error::new(ErrorCode::Internal, format!("a ticket cannot be written: {e}")))?;
    let (id, key) = ring.current();
    let id = id.to_be_bytes();
    let mut out = Vec::with_capacity(HEAD + body.len());
    out.extend_from_slice(&MAGIC);
    out.extend_from_slice(&id);
    out.extend_from_slice(&mac(&key, id, &body)?.finalize().into_bytes());
    out.extend_from_slice(&body);
    Ok(out)
}

/// Checks signature, purpose, age, and that the caller is the one it was made for.
pub(crate) fn open(ring: &dyn KeyRing, purpose: Use, session: &Session, bytes: &[u8], at: i64) -> Result<Claims, Error> {
    let what = if purpose == Use::Ticket { "ticket" } else { "prepared statement" };
    let bad = || Error::new(ErrorCode::InvalidArgument, format!("the {what} is not valid; run the query again"));
    let (head, body) = bytes.split_at_checked(HEAD).ok_or_else(bad)?;
    let (magic, rest) = head.split_first_chunk::<4>().ok_or_else(bad)?;
    let (id, signature) = rest.split_first_chunk::<4>().ok_or_else(bad)?;
    if *magic != MAGIC {
        return Err(bad());
    }
    let expired = || Error::new(ErrorCode::InvalidArgument, format!("the {what} has expired; run the query again"));
    let key = ring.get(u32::from_be_bytes(*id)).ok_or_else(expired)?;
    mac(&key, *id, body)?.verify_slice(signature).map_err(|_| bad())?;
    let claims: Claims = rmp_serde::from_slice(body).map_err(|_| bad())?;
    if claims.purpose != purpose {
        return Err(bad());
    }
    if claims.expires_at <= at {
        return Err(expired());
    }
    if claims.tenant != session.tenant_id || claims.user != session.user_id || claims.principal != session.principal {
        return Err(Error::new(ErrorCode::PermissionDenied, format!("the {what} was made for another user")));
    }
    Ok(claims)
}
