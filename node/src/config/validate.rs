//! What settings must be true together.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use tracing_subscriber::EnvFilter;

use super::sections::Config;

/// Tells every fault of a configuration whose values are each good, as key and reason.
pub(super) fn validate(c: &Config, fault: &mut dyn FnMut(&str, String)) {
    node(c, fault);
    listeners(c, fault);
    tls(c, fault);
    storage(c, fault);
    sizes(c, fault);
    restart(c, fault);
    if let Err(e) = EnvFilter::try_new(&c.log.filter) {
        fault("log.filter", format!("is not a filter: {e}"));
    }
    keys(c, fault);
}

fn node(c: &Config, fault: &mut dyn FnMut(&str, String)) {
    if c.node.id == 0 {
        fault("node.id", "must be 1 or more".to_owned());
    }
    if c.node.data_dir.as_os_str().is_empty() {
        fault("node.data_dir", "must not be empty".to_owned());
    } else if c.node.data_dir.is_file() {
        fault("node.data_dir", format!("{} is a file: name a directory", c.node.data_dir.display()));
    }
}

fn listeners(c: &Config, fault: &mut dyn FnMut(&str, String)) {
    let all = [("admin.listen", c.admin.listen), ("flight.listen", c.flight.listen), ("metrics.listen", c.metrics.listen)];
    for (i, (key, addr)) in all.iter().enumerate() {
        // Port 0 asks the system for a free one.
        if let Some((other, _)) = all[..i].iter().find(|(_, a)| a.port() != 0 && clash(a, addr)) {
            fault(key, format!("{addr} is also {other}: each needs its own port"));
        }
    }
    // Metrics carry no token and no data; the other two carry both.
    for (key, addr) in &all[..2] {
        if !addr.ip().is_loopback() && c.tls.cert.is_none() && !c.tls.insecure {
            fault(key, format!("{addr} is reachable from other machines and there is no TLS: set tls.cert and tls.key, or tls.insecure = true to send tokens in the clear on purpose"));
        }
    }
    let (key, addr) = all[2];
    if !addr.ip().is_loopback() && !c.tls.insecure {
        fault(key, format!("{addr} is reachable from other machines and metrics are served without TLS: use a loopback address, or set tls.insecure = true"));
    }
}

fn clash(a: &SocketAddr, b: &SocketAddr) -> bool {
    a.port() == b.port() && (a.ip() == b.ip() || a.ip().is_unspecified() || b.ip().is_unspecified())
}

fn tls(c: &Config, fault: &mut dyn FnMut(&str, String)) {
    match (&c.tls.cert, &c.tls.key) {
        (Some(_), None) => fault("tls.key", "is missing: a certificate needs its private key".to_owned()),
        (None, Some(_)) => fault("tls.cert", "is missing: a private key needs its certificate".to_owned()),
        (None, None) if c.tls.ca.is_some() => fault("tls.ca", "has no use without tls.cert and tls.key".to_owned()),
        _ => {}
    }
    for (key, path) in [("tls.cert", &c.tls.cert), ("tls.key", &c.tls.key), ("tls.ca", &c.tls.ca)] {
        must_be_file(key, path, fault);
    }
}

fn must_be_file(key: &str, path: &Option<PathBuf>, fault: &mut dyn FnMut(&str, String)) {
    if let Some(path) = path {
        if let Err(e) = std::fs::File::open(path) {
            fault(key, format!("{} cannot be read: {e}", path.display()));
        }
    }
}

fn storage(c: &Config, fault: &mut dyn FnMut(&str, String)) {
    let s = &c.storage;
    let url = s.url.as_deref().unwrap_or_default();
    if let Some(dir) = url.strip_prefix("file://") {
        if !dir.starts_with('/') {
            fault("storage.url", format!("{url:?} has no absolute directory: write file:///absolute/dir"));
        }
    } else if let Some(bucket) = url.strip_prefix("s3://") {
        if bucket.split('/').next().is_none_or(str::is_empty) {
            fault("storage.url", format!("{url:?} names no bucket: write s3://bucket/prefix"));
        }
    } else if s.url.is_some() {
        fault("storage.url", format!("{url:?} is not a store: write file:///absolute/dir or s3://bucket/prefix"));
    }
    match &s.endpoint {
        Some(e) if e.starts_with("http://") && !s.allow_http => {
            fault("storage.endpoint", format!("{e} is not encrypted: use https://, or set storage.allow_http = true"));
        }
        Some(e) if !e.starts_with("http://") && !e.starts_with("https://") => {
            fault("storage.endpoint", format!("{e:?} is not an address: write https://host:port"));
        }
        _ => {}
    }
    let has_secret = !s.secret_access_key.expose().is_empty();
    if s.access_key_id.is_some() && !has_secret {
        fault("storage.secret_access_key", "is missing: an access key needs its secret".to_owned());
    }
    if s.access_key_id.is_none() && has_secret {
        fault("storage.access_key_id", "is missing: a secret needs its access key".to_owned());
    }
}

