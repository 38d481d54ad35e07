//! Configuration: defaults < `cluster.toml` < environment < flags. Unknown keys are refused, and every
//! fault is told at once.

mod load;
mod nearest;
mod sections;
mod units;
mod validate;
mod value;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

pub use load::{load, ConfigError, Fault, Sources, ENV_PREFIX};
pub use nearest::nearest;
pub use sections::{
    AdminSection, CatalogSection, Config, FlightSection, IngestSection, Key, KeysSection, LogSection, MetricsSection, NodeSection,
    RestartSection, Section, StorageSection, TlsSection, SECTIONS,
};
pub use units::{parse_duration, ByteSize};
pub use value::{LogFormat, SecretText};

/// The file that is read when none is named and it exists.
pub const DEFAULT_FILE: &str = "cluster.toml";

impl Config {
    /// The node's name for people.
    pub fn node_name(&self) -> String {
        self.node.name.clone().unwrap_or_else(|| format!("node-{}", self.node.id))
    }

    /// Where the tables are: `storage.url`, or the directory `lake` in the data directory.
    pub fn storage_url(&self) -> String {
        self.storage.url.clone().unwrap_or_else(|| {
            let dir = std::path::absolute(&self.node.data_dir).unwrap_or_else(|_| self.node.data_dir.clone());
            format!("file://{}", dir.join("lake").display())
        })
    }

    /// The file of the cluster key, where neither environment nor command gives it.
    pub fn cluster_key_file(&self) -> PathBuf {
        self.keys.cluster_key_file.clone().unwrap_or_else(|| self.node.data_dir.join("cluster.key"))
    }

    /// Where the first administrator's token is written.
    pub fn admin_token_file(&self) -> PathBuf {
        admin_token_file(&self.node.data_dir)
    }

    /// The Unix socket of `lakewright token recover`.
    pub fn recover_socket(&self) -> PathBuf {
        recover_socket(&self.node.data_dir)
    }
}

/// Where the first administrator's token is written, in a data directory.
pub fn admin_token_file(data_dir: &Path) -> PathBuf {
    data_dir.join("admin.token")
}

/// The Unix socket of `lakewright token recover`, in a data directory.
pub fn recover_socket(data_dir: &Path) -> PathBuf {
    data_dir.join("recover.sock")
}

/// A configuration file that shows every key with its default and why one would change it.
pub fn default_toml() -> String {
    let mut out = String::from(
        "# Configuration of a Lakewright node. Every key stands here with its default.\n\
         # Stronger than this file: the environment (LAKEWRIGHT__SECTION__KEY=value), then flags (--set section.key=value).\n\
         # Unknown keys are refused; `lakewright check-config` lists every fault.\n",
    );
    for section in SECTIONS {
        // Writing to a String cannot fail.
        let _ = write!(out, "\n#{}\n[{}]\n", section.why, section.name);
        for key in section.keys {
            let _ = writeln!(out, "#{}\n{} = {}", key.why, key.name, key.default);
        }
    }
    out
}

#[cfg(test)]
mod tests;
