//! The cluster key: where it comes from, and how a node knows that it is the right one.

use std::fmt;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;
use std::process::{Command, Stdio};

use lakewright_proto::{Error, ErrorCode};
use rand::RngCore as _;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use crate::config::Config;

/// How the key is written: this, 64 hexadecimal digits, `:`, CRC-32 of the key's bytes as 8 more.
const PREFIX: &str = "lwk1:";

/// 256 random bits that seal the keys of secrets.
#[derive(Clone)]
pub struct ClusterKey(Zeroizing<[u8; 32]>);

impl ClusterKey {
    /// A new key.
    pub fn generate() -> Self {
        let mut bytes = Zeroizing::new([0; 32]);
        rand::rng().fill_bytes(&mut *bytes);
        Self(bytes)
    }

    /// Reads the written form; the error does not repeat it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wanted = || format!("is not a cluster key ({PREFIX}<64 hexadecimal digits>:<checksum>)");
        let (digits, sum) = text.trim().strip_prefix(PREFIX).and_then(|rest| rest.split_once(':')).ok_or_else(wanted)?;
        let mut bytes = Zeroizing::new([0; 32]);
        hex::decode_to_slice(digits, &mut *bytes).map_err(|_| wanted())?;
        let sum = u32::from_str_radix(sum, 16).map_err(|_| wanted())?;
        if crc32fast::hash(&*bytes) != sum {
            return Err("is damaged: its checksum does not match".to_owned());
        }
        Ok(Self(bytes))
    }

    /// The written form. It is the secret: for the key file alone.
    pub fn to_text(&self) -> Zeroizing<String> {
        Zeroizing::new(format!("{PREFIX}{}:{:08x}\n", *Zeroizing::new(hex::encode(*self.0)), crc32fast::hash(&*self.0)))
    }

    /// Sixteen bytes that name the key and tell nothing of it.
    pub(super) fn fingerprint_bytes(&self) -> [u8; 16] {
        let digest = Sha256::new().chain_update(b"lakewright cluster key fingerprint v1").chain_update(*self.0).finalize();
        let mut out = [0; 16];
        out.copy_from_slice(&digest[..16]);
        out
    }

    /// The fingerprint in hexadecimal, as the catalog keeps it.
    pub fn fingerprint(&self) -> String {
        hex::encode(self.fingerprint_bytes())
    }

    pub(super) fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    #[cfg(test)]
    pub(super) fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }
}

impl fmt::Debug for ClusterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ClusterKey({})", self.fingerprint())
    }
}

impl PartialEq for ClusterKey {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&*other.0).into()
    }
}

/// The key that seals, and during a rotation the one before, which still opens.
#[derive(Clone, Debug)]
pub struct KeyRing {
    /// Seals and opens.
    pub current: ClusterKey,
    /// Opens what is not sealed again yet.
    pub previous: Option<ClusterKey>,
}

impl KeyRing {
    /// Refuses another cluster's key. `recorded` is the catalog's fingerprint.
    ///
    /// While a rotation goes on the catalog may still name the previous key.
    pub fn check(&self, recorded: &str) -> Result<(), Error> {
        let known = self.keys().any(|k| k.fingerprint() == recorded);
        if known {
            return Ok(());
        }
        Err(failed(format!(
            "the cluster key has the fingerprint {}, and the catalog's secrets are sealed with {recorded}: give this node the cluster's own key (see [keys] in the configuration)",
            self.current.fingerprint()
        )))
    }

    /// Whether the catalog's fingerprint is that of the key before, so that secrets are to be sealed again.
    pub fn needs_reseal(&self, recorded: &str) -> bool {
        self.current.fingerprint() != recorded
    }

    pub(super) fn by_fingerprint(&self, fingerprint: &[u8]) -> Option<&ClusterKey> {
        self.keys().find(|k| k.fingerprint_bytes() == fingerprint)
    }

    fn keys(&self) -> impl Iterator<Item = &ClusterKey> {
        std::iter::once(&self.current).chain(&self.previous)
    }
}