fn sizes(c: &Config, fault: &mut dyn FnMut(&str, String)) {
    const MIB: u64 = 1 << 20;
    let least = [
        ("flight.max_sessions", u64::from(c.flight.max_sessions), 1),
        ("flight.query_memory_bytes", c.flight.query_memory_bytes.0, 16 * MIB),
        ("catalog.snapshot_entries", c.catalog.snapshot_entries, 100),
        ("catalog.snapshot_log_bytes", c.catalog.snapshot_log_bytes.0, MIB),
        ("catalog.log_cache_bytes", c.catalog.log_cache_bytes.0, MIB),
        ("catalog.state_cache_bytes", c.catalog.state_cache_bytes.0, MIB),
        ("ingest.batch_bytes", c.ingest.batch_bytes.0, 64 << 10),
        ("ingest.batch_rows", c.ingest.batch_rows, 1),
        ("ingest.max_record_bytes", c.ingest.max_record_bytes.0, 1 << 10),
    ];
    for (key, is, least) in least {
        if is < least {
            fault(key, format!("{is} is too little: at least {least}"));
        }
    }
    let i = &c.ingest;
    // One batch beside one record must fit, or a fetch could wait for credit for ever.
    let needed = i.batch_bytes.0.saturating_add(i.max_record_bytes.0);
    if i.tenant_credit_bytes.0 < needed {
        fault(
            "ingest.tenant_credit_bytes",
            format!("{} is less than ingest.batch_bytes and ingest.max_record_bytes together ({needed} bytes)", i.tenant_credit_bytes),
        );
    }
    if i.credit_bytes < i.tenant_credit_bytes {
        fault("ingest.credit_bytes", format!("{} is less than ingest.tenant_credit_bytes ({})", i.credit_bytes, i.tenant_credit_bytes));
    }
    let positive = [
        ("flight.query_timeout", c.flight.query_timeout),
        ("ingest.commit_interval", i.commit_interval),
        ("ingest.silver_commit_interval", i.silver_commit_interval),
    ];
    for (key, d) in positive {
        if d.is_zero() {
            fault(key, "must be longer than zero".to_owned());
        }
    }
    if i.silver_commit_interval < Duration::from_millis(100) && !i.silver_commit_interval.is_zero() {
        fault("ingest.silver_commit_interval", "must be 100ms or longer: each commit writes files".to_owned());
    }
}

fn restart(c: &Config, fault: &mut dyn FnMut(&str, String)) {
    if c.restart.window.is_zero() {
        fault("restart.window", "must be longer than zero".to_owned());
    }
    if c.restart.backoff_min.is_zero() {
        fault("restart.backoff_min", "must be longer than zero: a failing source would be hammered".to_owned());
    }
    if c.restart.backoff_min > c.restart.backoff_max {
        fault("restart.backoff_max", "is shorter than restart.backoff_min".to_owned());
    }
}

fn keys(c: &Config, fault: &mut dyn FnMut(&str, String)) {
    let set = [
        ("keys.cluster_key_file", c.keys.cluster_key_file.is_some()),
        ("keys.cluster_key_env", c.keys.cluster_key_env.is_some()),
        ("keys.cluster_key_command", c.keys.cluster_key_command.is_some()),
    ];
    let mut set = set.iter().filter(|(_, is)| *is);
    if let (Some((first, _)), Some((second, _))) = (set.next(), set.next()) {
        fault(second, format!("is set beside {first}: the cluster key has one source"));
    }
    must_be_file("keys.previous_key_file", &c.keys.previous_key_file, fault);
}
