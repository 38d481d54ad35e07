//! Configurations: every fault is told with its key.
#![expect(clippy::unwrap_used, reason = "tests")]

use serde_json::json;

use super::{Config, Stream};

#[test]
fn an_empty_configuration_reads_everything_with_the_default_chain() {
    let c = Config::parse(&json!({})).unwrap();
    assert_eq!((c.catalog.as_str(), c.region.as_str(), c.reads_per_second, c.reads_per_day), ("AWS", "us-east-1", 10, 100_000));
    assert_eq!(c.streams, Stream::ALL);
    assert!(c.keys.is_none() && c.role.is_none());
    assert_eq!(c.scope(Some("111111111111")), "111111111111/AWS");
}

#[test]
fn each_fault_names_its_key() {
    let faults = Config::parse(&json!({
        "catalog": "", "endpoint_url": "localhost", "secret_access_key": "s", "role_arn": "role", "account_id": "12",
        "streams": ["opportunity", "lead"], "max_in_flight": 0, "poll_seconds": 0, "max_delete_percent": 101,
    }))
    .unwrap_err();
    for key in [
        "catalog:",
        "endpoint_url:",
        "access_key_id:",
        "role_arn:",
        "account_id:",
        "streams:",
        "max_in_flight:",
        "poll_seconds:",
        "max_delete_percent:",
    ] {
        assert!(faults.iter().any(|f| f.starts_with(key)), "{key} {faults:?}");
    }
    assert!(Config::parse(&json!({"external_id": "x"})).unwrap_err()[0].starts_with("external_id:"));
    assert!(Config::parse(&json!({"stream": "opportunity"})).unwrap_err()[0].contains("stream"));
}
