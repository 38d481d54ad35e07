//! Where the object store is, and how patient to be with it.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use lakewright_proto::{Error, ErrorCode};
use serde::{Deserialize, Serialize};

/// The object store's settings. Unknown keys are refused.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StoreConfig {
    /// `file:///absolute/directory` or `s3://bucket/prefix`.
    pub url: String,
    /// S3 only: the server's address, for servers other than AWS.
    pub endpoint: Option<String>,
    /// S3 only: the bucket's region.
    pub region: String,
    /// S3 only: absent, the environment's or the instance's credentials are used.
    pub access_key_id: Option<String>,
    /// S3 only: the secret of `access_key_id`. Never printed.
    pub secret_access_key: Option<String>,
    /// S3 only: permit an `http://` endpoint.
    pub allow_http: bool,
    /// S3 only: put the bucket's name into the host name.
    pub virtual_hosted: bool,
    /// Seconds to wait for a connection.
    pub connect_timeout_s: u64,
    /// Seconds to wait for one request.
    pub request_timeout_s: u64,
    /// Retries of one request (exponential backoff from 100 ms to 15 s).
    pub max_retries: usize,
    /// Seconds after which a request is not tried again.
    pub retry_timeout_s: u64,
}

impl Default for StoreConfig {
    fn default() -> Self {
        Self {
            url: String::new(),
            endpoint: None,
            region: "us-east-1".to_owned(),
            access_key_id: None,
            secret_access_key: None,
            allow_http: false,
            virtual_hosted: false,
            connect_timeout_s: 5,
            request_timeout_s: 30,
            max_retries: 8,
            retry_timeout_s: 90,
        }
    }
}

impl fmt::Debug for StoreConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreConfig")
            .field("url", &self.url)
            .field("endpoint", &self.endpoint)
            .field("region", &self.region)
            .field("access_key_id", &self.access_key_id)
            .field("secret_access_key", &self.secret_access_key.as_ref().map(|_| "***"))
            .finish_non_exhaustive()
    }
}

/// What a store's URL names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreUrl {
    /// An absolute directory.
    Local(PathBuf),
    /// A bucket, and the prefix of every key in it (without slashes at its ends, perhaps empty).
    S3 {
        /// The bucket.
        bucket: String,
        /// The prefix.
        prefix: String,
    },
}

impl StoreUrl {
    /// Reads `file:///dir`, a plain absolute path, or `s3://bucket/prefix`.
    pub fn parse(url: &str) -> Result<Self, Error> {
        let refuse = |why: &str| {
            Err(Error::new(
                ErrorCode::InvalidArgument,
                format!("{url:?} is not a store: {why}; use file:///absolute/directory or s3://bucket/prefix"),
            ))
        };
        if let Some(rest) = url.strip_prefix("s3://") {
            let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
            if bucket.is_empty() {
                return refuse("it names no bucket");
            }
            let prefix = prefix.trim_matches('/');
            if prefix.split('/').any(|p| p == "." || p == "..") {
                return refuse("'.' and '..' are not allowed in the prefix");
            }
            return Ok(Self::S3 { bucket: bucket.to_owned(), prefix: prefix.to_owned() });
        }
        let path = match url.strip_prefix("file://") {
            Some(p) => p,
            None if url.contains("://") => return refuse("only file and s3 are known"),
            None => url,
        };
        if !path.starts_with('/') {
            return refuse("the directory must be absolute");
        }
        Ok(Self::Local(PathBuf::from(path)))
    }
}

impl StoreConfig {
    /// The settings of a local directory.
    pub fn local(dir: impl AsRef<std::path::Path>) -> Self {
        Self { url: format!("file://{}", dir.as_ref().display()), ..Self::default() }
    }

    /// Every fault, as sentences that name the key. Empty: it is good.
    pub fn check(&self) -> Vec<String> {
        let mut faults = Vec::new();
        match StoreUrl::parse(&self.url) {
            Err(e) => faults.push(format!("url: {}", e.message)),
            Ok(StoreUrl::Local(_)) => {
                if self.endpoint.is_some() || self.access_key_id.is_some() || self.secret_access_key.is_some() {
                    faults.push("endpoint, access_key_id and secret_access_key are for s3:// only; remove them".to_owned());
                }
            }
            Ok(StoreUrl::S3 { .. }) => {}
        }
        if self.access_key_id.is_some() != self.secret_access_key.is_some() {
            faults.push("access_key_id and secret_access_key go together: give both or neither".to_owned());
        }
        if let Some(e) = &self.endpoint {
            if !e.starts_with("http://") && !e.starts_with("https://") {
                faults.push(format!("endpoint: {e:?} must start with http:// or https://"));
            }
            if e.starts_with("http://") && !self.allow_http {
                faults.push(format!("endpoint: {e:?} is not encrypted; set allow_http = true if that is meant"));
            }
        }
        if self.region.is_empty() {
            faults.push("region: must not be empty".to_owned());
        }
        for (key, v) in [
            ("connect_timeout_s", self.connect_timeout_s),
            ("request_timeout_s", self.request_timeout_s),
            ("retry_timeout_s", self.retry_timeout_s),
        ] {
            // Credentials and signatures of a retried request are not renewed: five minutes is the ceiling.
            if v == 0 || v > 300 {
                faults.push(format!("{key}: {v} is not within 1 to 300 seconds"));
            }
        }
        faults
    }

    pub(crate) fn connect_timeout(&self) -> Duration {
        Duration::from_secs(self.connect_timeout_s)
    }

    pub(crate) fn request_timeout(&self) -> Duration {
        Duration::from_secs(self.request_timeout_s)
    }
}
