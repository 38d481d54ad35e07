//! Tests of the configuration.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::*;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/config/fixtures").join(name)
}

fn sources(file: Option<&str>, env: &[(&str, &str)], flags: &[(&str, &str)]) -> Sources {
    let own = |pairs: &[(&str, &str)]| pairs.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
    Sources { file: file.map(fixture), env: own(env), flags: own(flags) }
}

fn faults(s: &Sources) -> Vec<Fault> {
    load(s).unwrap_err().faults
}

fn flag_faults(flags: &[(&str, &str)]) -> Vec<String> {
    faults(&sources(None, &[], flags)).into_iter().map(|f| format!("{}: {}", f.key, f.reason)).collect()
}

#[test]
fn defaults_are_good() {
    let c = load(&Sources::default()).unwrap();
    assert_eq!(c.admin.listen.to_string(), "127.0.0.1:7401");
    assert_eq!(c.flight.listen.to_string(), "127.0.0.1:7402");
    assert_eq!(c.metrics.listen.to_string(), "127.0.0.1:7403");
    assert_eq!(c.ingest.silver_commit_interval, Duration::from_secs(2));
    assert_eq!(c.node_name(), "node-1");
    assert!(c.storage_url().starts_with("file:///") && c.storage_url().ends_with("/lakewright-data/lake"));
    assert_eq!(c.cluster_key_file(), Path::new("lakewright-data/cluster.key"));
}

#[test]
fn cluster_toml_shows_every_key_with_its_default() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../cluster.toml");
    assert_eq!(
        std::fs::read_to_string(path).unwrap(),
        default_toml(),
        "write it anew: lakewright check-config --print-defaults > cluster.toml"
    );
}

#[test]
fn a_good_file_is_read() {
    let c = load(&sources(Some("good.toml"), &[], &[])).unwrap();
    assert_eq!((c.node.id, c.node_name().as_str()), (7, "north"));
    assert_eq!(c.node.labels["rack"], "r7");
    assert_eq!(c.flight.listen.to_string(), "[::1]:9402");
    assert_eq!(c.flight.query_memory_bytes, ByteSize(1 << 30));
    assert_eq!(c.flight.query_timeout, Duration::from_secs(90));
    assert_eq!(c.storage_url(), "s3://lake/prod");
    assert_eq!(c.storage.access_key_id.as_deref(), Some("0012"));
    assert_eq!(c.ingest.commit_interval, Duration::from_millis(500));
    assert_eq!(c.log.format, LogFormat::Json);
    assert_eq!(c.admin.listen.to_string(), "127.0.0.1:7401", "what the file leaves out has its default");
    assert!(!format!("{c:?}").contains("s3cret"), "secrets are never shown");
}

#[test]
fn wrong_keys_are_refused_with_file_key_and_reason() {
    let found = faults(&sources(Some("wrongkey.toml"), &[], &[]));
    let file = fixture("wrongkey.toml").display().to_string();
    let mut shown: Vec<_> = found.iter().map(Fault::to_string).collect();
    shown.sort();
    assert_eq!(
        shown,
        [
            format!("{file}: flihgt: no such section; did you mean flight?"),
            format!("{file}: node.data_dri: no such key; did you mean data_dir?"),
        ]
    );
}

#[test]
fn flags_beat_environment_beats_file() {
    let env = [("LAKEWRIGHT__NODE__ID", "8"), ("LAKEWRIGHT__FLIGHT__MAX_SESSIONS", "9"), ("LAKEWRIGHT_TOKEN", "not a setting")];
    let c = load(&sources(Some("good.toml"), &env, &[("flight.max_sessions", "10")])).unwrap();
    assert_eq!((c.node.id, c.flight.max_sessions, c.node.zone.as_deref()), (8, 10, Some("eu-north-1a")));
}

#[test]
fn the_environment_keeps_text_as_it_is() {
    let env = [
        ("LAKEWRIGHT__STORAGE__ACCESS_KEY_ID", "007"),
        ("LAKEWRIGHT__STORAGE__SECRET_ACCESS_KEY", "1e5"),
        ("LAKEWRIGHT__STORAGE__ALLOW_HTTP", "true"),
        ("LAKEWRIGHT__NODE__LABELS", "a=1, b=2"),
        ("LAKEWRIGHT__INGEST__BATCH_BYTES", "1MiB"),
    ];
    let c = load(&sources(None, &env, &[])).unwrap();
    assert_eq!(c.storage.access_key_id.as_deref(), Some("007"));
    assert_eq!(c.storage.secret_access_key.expose(), "1e5");
    assert!(c.storage.allow_http);
    assert_eq!(c.node.labels.len(), 2);
    assert_eq!(c.ingest.batch_bytes, ByteSize(1 << 20));
}

