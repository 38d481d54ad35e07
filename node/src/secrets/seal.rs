//! Envelopes: a random data key per secret, AES-256-GCM, the data key wrapped by the cluster key.
//!
//! Format 1, frozen: version `01` | fingerprint of the cluster key (16) | nonce (12) | wrapped data key (32 + 16)
//! | nonce (12) | ciphertext | tag (16). Both layers authenticate the purpose; the wrapping also authenticates
//! version and fingerprint.

use std::fmt;

use aes_gcm::aead::{Aead as _, KeyInit as _, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use lakewright_proto::{ConnectorId, Error, ErrorCode, TenantId};
use rand::RngCore as _;
use zeroize::Zeroizing;

use super::cluster_key::{ClusterKey, KeyRing};

const VERSION: u8 = 1;
const HEADER: usize = 1 + 16;
const WRAPPED: usize = HEADER + 12 + 32 + 16;
const LEAST: usize = WRAPPED + 12 + 16;

/// An opened secret: cleared when dropped, never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretBytes(Zeroizing<Vec<u8>>);

impl SecretBytes {
    /// The secret itself; never log it.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl From<Vec<u8>> for SecretBytes {
    fn from(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }
}

impl fmt::Debug for SecretBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretBytes(***)")
    }
}

/// What a secret is for: a sealed secret opens only for the purpose that it was sealed for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose<'a> {
    /// The value of a secret key of a connector's configuration.
    ConnectorField {
        /// Whose it is.
        tenant: TenantId,
        /// The connector.
        connector: ConnectorId,
        /// The configuration key.
        field: &'a str,
        /// The secret's version: an old one cannot take the place of a new one.
        version: u32,
    },
    /// What a webhook's deliveries are signed with.
    Webhook {
        /// Whose it is.
        tenant: TenantId,
        /// The webhook.
        name: &'a str,
        /// The secret's version.
        version: u32,
    },
    /// A signing key of tickets.
    TicketKey {
        /// Its id.
        id: u32,
    },
}

impl Purpose<'_> {
    /// The associated data: each part prefixed by its length.
    fn associated_data(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let mut part = |bytes: &[u8]| {
            out.extend_from_slice(&(bytes.len() as u64).to_be_bytes());
            out.extend_from_slice(bytes);
        };
        match self {
            Self::ConnectorField { tenant, connector, field, version } => {
                part(b"lakewright.connector-field");
                part(tenant.as_bytes());
                part(connector.as_bytes());
                part(field.as_bytes());
                part(&version.to_be_bytes());
            }
            Self::Webhook { tenant, name, version } => {
                part(b"lakewright.webhook");
                part(tenant.as_bytes());
                part(name.as_bytes());
                part(&version.to_be_bytes());
            }
            Self::TicketKey { id } => {
                part(b"lakewright.ticket-key");
                part(&id.to_be_bytes());
            }
        }
        out
    }
}

impl KeyRing {
    /// Seals a secret with the current key.
    pub fn seal(&self, purpose: Purpose<'_>, secret: &[u8]) -> Result<Vec<u8>, Error> {
        let mut random = Zeroizing::new([0; 32 + 12 + 12]);
        rand::rng().fill_bytes(&mut *random);
        seal_with(&self.current, purpose, secret, &random)
    }

    /// Opens a sealed secret, with the current or the previous key.
    pub fn open(&self, purpose: Purpose<'_>, sealed: &[u8]) -> Result<SecretBytes, Error> {
        if sealed.first().is_some_and(|v| *v != VERSION) {
            return Err(damaged("has a format that this version of Lakewright does not know: upgrade this node"));
        }
        if sealed.len() < LEAST {
            return Err(damaged("is cut short: restore the catalog from a backup, or set the secret again"));
        }
        let (header, _) = sealed.split_at(HEADER);
        let key = self.by_fingerprint(&header[1..]).ok_or_else(|| {
            damaged(&format!(
                "was sealed with the cluster key {}, which is not loaded: name its file in keys.previous_key_file",
                hex::encode(&header[1..])
            ))
        })?;
        let aad = purpose.associated_data();
        let wrong = || damaged("does not open: its bytes are damaged, or it was sealed for something else; set the secret again");
        let data_key = decrypt(key.bytes(), &sealed[HEADER..HEADER + 12], &sealed[HEADER + 12..WRAPPED], &[header, &aad].concat())
            .ok_or_else(wrong)?;
        let opened = decrypt(&data_key, &sealed[WRAPPED..WRAPPED + 12], &sealed[WRAPPED + 12..], &aad).ok_or_else(wrong)?;
        Ok(SecretBytes(opened))
    }

    /// Seals again what the previous key sealed; none: the current key sealed it.
    pub fn reseal(&self, purpose: Purpose<'_>, sealed: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        let opened = self.open(purpose, sealed)?;
        if sealed[1..HEADER] == self.current.fingerprint_bytes() {
            return Ok(None);
        }
        self.seal(purpose, opened.expose()).map(Some)
    }
}

/// Seals with given randomness: data key (32), nonce of the wrapping (12), nonce of the secret (12).
pub(super) fn seal_with(key: &ClusterKey, purpose: Purpose<'_>, secret: &[u8], random: &[u8; 56]) -> Result<Vec<u8>, Error> {
    let (data_key, nonces) = random.split_at(32);
    let (wrap_nonce, nonce) = nonces.split_at(12);
    let aad = purpose.associated_data();
    let mut out = vec![VERSION];
    out.extend_from_slice(&key.fingerprint_bytes());
    let wrapped = encrypt(key.bytes(), wrap_nonce, data_key, &[&out[..], &aad].concat())?;
    out.extend_from_slice(wrap_nonce);
    out.extend_from_slice(&wrapped);
    out.extend_from_slice(nonce);
    out.extend_from_slice(&encrypt(data_key, nonce, secret, &aad)?);
    Ok(out)
}

fn encrypt(key: &[u8], nonce: &[u8], msg: &[u8], aad: &[u8]) -> Result<Vec<u8>, Error> {
    let failed = || Error::new(ErrorCode::Internal, "a secret could not be sealed");
    let cipher = Aes256Gcm::new_from_slice(key).map_err(|_| failed())?;
    cipher.encrypt(Nonce::from_slice(nonce), Payload { msg, aad }).map_err(|_| failed())
}

fn decrypt(key: &[u8], nonce: &[u8], msg: &[u8], aad: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let cipher = Aes256Gcm::new_from_slice(key).ok()?;
    cipher.decrypt(Nonce::from_slice(nonce), Payload { msg, aad }).ok().map(Zeroizing::new)
}

fn damaged(why: &str) -> Error {
    Error::new(ErrorCode::DataLoss, format!("a sealed secret {why}"))
}
