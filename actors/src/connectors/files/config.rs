//! The connector's settings, and every sentence about what is wrong with them.

use std::fmt;

use lakewright_storage::object::{StoreConfig, StoreUrl};
use serde::Deserialize;
use serde_json::Value;

use super::glob;
use crate::connectors::reach::SourceReach;

/// What a file holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// By the file's name, else by its first bytes.
    #[default]
    Auto,
    /// One JSON value per line.
    Ndjson,
    /// A document, or an array whose elements are the records.
    Json,
    /// Comma-separated lines.
    Csv,
    /// Rows.
    Parquet,
}

/// How a file is compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Compression {
    /// By the file's name, else by its first bytes.
    #[default]
    Auto,
    /// Not at all.
    None,
    /// Gzip, of one or more members.
    Gzip,
    /// Zstandard, of one or more frames.
    Zstd,
}

/// How files are told into streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StreamBy {
    /// The first directory below the root names the stream.
    Directory,
}

/// How CSV is written.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CsvConfig {
    /// One ASCII character.
    pub delimiter: char,
    /// Whether the first line names the columns; else they are `column_1` and so on.
    pub header: bool,
}

impl Default for CsvConfig {
    fn default() -> Self {
        Self { delimiter: ',', header: true }
    }
}

/// The settings of a `files` connector.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FilesConfig {
    /// An absolute directory (or one file), `file:///...`, or `s3://bucket/prefix`.
    pub url: String,
    /// S3 servers other than AWS.
    pub endpoint: Option<String>,
    /// The bucket's region.
    pub region: String,
    /// Absent: the environment's credentials.
    pub access_key_id: Option<String>,
    /// The secret of `access_key_id`; sealed before it is stored.
    pub secret_access_key: Option<String>,
    /// Permit an `http://` endpoint.
    pub allow_http: bool,
    /// Put the bucket's name into the host name.
    pub virtual_hosted: bool,
    /// Which files, relative to `url`: `*`, `**`, `?`, `[a-z]`, `{a,b}`. By default those of the format.
    pub pattern: Option<String>,
    /// What they hold.
    pub format: Format,
    /// How they are compressed.
    pub compression: Compression,
    /// The stream's name.
    pub stream: String,
    /// Several streams, one per directory.
    pub stream_by: Option<StreamBy>,
    /// The namespace of the records' keys; by default the connector's id.
    pub key_scope: Option<String>,
    /// Larger records are rejected with their head.
    pub max_record_bytes: usize,
    /// Files are spread over this many shards by their names. Changing it reads everything again.
    pub shards: u32,
    /// How CSV is written.
    pub csv: CsvConfig,
    /// A last line without a newline is delivered once its file has not changed for this long.
    pub settle_ms: u64,
    /// How often to look for new files.
    pub poll_ms: u64,
}

impl Default for FilesConfig {
    fn default() -> Self {
        Self {
            url: String::new(),
            endpoint: None,
            region: "us-east-1".to_owned(),
            access_key_id: None,
            secret_access_key: None,
            allow_http: false,
            virtual_hosted: false,
            pattern: None,
            format: Format::Auto,
            compression: Compression::Auto,
            stream: "records".to_owned(),
            stream_by: None,
            key_scope: None,
            max_record_bytes: 16 << 20,
            shards: 1,
            csv: CsvConfig::default(),
            settle_ms: 1000,
            poll_ms: 2000,
        }
    }
}

impl fmt::Debug for FilesConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FilesConfig").field("url", &self.url).field("stream", &self.stream).finish_non_exhaustive()
    }
}

/// Every key that may stand in the configuration.
const KEYS: [&str; 18] = [
    "url",
    "endpoint",
    "region",
    "access_key_id",
    "secret_access_key",
    "allow_http",
    "virtual_hosted",
    "pattern",
    "format",
    "compression",
    "stream",
    "stream_by",
    "key_scope",
    "max_record_bytes",
    "shards",
    "csv",
    "settle_ms",
    "poll_ms",
];

