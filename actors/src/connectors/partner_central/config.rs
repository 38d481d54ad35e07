//! The configuration: which account and catalog, how to get in, and how much of the quota to use.

use lakewright_proto::TenantId;
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use super::streams::Stream;
use crate::connectors::reach::{external_id, SourceReach};

/// A checked configuration.
#[derive(Clone, Debug)]
pub struct Config {
    /// `AWS` or `Sandbox`.
    pub catalog: String,
    /// The region of the API.
    pub region: String,
    /// Another address of the API.
    pub endpoint_url: Option<String>,
    /// Another address of STS.
    pub sts_endpoint_url: Option<String>,
    /// A fixed key, its secret and session token; none: the default chain of AWS.
    pub keys: Option<(String, String, Option<String>)>,
    /// The role to take, and the external id that its owner asks for.
    pub role: Option<(String, Option<String>)>,
    /// The account whose quota is used.
    pub account_id: Option<String>,
    /// The streams that are offered.
    pub streams: Vec<Stream>,
    /// How far behind the last known change a run begins, for entries that come late into lists.
    pub overlap: Duration,
    /// How long a streaming run waits between two looks.
    pub poll: Duration,
    /// How often an incremental run compares the whole list with what is known; none: never.
    pub reconcile: Option<Duration>,
    /// Calls that are under way at once.
    pub max_in_flight: usize,
    /// The account's limit of a second.
    pub reads_per_second: u32,
    /// The account's limit of 24 hours.
    pub reads_per_day: u32,
    /// Keys held in memory for a comparison.
    pub max_keys: usize,
    /// How much of what is known may be deleted because a whole list has it no more.
    pub max_delete_percent: u32,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    #[serde(default = "aws")]
    catalog: String,
    #[serde(default = "us_east_1")]
    region: String,
    endpoint_url: Option<String>,
    sts_endpoint_url: Option<String>,
    access_key_id: Option<String>,
    secret_access_key: Option<String>,
    session_token: Option<String>,
    role_arn: Option<String>,
    external_id: Option<String>,
    account_id: Option<String>,
    key_scope: Option<String>,
    streams: Option<Vec<String>>,
    #[serde(default = "overlap")]
    overlap_seconds: u64,
    #[serde(default = "poll")]
    poll_seconds: f64,
    #[serde(default = "reconcile")]
    reconcile_hours: f64,
    #[serde(default = "in_flight")]
    max_in_flight: usize,
    #[serde(default = "per_second")]
    reads_per_second: u32,
    #[serde(default = "per_day")]
    reads_per_day: u32,
    #[serde(default = "keys")]
    max_keys: usize,
    #[serde(default = "percent")]
    max_delete_percent: u32,
}

fn aws() -> String {
    "AWS".into()
}
fn us_east_1() -> String {
    "us-east-1".into()
}
fn overlap() -> u64 {
    120
}
fn poll() -> f64 {
    60.0
}
fn reconcile() -> f64 {
    24.0
}
fn in_flight() -> usize {
    8
}
fn per_second() -> u32 {
    10
}
fn per_day() -> u32 {
    100_000
}
fn keys() -> usize {
    1_000_000
}
fn percent() -> u32 {
    20
}