/// Loads the keys that the configuration names. Reads files and may run a command: blocking.
///
/// `first_start` allows making the key file where there is none; otherwise a missing file is an error,
/// since a new key could open nothing that the catalog holds.
pub fn load_key_ring(config: &Config, first_start: bool) -> Result<KeyRing, Error> {
    let keys = &config.keys;
    let current = if let Some(name) = &keys.cluster_key_env {
        let text = std::env::var(name)
            .map(Zeroizing::new)
            .map_err(|e| failed(format!("the environment variable {name} (keys.cluster_key_env): {e}")))?;
        ClusterKey::parse(&text).map_err(|why| failed(format!("the environment variable {name} (keys.cluster_key_env) {why}")))?
    } else if let Some(command) = &keys.cluster_key_command {
        from_command(command)?
    } else {
        let path = config.cluster_key_file();
        match path.try_exists() {
            Ok(false) if first_start => make_file(&path)?,
            _ => read_file(&path)?,
        }
    };
    let previous = keys.previous_key_file.as_deref().map(read_file).transpose()?;
    Ok(KeyRing { current, previous })
}

/// Reads a key file that only its owner can read.
fn read_file(path: &Path) -> Result<ClusterKey, Error> {
    let shown = path.display();
    let meta = fs::metadata(path).map_err(|e| match e.kind() {
        std::io::ErrorKind::NotFound => failed(format!(
            "the cluster key file {shown} is missing, and the catalog's secrets can only be opened with it: put back its backup, or copy it from another node"
        )),
        _ => failed(format!("the cluster key file {shown} cannot be read: {e}")),
    })?;
    let mode = meta.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(failed(format!("the cluster key file {shown} has mode {mode:03o}, so others can read it: chmod 600 {shown}")));
    }
    let text = Zeroizing::new(fs::read_to_string(path).map_err(|e| failed(format!("the cluster key file {shown} cannot be read: {e}")))?);
    ClusterKey::parse(&text).map_err(|why| failed(format!("the cluster key file {shown} {why}: put back its backup")))
}

/// Makes a new key file, 0600 and on disk before it is used.
fn make_file(path: &Path) -> Result<ClusterKey, Error> {
    let key = ClusterKey::generate();
    write_private(path, key.to_text().as_bytes())
        .map_err(|e| failed(format!("the cluster key file {} cannot be made: {e}", path.display())))?;
    tracing::warn!(path = %path.display(), fingerprint = key.fingerprint(), "made the cluster key: back this file up, sealed secrets cannot be opened without it");
    Ok(key)
}

/// Writes a new file that only its owner can read, and fsyncs it and its directory. An existing file is an error.
///
/// A half-written file never has the final name.
pub(crate) fn write_private(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let dir = path.parent().filter(|d| !d.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(dir)?;
    let mut draft = path.as_os_str().to_owned();
    draft.push(format!(".{}.new", std::process::id()));
    let written = (|| {
        let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        // A link, not a rename: it refuses to replace a file that somebody else has just made.
        fs::hard_link(&draft, path)
    })();
    // Whether it worked or not, the draft has no further use.
    let removed = fs::remove_file(&draft);
    written.and(removed)?;
    fs::File::open(dir)?.sync_all()
}

fn from_command(command: &str) -> Result<ClusterKey, Error> {
    let failed = |why: String| failed(format!("the command of keys.cluster_key_command {why}"));
    let out = Command::new("sh")
        .args(["-c", command])
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|e| failed(format!("cannot be run: {e}")))?;
    let stdout = Zeroizing::new(out.stdout);
    if !out.status.success() {
        return Err(failed(format!("ended with {}", out.status)));
    }
    let text = std::str::from_utf8(&stdout).map_err(|_| failed("printed no text".to_owned()))?;
    ClusterKey::parse(text).map_err(|why| failed(format!("printed what {why}")))
}

fn failed(message: String) -> Error {
    Error::new(ErrorCode::InvalidArgument, message)
}