#[test]
fn every_fault_is_told_with_its_origin() {
    let env = [("LAKEWRIGHT__ADMIN__LISTEN", "nowhere"), ("LAKEWRIGHT__NOPE", "1")];
    let found = faults(&sources(
        Some("wrongkey.toml"),
        &env,
        &[("ingest.commit_interval", "2"), ("restart.widnow", "1m"), ("tls.insecure", "maybe")],
    ));
    let at = |key: &str| found.iter().find(|f| f.key == key).map(|f| f.file.as_str());
    assert_eq!(at("admin.listen"), Some("environment"));
    assert_eq!(at("nope"), Some("environment"));
    assert_eq!(at("ingest.commit_interval"), Some("command line"));
    assert_eq!(at("restart.widnow"), Some("command line"));
    assert_eq!(at("tls.insecure"), Some("command line"));
    assert_eq!(found.len(), 7, "{found:?}");
}

#[test]
fn a_file_that_is_missing_or_no_toml_is_a_fault() {
    let missing = faults(&Sources { file: Some("/nowhere/cluster.toml".into()), ..Sources::default() });
    assert!(missing[0].reason.contains("cannot be read"), "{missing:?}");
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("c.toml");
    std::fs::write(&path, "[node\nid = 1").unwrap();
    let bad = faults(&Sources { file: Some(path.clone()), ..Sources::default() });
    assert!(bad[0].reason.contains("line 1"), "{bad:?}");
    std::fs::write(&path, "node = 3").unwrap();
    let scalar = faults(&Sources { file: Some(path), ..Sources::default() });
    assert!(scalar[0].reason.contains("is a section"), "{scalar:?}");
    assert_eq!(scalar.len(), 1);
}

#[test]
fn other_machines_need_tls_or_a_clear_word() {
    for key in ["admin.listen", "flight.listen", "metrics.listen"] {
        let found = flag_faults(&[(key, "0.0.0.0:7999")]);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with(key) && found[0].contains("tls.insecure"), "{found:?}");
        load(&sources(None, &[], &[(key, "0.0.0.0:7999"), ("tls.insecure", "true")])).unwrap();
    }
}

#[test]
fn settings_must_fit_together() {
    let cases: [(&[(&str, &str)], &str); 12] = [
        (&[("node.id", "0")], "node.id"),
        (&[("flight.listen", "127.0.0.1:7401")], "flight.listen"),
        (&[("tls.cert", "/dev/null")], "tls.key"),
        (&[("tls.cert", "/nowhere.pem"), ("tls.key", "/dev/null")], "tls.cert"),
        (&[("storage.url", "ftp://x")], "storage.url"),
        (&[("storage.url", "file://relative")], "storage.url"),
        (&[("storage.endpoint", "http://127.0.0.1:1")], "storage.endpoint"),
        (&[("storage.access_key_id", "a")], "storage.secret_access_key"),
        (&[("ingest.tenant_credit_bytes", "20MiB")], "ingest.tenant_credit_bytes"),
        (&[("restart.backoff_max", "1ms")], "restart.backoff_max"),
        (&[("log.filter", "a=b=c")], "log.filter"),
        (&[("keys.cluster_key_env", "A"), ("keys.cluster_key_command", "b")], "keys.cluster_key_command"),
    ];
    for (flags, key) in cases {
        let found = flag_faults(flags);
        assert!(found.len() == 1 && found[0].starts_with(key), "{flags:?}: {found:?}");
    }
}

#[test]
fn quantities_are_read_and_shown() {
    for (s, n) in [("0", 0), ("17", 17), ("1B", 1), ("2KB", 2000), ("2KiB", 2048), ("64MiB", 64 << 20), ("1 GiB", 1 << 30)] {
        assert_eq!(ByteSize::parse(s).unwrap(), ByteSize(n), "{s}");
    }
    for s in ["", "MiB", "-1", "1.5MiB", "1XB", "99999999999GiB"] {
        assert!(ByteSize::parse(s).is_err(), "{s}");
    }
    assert_eq!(ByteSize(64 << 20).to_string(), "64MiB");
    assert_eq!(ByteSize(1000).to_string(), "1000B");
    for (s, ms) in [("2s", 2000), ("500ms", 500), ("5m", 300_000), ("24h", 86_400_000), ("7d", 604_800_000)] {
        assert_eq!(parse_duration(s).unwrap(), Duration::from_millis(ms), "{s}");
    }
    for s in ["", "2", "s", "2x", "-2s", "1.5s"] {
        assert!(parse_duration(s).is_err(), "{s}");
    }
}

#[test]
fn near_names_are_found() {
    assert_eq!(nearest("opportunty", ["opportunity", "lead"].into_iter()), ["opportunity"]);
    assert_eq!(nearest("opp", ["opps", "lead"].into_iter()), ["opps"]);
    assert!(nearest("zzz", ["opps", "lead"].into_iter()).is_empty());
}
