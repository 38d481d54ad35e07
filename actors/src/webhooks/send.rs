//! One delivery over HTTP: where it may go, what it says, and what counts as taken.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use lakewright_proto::{Error, ErrorCode};
use lakewright_storage::catalog::records::Alert;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{redirect, Client, Url};
use serde_json::json;

use super::sign::sign;

/// The other side has this long.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Where deliveries may go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reach {
    /// https:// to addresses of the public internet.
    #[default]
    Public,
    /// Also http://, and to private, loopback and link-local addresses.
    Private,
}

/// Checks a webhook's address as far as that goes without asking for its name.
pub fn check_url(url: &str, reach: Reach) -> Result<Url, Error> {
    let invalid = |m: String| Error::new(ErrorCode::InvalidArgument, m);
    let url = Url::parse(url).map_err(|e| invalid(format!("{url:?} is no address: {e}")))?;
    let Some(host) = url.host_str() else { return Err(invalid(format!("{url} names no host"))) };
    match (url.scheme(), reach) {
        ("https", _) | ("http", Reach::Private) => {}
        ("http", Reach::Public) => {
            return Err(invalid(format!("{url} is not https://; `webhooks.allow_private = true` in the node's settings allows http://")));
        }
        (other, _) => return Err(invalid(format!("{other}:// is not a way to send alerts: use https://"))),
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(invalid("an address holds no user and no password: deliveries are signed instead".to_owned()));
    }
    let literal = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    if literal.is_ok_and(|ip| !may_reach(ip, reach)) {
        return Err(invalid(format!("{host} is a private address; `webhooks.allow_private = true` in the node's settings allows it")));
    }
    Ok(url)
}

fn may_reach(ip: IpAddr, reach: Reach) -> bool {
    reach == Reach::Private || is_public(ip)
}

fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => {
            let [a, b, ..] = ip.octets();
            let shared = a == 100 && (64..128).contains(&b);
            let odd = a == 0 || a >= 240 || (a == 192 && b == 0) || (a == 198 && (b == 18 || b == 19));
            !(ip.is_loopback() || ip.is_private() || ip.is_link_local() || ip.is_multicast() || ip.is_documentation() || shared || odd)
        }
        IpAddr::V6(ip) => match ip.to_ipv4() {
            Some(v4) => is_public(IpAddr::V4(v4)),
            None => {
                let first = ip.segments()[0];
                // Global unicast, without documentation (2001:db8::/32), 6to4 and translated addresses, which hide another.
                (first & 0xe000) == 0x2000 && first != 0x2002 && !(first == 0x2001 && matches!(ip.segments()[1], 0 | 0xdb8))
            }
        },
    }
}

/// Names lead only to addresses that may be reached: what is looked up is what is connected to.
struct Resolver(Reach);

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let reach = self.0;
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let allowed: Vec<SocketAddr> = found.filter(|a| may_reach(a.ip(), reach)).collect();
            if allowed.is_empty() {
                return Err(format!("{} leads to private addresses only", name.as_str()).into());
            }
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}

/// Sends alerts.
#[derive(Clone)]
pub struct Sender {
    client: Client,
    reach: Reach,
}

impl Sender {
    /// A sender that follows no redirect.
    pub fn new(reach: Reach) -> Result<Self, Error> {
        let client = Client::builder()
            .timeout(TIMEOUT)
            .redirect(redirect::Policy::none())
            .dns_resolver(Arc::new(Resolver(reach)))
            .user_agent(concat!("lakewright/", env!("CARGO_PKG_VERSION")))
            .no_proxy()
            .build()
            .map_err(|e| Error::new(ErrorCode::Internal, format!("no HTTP client for webhooks: {e}")))?;
        Ok(Self { client, reach })
    }

    /// Where it may send to.
    pub fn reach(&self) -> Reach {
        self.reach
    }

    /// Sends one alert; any 2xx answer takes it. The error is for people.
    pub async fn send(&self, url: &str, secret: &str, at: u64, alert: &Alert, now_us: i64) -> Result<(), String> {
        let url = check_url(url, self.reach).map_err(|e| e.message)?;
        let id = format!("{}.{at}", alert.tenant);
        let body = body(&id, alert).to_string();
        let seconds = now_us.div_euclid(1_000_000);
        let signature = sign(secret, &id, seconds, body.as_bytes()).map_err(|e| e.message)?;
        let request = self
            .client
            .post(url)
            .header("content-type", "application/json")
            .header("webhook-id", &id)
            .header("webhook-timestamp", seconds.to_string())
            .header("webhook-signature", signature)
            .body(body);
        match request.send().await {
            Ok(answer) if answer.status().is_success() => Ok(()),
            Ok(answer) => Err(format!("it answered {}", answer.status())),
            Err(e) => Err(cause(&e)),
        }
    }
}

/// What is sent.
fn body(id: &str, alert: &Alert) -> serde_json::Value {
    let at = chrono::DateTime::from_timestamp_micros(alert.at).map(|t| t.to_rfc3339_opts(chrono::SecondsFormat::Micros, true));
    json!({
        "type": format!("alert.{}", alert.kind),
        "timestamp": at,
        "data": {
            "id": id,
            "tenant_id": alert.tenant.to_string(),
            "kind": alert.kind,
            "subject": alert.subject,
            "message": alert.message,
            "run_id": alert.run.map(|r| r.to_string()),
            "connector_id": alert.connector.map(|c| c.to_string()),
        },
    })
}

/// The innermost cause: the outer ones only say that a request failed.
fn cause(e: &reqwest::Error) -> String {
    if e.is_timeout() {
        return format!("no answer within {} s", TIMEOUT.as_secs());
    }
    let mut last: &dyn std::error::Error = e;
    while let Some(inner) = last.source() {
        last = inner;
    }
    last.to_string()
}

#[cfg(test)]
#[path = "send_tests.rs"]
mod tests;
