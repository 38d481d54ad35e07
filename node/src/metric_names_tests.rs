//! Tests of the list of metrics.

use std::collections::HashSet;

use super::*;

#[test]
fn names_are_unique_and_follow_prometheus() {
    let mut seen = HashSet::new();
    for m in METRICS {
        assert!(seen.insert(m.name), "{} stands twice", m.name);
        assert!(m.name.starts_with("lakewright_") && m.name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{}", m.name);
        assert_eq!(m.name.ends_with("_total"), m.kind == Kind::Counter, "{}", m.name);
        assert!(m.kind != Kind::Histogram || m.name.ends_with("_seconds"), "{}", m.name);
        assert!(!m.help.trim().is_empty());
    }
}
