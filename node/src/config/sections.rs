//! Every section and key of the configuration, with its type, its default and one line of why.
//! This is the only place that names them: the structs, `default_toml` and the check for unknown keys come from it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::load::Reader;
use super::units::ByteSize;
use super::value::{LogFormat, SecretText};

/// A section as it is shown.
#[derive(Debug)]
pub struct Section {
    /// Its name.
    pub name: &'static str,
    /// What it is about.
    pub why: &'static str,
    /// Its keys.
    pub keys: &'static [Key],
}

/// A key as it is shown.
#[derive(Debug)]
pub struct Key {
    /// Its name.
    pub name: &'static str,
    /// Its default, as TOML.
    pub default: &'static str,
    /// Why one would change it.
    pub why: &'static str,
}

macro_rules! sections {
    ($($(#[doc = $about:literal])+ $section:ident: $Struct:ident { $($(#[doc = $why:literal])+ $key:ident: $ty:ty = $default:literal,)+ })+) => {
        $(
            $(#[doc = $about])+
            #[derive(Clone, Debug)]
            pub struct $Struct {
                $($(#[doc = $why])+ pub $key: $ty,)+
            }
        )+

        /// A checked configuration.
        #[derive(Clone, Debug)]
        pub struct Config {
            $($(#[doc = $about])+ pub $section: $Struct,)+
        }

        /// All sections, in the order in which they are shown.
        pub static SECTIONS: &[Section] = &[$(Section {
            name: stringify!($section),
            why: concat!($($about),+),
            keys: &[$(Key { name: stringify!($key), default: $default, why: concat!($($why),+) },)+],
        },)+];

        impl Config {
            /// Reads every key, so that every fault is found; none where there is one.
            pub(super) fn read(r: &mut Reader<'_>) -> Option<Self> {
                $(
                    $(let $key = r.take::<$ty>(stringify!($section), stringify!($key));)+
                    let $section = (|| Some($Struct { $($key: $key?,)+ }))();
                )+
                Some(Self { $($section: $section?,)+ })
            }
        }
    };
}

sections! {
    /// This node.
    node: NodeSection {
        /// Its number, unique in the cluster; it never changes.
        id: u64 = "1",
        /// Everything that the node keeps on local disk; relative to the working directory.
        data_dir: PathBuf = "\"lakewright-data\"",
        /// Its name for people; empty: node-<id>.
        name: Option<String> = "\"\"",
        /// Where it runs; shards spread over zones.
        zone: Option<String> = "\"\"",
        /// Free labels, shown by `GetNode`.
        labels: BTreeMap<String, String> = "{}",
    }
    /// The admin API (gRPC), for operators, the CLI and the console.
    admin: AdminSection {
        /// Where it listens; another address than loopback needs [tls] or tls.insecure.
        listen: SocketAddr = "\"127.0.0.1:7401\"",
    }
    /// Arrow Flight and Flight SQL.
    flight: FlightSection {
        /// Where it listens; another address than loopback needs [tls] or tls.insecure.
        listen: SocketAddr = "\"127.0.0.1:7402\"",
        /// Sessions at once; more are refused with a clear error.
        max_sessions: u32 = "64",
        /// Memory of all running queries together; a query that needs more spills or fails alone.
        query_memory_bytes: ByteSize = "\"192MiB\"",
        /// Longest run of a query; dropped files stay readable for this long.
        query_timeout: Duration = "\"5m\"",
    }
    /// Prometheus.
    metrics: MetricsSection {
        /// Where /metrics listens; it holds tenants' slugs and no data.
        listen: SocketAddr = "\"127.0.0.1:7403\"",
    }
    /// Keys of the listeners.
    tls: TlsSection {
        /// Certificate chain, PEM; empty: no TLS.
        cert: Option<PathBuf> = "\"\"",
        /// Private key of the certificate, PEM.
        key: Option<PathBuf> = "\"\"",
        /// Certificate authority, PEM: clients must then show a certificate of its own.
        ca: Option<PathBuf> = "\"\"",
        /// Allows other addresses than loopback without TLS: tokens then cross the network in the clear.
        insecure: bool = "false",
    }
    /// Where tables are.
    storage: StorageSection {
        /// file:///absolute/dir or s3://bucket/prefix; empty: the directory `lake` in node.data_dir.
        url: Option<String> = "\"\"",
        /// Address of a store that speaks S3 and is not AWS.
        endpoint: Option<String> = "\"\"",
        /// Region of the bucket.
        region: Option<String> = "\"\"",
        /// Access key; empty: as the AWS SDKs find one (environment, profile, instance).
        access_key_id: Option<String> = "\"\"",
        /// Secret of the access key; better in LAKEWRIGHT__STORAGE__SECRET_ACCESS_KEY than in a file.
        secret_access_key: SecretText = "\"\"",
        /// Allows an http:// endpoint.
        allow_http: bool = "false",
    }
    /// The replicated catalog.
    catalog: CatalogSection {
        /// A snapshot is cut after this many log entries.
        snapshot_entries: u64 = "100000",
        /// ... or after this much log.
        snapshot_log_bytes: ByteSize = "\"64MiB\"",
        /// Memory for the newest log entries.
        log_cache_bytes: ByteSize = "\"16MiB\"",
        /// Memory for the catalog's pages.
        state_cache_bytes: ByteSize = "\"32MiB\"",
    }
    /// The way from a source to Silver.
    ingest: IngestSection {
        /// Fetched bytes that may wait for their commit on this node; none left, no fetch.
        credit_bytes: ByteSize = "\"96MiB\"",
        /// ... and of one tenant, so that it cannot use up the node's.
        tenant_credit_bytes: ByteSize = "\"48MiB\"",
        /// A batch is committed when it is this large,
        batch_bytes: ByteSize = "\"8MiB\"",
        /// ... or has this many records,
        batch_rows: u64 = "65536",
        /// ... or is this old.
        commit_interval: Duration = "\"1s\"",
        /// A Silver table is committed at most this often.
        silver_commit_interval: Duration = "\"2s\"",
        /// A larger record is rejected with its first 64 KiB; a connector may set less.
        max_record_bytes: ByteSize = "\"16MiB\"",
    }
    /// When something fails.
    restart: RestartSection {
        /// Restarts within the window before it is `broken` and waits for an operator; with the pauses
        /// below these outlast a store or a source that is away for a minute.
        max_restarts: u32 = "12",
        /// The window.
        window: Duration = "\"10m\"",
        /// The pause before the first restart; it doubles, with jitter,
        backoff_min: Duration = "\"200ms\"",
        /// ... up to this.
        backoff_max: Duration = "\"30s\"",
    }
    /// What connectors may reach: their configuration is chosen by the operators of tenants.
    sources: SourcesSection {
        /// Directories of this machine whose files the connector `files` may read; never node.data_dir or the lake.
        directories: Vec<PathBuf> = "[]",
        /// Sources without credentials of their own may use this node's.
        own_credentials: bool = "false",
        /// Allows http:// and private addresses as endpoints of sources.
        private_endpoints: bool = "false",
    }
    /// Where alerts may be sent.
    webhooks: WebhooksSection {
        /// Allows http:// and private addresses: a tenant's operators can then make this node call what only it reaches.
        allow_private: bool = "false",
    }
    /// The log, on standard error.
    log: LogSection {
        /// text for people, json for machines.
        format: LogFormat = "\"text\"",
        /// Levels, as `info,lakewright_storage=debug`.
        filter: String = "\"info,openraft=warn,chunked_wal=warn,raft_log=warn\"",
    }
    /// The cluster key, which seals secrets. At most one of the three sources.
    keys: KeysSection {
        /// A 0600 file; empty: `cluster.key` in node.data_dir, made at the first start. Back it up.
        cluster_key_file: Option<PathBuf> = "\"\"",
        /// Name of an environment variable that holds the key.
        cluster_key_env: Option<String> = "\"\"",
        /// A command that prints the key, run by `sh -c`.
        cluster_key_command: Option<String> = "\"\"",
        /// A 0600 file with the key before, while secrets are sealed again with the new one.
        previous_key_file: Option<PathBuf> = "\"\"",
    }
}
