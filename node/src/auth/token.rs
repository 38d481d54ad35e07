//! API tokens: `lw_` and 256 random bits. What is stored is their SHA-256.

use std::fmt;

use rand::RngCore as _;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

/// Tokens start with this, so that scanners find them where they should not be.
pub const TOKEN_PREFIX: &str = "lw_";

/// A token as its holder has it. Never shown.
#[derive(Clone)]
pub struct TokenSecret(Zeroizing<String>);

impl TokenSecret {
    /// A new token.
    pub fn generate() -> Self {
        let mut bits = Zeroizing::new([0u8; 32]);
        rand::rng().fill_bytes(&mut *bits);
        Self(Zeroizing::new(format!("{TOKEN_PREFIX}{}", *Zeroizing::new(hex::encode(*bits)))))
    }

    /// A token that a caller showed; none if it cannot be one, so that nothing is hashed or looked up for it.
    pub fn parse(s: &str) -> Option<Self> {
        let s = s.trim();
        let digits = s.strip_prefix(TOKEN_PREFIX)?;
        let good = digits.len() == 64 && digits.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        good.then(|| Self(Zeroizing::new(s.to_owned())))
    }

    /// The token itself: for the one answer that shows it, and for the `admin.token` file.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// What is stored. 256 random bits need no slow hash.
    pub fn hash(&self) -> [u8; 32] {
        Sha256::digest(self.0.as_bytes()).into()
    }
}

impl fmt::Debug for TokenSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenSecret(lw_***)")
    }
}