impl Config {
    /// Every fault of a configuration, or the configuration. A secret that is sealed already may be missing.
    pub fn parse(config: &Value) -> Result<Self, Vec<String>> {
        let raw: Raw = serde_json::from_value(config.clone()).map_err(|e| vec![e.to_string()])?;
        let mut faults = Vec::new();
        let mut fault = |wrong: bool, text: String| {
            if wrong {
                faults.push(text);
            }
        };
        let is_account = |t: &str| t.len() == 12 && t.bytes().all(|b| b.is_ascii_digit());
        let is_url = |t: &Option<String>| t.as_deref().is_none_or(|u| u.starts_with("http://") || u.starts_with("https://"));
        fault(
            raw.catalog.is_empty() || !raw.catalog.bytes().all(|b| b.is_ascii_alphabetic()),
            format!("catalog: \"AWS\" or \"Sandbox\", not {:?}", raw.catalog),
        );
        fault(raw.region.is_empty(), "region: must not be empty".into());
        fault(!is_url(&raw.endpoint_url), "endpoint_url: begins with http:// or https://".into());
        fault(!is_url(&raw.sts_endpoint_url), "sts_endpoint_url: begins with http:// or https://".into());
        fault(
            raw.secret_access_key.is_some() && raw.access_key_id.is_none(),
            "access_key_id: missing beside secret_access_key; leave both out for the default chain of AWS".into(),
        );
        fault(
            raw.role_arn.as_deref().is_some_and(|r| !r.starts_with("arn:")),
            "role_arn: begins with arn:, like arn:aws:iam::111111111111:role/lakewright".into(),
        );
        fault(raw.external_id.is_some() && raw.role_arn.is_none(), "external_id: belongs to a role_arn, and there is none".into());
        fault(
            raw.account_id.as_deref().is_some_and(|a| !is_account(a)),
            "account_id: the 12 digits of an AWS account; leave it out to have STS asked".into(),
        );
        fault(raw.key_scope.as_deref() == Some(""), "key_scope: must not be empty; leave it out for the account's id".into());
        fault(!(0.01..=86_400.0).contains(&raw.poll_seconds), "poll_seconds: between 0.01 and 86400".into());
        fault(!(0.0..=8_760.0).contains(&raw.reconcile_hours), "reconcile_hours: between 0 (never) and 8760".into());
        fault(raw.overlap_seconds > 86_400, "overlap_seconds: at most 86400".into());
        fault(!(1..=64).contains(&raw.max_in_flight), "max_in_flight: between 1 and 64".into());
        fault(!(1..=10_000).contains(&raw.reads_per_second), "reads_per_second: between 1 and 10000".into());
        fault(raw.reads_per_day == 0, "reads_per_day: at least 1".into());
        fault(!(1..=10_000_000).contains(&raw.max_keys), "max_keys: between 1 and 10000000".into());
        fault(raw.max_delete_percent > 100, "max_delete_percent: at most 100".into());
        let mut streams = Vec::new();
        for name in raw.streams.iter().flatten() {
            match Stream::named(name) {
                Some(s) if !streams.contains(&s) => streams.push(s),
                Some(_) => {}
                None => {
                    let known: Vec<_> = Stream::ALL.iter().map(|s| s.name()).collect();
                    fault(true, format!("streams: no stream {name:?}; there are {}", known.join(", ")));
                }
            }
        }
        fault(raw.streams.as_ref().is_some_and(Vec::is_empty), "streams: names at least one; leave it out for all".into());
        if !faults.is_empty() {
            return Err(faults);
        }
        if streams.is_empty() {
            streams = Stream::ALL.to_vec();
        }
        let keys = raw.access_key_id.map(|id| (id, raw.secret_access_key.unwrap_or_default(), raw.session_token));
        Ok(Self {
            catalog: raw.catalog,
            region: raw.region,
            endpoint_url: raw.endpoint_url,
            sts_endpoint_url: raw.sts_endpoint_url,
            keys,
            role: raw.role_arn.map(|r| (r, raw.external_id)),
            account_id: raw.account_id,
            streams,
            overlap: Duration::from_secs(raw.overlap_seconds),
            poll: Duration::from_secs_f64(raw.poll_seconds),
            reconcile: (raw.reconcile_hours > 0.0).then(|| Duration::from_secs_f64(raw.reconcile_hours * 3_600.0)),
            max_in_flight: raw.max_in_flight,
            reads_per_second: raw.reads_per_second,
            reads_per_day: raw.reads_per_day,
            max_keys: raw.max_keys,
            max_delete_percent: raw.max_delete_percent,
        })
    }

    /// Why it must not be used by this tenant on a node with these bounds.
    pub fn out_of_reach(&self, tenant: TenantId, reach: &SourceReach) -> Vec<String> {
        let endpoints = [("endpoint_url", &self.endpoint_url), ("sts_endpoint_url", &self.sts_endpoint_url)];
        let mut out: Vec<String> =
            endpoints.into_iter().filter_map(|(key, url)| url.as_deref().and_then(|u| reach.of_endpoint(key, u))).collect();
        match (&self.keys, &self.role) {
            (Some(_), _) => {}
            (None, None) => out.extend(reach.of_credentials("access_key_id")),
            // The node assumes the role with its own identity: that the role is this tenant's, its external id shows.
            (None, Some((_, id))) => {
                let wanted = external_id(tenant);
                if id.as_deref() != Some(&wanted) {
                    out.push(format!(
                        "external_id: without keys of its own the connector assumes its role as this node; name {wanted:?} here and in the role's trust policy"
                    ));
                }
            }
        }
        out
    }

    /// The key scope of its records, as the pipeline makes it: the account (or what the configuration names), then the catalog.
    pub fn scope(&self, told: Option<&str>) -> String {
        format!("{}/{}", told.unwrap_or_default(), self.catalog)
    }
}

#[cfg(test)]
#[path = "config_tests.rs"]
mod tests;
