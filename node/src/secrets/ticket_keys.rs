//! Signing keys of tickets: made here, sealed into the catalog's key ring, opened on every node.

use std::fmt;

use lakewright_proto::{Error, ErrorCode};
use lakewright_storage::catalog::records::RingKey;
use rand::RngCore as _;
use zeroize::Zeroizing;

use super::cluster_key::KeyRing;
use super::seal::Purpose;

/// An opened signing key.
#[derive(Clone)]
pub struct TicketKey {
    /// Its id, as in tickets.
    pub id: u32,
    /// When it was made, microseconds since 1970.
    pub created_at: i64,
    key: Zeroizing<[u8; 32]>,
}

impl TicketKey {
    /// The key of the HMAC; never log it.
    pub fn expose(&self) -> &[u8; 32] {
        &self.key
    }

    /// A new sealed key for the catalog. `now` is microseconds since 1970.
    pub fn generate(ring: &KeyRing, id: u32, now: i64) -> Result<RingKey, Error> {
        let mut key = Zeroizing::new([0; 32]);
        rand::rng().fill_bytes(&mut *key);
        Ok(RingKey { id, sealed: ring.seal(Purpose::TicketKey { id }, &*key)?, created_at: now })
    }

    /// Opens one of the catalog's keys.
    pub fn open(ring: &KeyRing, sealed: &RingKey) -> Result<Self, Error> {
        let opened = ring.open(Purpose::TicketKey { id: sealed.id }, &sealed.sealed)?;
        let mut key = Zeroizing::new([0; 32]);
        if opened.expose().len() != key.len() {
            return Err(Error::new(ErrorCode::DataLoss, format!("ticket key {} has {} bytes, not 32", sealed.id, opened.expose().len())));
        }
        key.copy_from_slice(opened.expose());
        Ok(Self { id: sealed.id, created_at: sealed.created_at, key })
    }
}

impl fmt::Debug for TicketKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TicketKey({}, ***)", self.id)
    }
}
