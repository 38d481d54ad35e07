//! Signatures as the Standard Webhooks specification has them: HMAC-SHA256 over `id.timestamp.body`.

use base64::engine::general_purpose::STANDARD;
use base64::Engine as _;
use hmac::{Hmac, Mac as _};
use lakewright_proto::{Error, ErrorCode};
use sha2::Sha256;

/// What a secret begins with.
const PREFIX: &str = "whsec_";

/// The text of a secret made of these random bytes.
pub fn new_secret(random: &[u8; 32]) -> String {
    format!("{PREFIX}{}", STANDARD.encode(random))
}

/// The value of `webhook-signature`.
pub fn sign(secret: &str, id: &str, seconds: i64, body: &[u8]) -> Result<String, Error> {
    let damaged = |_| Error::new(ErrorCode::DataLoss, "the webhook's secret is damaged; make the webhook again");
    let key = STANDARD.decode(secret.strip_prefix(PREFIX).unwrap_or(secret)).map_err(|_| damaged(()))?;
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).map_err(|_| damaged(()))?;
    mac.update(format!("{id}.{seconds}.").as_bytes());
    mac.update(body);
    Ok(format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes())))
}
