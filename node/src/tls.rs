//! TLS of the listeners.

use std::path::Path;

use lakewright_proto::{Error, ErrorCode};
use tonic::transport::{Certificate, Identity, ServerTlsConfig};

use crate::config::TlsSection;

/// Chooses the provider of cryptography. First thing in `main` and in tests: where two are linked rustls cannot guess.
pub fn install_provider() {
    // An error says that one is installed already, which is what is wanted.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// The listeners' TLS, or none where the configuration names no certificate. Reads files: blocking.
pub fn server_tls(config: &TlsSection) -> Result<Option<ServerTlsConfig>, Error> {
    let (Some(cert), Some(key)) = (&config.cert, &config.key) else { return Ok(None) };
    let identity = Identity::from_pem(read("tls.cert", cert)?, read("tls.key", key)?);
    let mut tls = ServerTlsConfig::new().identity(identity);
    if let Some(ca) = &config.ca {
        tls = tls.client_ca_root(Certificate::from_pem(read("tls.ca", ca)?)).client_auth_optional(false);
    }
    check(&tls, config)?;
    Ok(Some(tls))
}

/// Builds a server with it, so that a wrong key is found at start and not at the first connection.
fn check(tls: &ServerTlsConfig, config: &TlsSection) -> Result<(), Error> {
    tonic::transport::Server::builder().tls_config(tls.clone()).map(drop).map_err(|e| {
        let cause = std::error::Error::source(&e).map(|c| format!(": {c}")).unwrap_or_default();
        let shown = |p: &Option<std::path::PathBuf>| p.as_ref().map(|p| p.display().to_string()).unwrap_or_default();
        failed(format!(
            "tls.cert ({}) and tls.key ({}) cannot be used{cause}: name a PEM certificate chain and its own private key",
            shown(&config.cert),
            shown(&config.key)
        ))
    })
}

fn read(key: &str, path: &Path) -> Result<Vec<u8>, Error> {
    let bytes = std::fs::read(path).map_err(|e| failed(format!("{key}: {} cannot be read: {e}", path.display())))?;
    if !bytes.starts_with(b"-----BEGIN ") && !bytes.windows(12).any(|w| w == b"\n-----BEGIN ") {
        return Err(failed(format!("{key}: {} is not PEM", path.display())));
    }
    Ok(bytes)
}

fn failed(message: String) -> Error {
    Error::new(ErrorCode::InvalidArgument, message)
}

#[cfg(test)]
#[path = "tls_tests.rs"]
mod tests;
