//! What is shown of a webhook's address to those who may not manage it.

use super::without_path;

#[test]
fn paths_queries_and_passwords_are_not_shown() {
    assert_eq!(without_path("https://hooks.example.com/services/T0/B0/secret"), "https://hooks.example.com/...");
    assert_eq!(without_path("https://me:secret@example.com:8443?token=secret"), "https://example.com:8443/...");
    assert_eq!(without_path("http://example.com"), "http://example.com/...");
}
