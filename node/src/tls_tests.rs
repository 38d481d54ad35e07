//! Tests of TLS, with a certificate made for them alone.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::path::PathBuf;

use super::*;

fn fixture(name: &str) -> Option<PathBuf> {
    Some(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/fixtures").join(name))
}

fn section(cert: Option<PathBuf>, key: Option<PathBuf>, ca: Option<PathBuf>) -> TlsSection {
    TlsSection { cert, key, ca, insecure: false }
}

#[test]
fn no_certificate_no_tls() {
    assert!(server_tls(&section(None, None, None)).unwrap().is_none());
}

#[test]
fn a_certificate_and_its_key_are_taken() {
    install_provider();
    let cert = fixture("tls-cert.pem");
    assert!(server_tls(&section(cert.clone(), fixture("tls-key.pem"), None)).unwrap().is_some());
    assert!(server_tls(&section(cert.clone(), fixture("tls-key.pem"), cert)).unwrap().is_some());
}

#[test]
fn what_cannot_serve_is_refused_at_start() {
    install_provider();
    let other = server_tls(&section(fixture("tls-cert.pem"), fixture("tls-other-key.pem"), None)).unwrap_err();
    assert!(other.message.contains("its own private key"), "{other}");
    let missing = server_tls(&section(fixture("nowhere.pem"), fixture("tls-key.pem"), None)).unwrap_err();
    assert!(missing.message.contains("cannot be read"), "{missing}");
    let no_pem = server_tls(&section(fixture("../tls.rs"), fixture("tls-key.pem"), None)).unwrap_err();
    assert!(no_pem.message.contains("not PEM"), "{no_pem}");
}