impl FilesConfig {
    /// Reads a configuration; otherwise every fault of it.
    pub fn parse(value: &Value) -> Result<Self, Vec<String>> {
        let Some(map) = value.as_object() else {
            return Err(vec!["the configuration must be an object of keys and values, with at least url".to_owned()]);
        };
        let mut faults: Vec<String> = map
            .keys()
            .filter(|k| !KEYS.contains(&k.as_str()))
            .map(|k| format!("{k}: unknown key; the keys are {}", KEYS.join(", ")))
            .collect();
        // One key at a time, so that each fault of a value is told.
        for (k, v) in map.iter().filter(|(k, _)| KEYS.contains(&k.as_str())) {
            let one = Value::Object([(k.clone(), v.clone())].into_iter().collect());
            if let Err(e) = serde_json::from_value::<Self>(one) {
                // What stands in place of a key may be one.
                let secret = matches!(k.as_str(), "access_key_id" | "secret_access_key");
                faults.push(if secret { format!("{k}: is not a text") } else { format!("{k}: {e}") });
            }
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        match serde_json::from_value::<Self>(value.clone()) {
            Ok(c) => {
                let faults = c.faults();
                if faults.is_empty() {
                    Ok(c)
                } else {
                    Err(faults)
                }
            }
            Err(e) => Err(vec![e.to_string()]),
        }
    }

    /// Why it must not be used on a node with these bounds.
    pub fn out_of_reach(&self, reach: &SourceReach) -> Vec<String> {
        match StoreUrl::parse(&self.url) {
            Ok(StoreUrl::Local(path)) => reach.of_path(&path).into_iter().collect(),
            Err(why) => vec![why.to_string()],
            Ok(StoreUrl::S3 { .. }) => {
                let credentials = self.access_key_id.is_none().then(|| reach.of_credentials("access_key_id")).flatten();
                let endpoint = self.endpoint.as_deref().and_then(|e| reach.of_endpoint("endpoint", e));
                credentials.into_iter().chain(endpoint).collect()
            }
        }
    }

    fn faults(&self) -> Vec<String> {
        let mut faults = self.store().check();
        if let Some(Err(why)) = self.pattern.as_deref().map(glob::compile) {
            faults.push(format!("pattern: {why}"));
        }
        if sanitize(&self.stream) != self.stream || self.stream.is_empty() {
            faults.push(format!("stream: {:?} must be of lower-case letters, digits, '_', '.' and '-'", self.stream));
        }
        if self.key_scope.as_deref() == Some("") {
            faults.push("key_scope: must not be empty; leave it out to use the connector's id".to_owned());
        }
        if !(1 << 10..=256 << 20).contains(&self.max_record_bytes) {
            faults.push(format!("max_record_bytes: {} is not within 1 KiB to 256 MiB", self.max_record_bytes));
        }
        if !(1..=256).contains(&self.shards) {
            faults.push(format!("shards: {} is not within 1 to 256", self.shards));
        }
        if !self.csv.delimiter.is_ascii() || "\"\r\n".contains(self.csv.delimiter) {
            faults.push(format!("csv.delimiter: {:?} must be one ASCII character other than a quote or a line end", self.csv.delimiter));
        }
        if self.settle_ms > 60_000 {
            faults.push(format!("settle_ms: {} is more than a minute", self.settle_ms));
        }
        if !(10..=3_600_000).contains(&self.poll_ms) {
            faults.push(format!("poll_ms: {} is not within 10 ms to an hour", self.poll_ms));
        }
        faults
    }

    /// The store's part of the settings.
    pub fn store(&self) -> StoreConfig {
        StoreConfig {
            url: self.url.clone(),
            endpoint: self.endpoint.clone(),
            region: self.region.clone(),
            access_key_id: self.access_key_id.clone(),
            secret_access_key: self.secret_access_key.clone(),
            allow_http: self.allow_http,
            virtual_hosted: self.virtual_hosted,
            ..StoreConfig::default()
        }
    }

    pub(super) fn is_local(&self) -> bool {
        matches!(StoreUrl::parse(&self.url), Ok(StoreUrl::Local(_)))
    }

    pub(super) fn file_pattern(&self) -> String {
        self.pattern.clone().unwrap_or_else(|| {
            let ext = match self.format {
                Format::Auto => "{ndjson,jsonl,json,csv,tsv,parquet}",
                Format::Ndjson => "{ndjson,jsonl,json}",
                Format::Json => "json",
                Format::Csv => "{csv,tsv}",
                Format::Parquet => "parquet",
            };
            format!("**/*.{ext}{{,.gz,.gzip,.zst,.zstd}}")
        })
    }

    /// The stream that a file belongs to.
    pub(super) fn stream_of(&self, name: &str) -> String {
        match (self.stream_by, name.split_once('/')) {
            (Some(StreamBy::Directory), Some((dir, _))) => sanitize(dir),
            _ => self.stream.clone(),
        }
    }
}

fn sanitize(s: &str) -> String {
    let ok = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_.-".contains(c);
    s.chars().flat_map(char::to_lowercase).map(|c| if ok(c) { c } else { '_' }).collect()
}
