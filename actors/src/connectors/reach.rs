//! What the sources of tenants may reach from this node. A tenant's operators choose the configuration of their
//! connectors: without bounds they would read the node's files, spend its credentials and call what only it reaches.

use std::net::IpAddr;
use std::path::{Component, Path, PathBuf};

use lakewright_proto::TenantId;

/// The bounds, from the node's settings. The default allows nothing of the node's own.
#[derive(Clone, Debug, Default)]
pub struct SourceReach {
    /// Directories whose files may be read.
    pub directories: Vec<PathBuf>,
    /// Directories of the node itself, which no source may read whatever `directories` says.
    pub own: Vec<PathBuf>,
    /// Sources without credentials of their own may use the node's.
    pub own_credentials: bool,
    /// Endpoints may be http:// and have private addresses.
    pub private_endpoints: bool,
}

impl SourceReach {
    /// No bounds.
    pub fn everything() -> Self {
        Self { directories: vec![PathBuf::from("/")], own: Vec::new(), own_credentials: true, private_endpoints: true }
    }

    /// Why a directory or file of this machine must not be read; none: it may be.
    pub fn of_path(&self, path: &Path) -> Option<String> {
        let real = real(path);
        // A directory above the node's own holds them too.
        if self.own.iter().map(|o| self::real(o)).any(|own| real.starts_with(&own) || own.starts_with(&real)) {
            return Some(format!("url: {} holds files of the node itself", path.display()));
        }
        if self.directories.iter().any(|d| real.starts_with(self::real(d))) {
            return None;
        }
        Some(format!(
            "url: {} is in no directory that sources may read; the node's operator names those: sources.directories in cluster.toml",
            path.display()
        ))
    }

    /// Why an endpoint must not be called; none: it may be.
    pub fn of_endpoint(&self, key: &str, url: &str) -> Option<String> {
        if self.private_endpoints {
            return None;
        }
        let open = "the node's operator allows it: sources.private_endpoints in cluster.toml";
        let Some(rest) = url.strip_prefix("https://") else {
            return Some(format!("{key}: {url} is not https://; {open}"));
        };
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let host = authority.rsplit_once('@').map_or(authority, |(_, h)| h);
        let host = match host.strip_prefix('[') {
            Some(v6) => v6.split(']').next().unwrap_or_default(),
            None => host.split(':').next().unwrap_or_default(),
        };
        let is_private = match host.parse::<IpAddr>() {
            Ok(ip) => !is_public(ip),
            // Names without a dot, and those of the local network.
            Err(_) => !host.contains('.') || [".local", ".internal", ".localhost", ".localdomain"].iter().any(|e| host.ends_with(e)),
        };
        is_private.then(|| format!("{key}: {host} is a private address; {open}"))
    }

    /// Why the node's own credentials must not be used for a source that has none; none: they may be.
    pub fn of_credentials(&self, key: &str) -> Option<String> {
        (!self.own_credentials).then(|| {
            format!("{key}: missing; the node's own credentials are used only where its operator allows it: sources.own_credentials in cluster.toml")
        })
    }
}

/// The external id that a tenant's roles name, where the node itself assumes them: another tenant that names
/// the same role has another one.
pub fn external_id(tenant: TenantId) -> String {
    format!("lakewright-{tenant}")
}

/// A path with its links followed, as far as it exists.
fn real(path: &Path) -> PathBuf {
    let mut missing: Vec<Component<'_>> = Vec::new();
    let mut at = path;
    loop {
        if let Ok(found) = at.canonicalize() {
            return missing.iter().rev().fold(found, |p, c| match c {
                Component::ParentDir => p.parent().map(Path::to_path_buf).unwrap_or(p),
                Component::Normal(name) => p.join(name),
                _ => p,
            });
        }
        match (at.parent(), at.components().next_back()) {
            (Some(parent), Some(last)) => {
                missing.push(last);
                at = parent;
            }
            _ => return path.to_path_buf(),
        }
    }
}

fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => {
            let [a, b, ..] = v4.octets();
            let shared = a == 100 && (64..128).contains(&b);
            let local = v4.is_private() || v4.is_loopback() || v4.is_link_local() || v4.is_unspecified() || v4.is_broadcast();
            !(local || shared || v4.is_multicast() || a == 0)
        }
        IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
            Some(v4) => is_public(IpAddr::V4(v4)),
            None => {
                let first = v6.segments()[0];
                !(v6.is_loopback() || v6.is_unspecified() || v6.is_multicast() || first & 0xfe00 == 0xfc00 || first & 0xffc0 == 0xfe80)
            }
        },
    }
}

#[cfg(test)]
#[path = "reach_tests.rs"]
mod tests;
