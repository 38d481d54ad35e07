//! S3 and servers that speak it: the store itself, and the checks of its bucket at start.

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::types::{ExpirationStatus, LifecycleRule};
use lakewright_proto::{Error, ErrorCode};
use object_store::aws::{AmazonS3, AmazonS3Builder, S3ConditionalPut};
use object_store::{BackoffConfig, ClientOptions, RetryConfig};

use super::config::StoreConfig;
use crate::error::Result;

/// The bucket as an object store, with timeouts and bounded retries.
pub fn build(config: &StoreConfig, bucket: &str) -> Result<Arc<AmazonS3>> {
    let base = match (&config.access_key_id, &config.secret_access_key) {
        (Some(id), Some(secret)) => AmazonS3Builder::new().with_access_key_id(id).with_secret_access_key(secret),
        _ => AmazonS3Builder::from_env(),
    };
    let client = ClientOptions::new()
        .with_connect_timeout(config.connect_timeout())
        .with_timeout(config.request_timeout())
        .with_allow_http(config.allow_http);
    let retry = RetryConfig {
        backoff: BackoffConfig { init_backoff: Duration::from_millis(100), max_backoff: Duration::from_secs(15), base: 2.0 },
        max_retries: config.max_retries,
        retry_timeout: Duration::from_secs(config.retry_timeout_s),
    };
    let mut b = base
        .with_bucket_name(bucket)
        .with_region(&config.region)
        .with_virtual_hosted_style_request(config.virtual_hosted)
        .with_allow_http(config.allow_http)
        .with_client_options(client)
        .with_retry(retry)
        .with_conditional_put(S3ConditionalPut::ETagMatch);
    if let Some(endpoint) = &config.endpoint {
        b = b.with_endpoint(endpoint);
    }
    Ok(Arc::new(b.build()?))
}

fn refuse(code: ErrorCode, message: String) -> Error {
    Error::new(code, message)
}

async fn client(config: &StoreConfig, store: &AmazonS3) -> Result<aws_sdk_s3::Client> {
    let c = store.credentials().get_credential().await?;
    let mut b = aws_sdk_s3::Config::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new(config.region.clone()))
        .credentials_provider(Credentials::new(&c.key_id, &c.secret_key, c.token.clone(), None, "lakewright"))
        .force_path_style(!config.virtual_hosted)
        .timeout_config(
            TimeoutConfig::builder()
                .connect_timeout(config.connect_timeout())
                .operation_timeout(config.request_timeout().saturating_mul(2))
                .build(),
        );
    if let Some(endpoint) = &config.endpoint {
        b = b.endpoint_url(endpoint);
    }
    Ok(aws_sdk_s3::Client::from_conf(b.build()))
}

/// Asks for the bucket. The error says what to change.
pub async fn check_reachable(config: &StoreConfig, store: &AmazonS3, bucket: &str) -> Result<()> {
    let client = client(config, store).await?;
    if let Err(e) = client.head_bucket().bucket(bucket).send().await {
        let status = e.raw_response().map(|r| r.status().as_u16());
        let region = e.raw_response().and_then(|r| r.headers().get("x-amz-bucket-region")).map(str::to_owned);
        return Err(bucket_fault(bucket, config, status, region, &e).into());
    }
    Ok(())
}

/// Asks for the bucket and its lifecycle rules. The error says what to change; the returned
/// sentences are warnings.
pub async fn check_bucket(config: &StoreConfig, store: &AmazonS3, bucket: &str, prefix: &str) -> Result<Vec<String>> {
    check_reachable(config, store, bucket).await?;
    let client = client(config, store).await?;
    match client.get_bucket_lifecycle_configuration().bucket(bucket).send().await {
        Ok(answer) => lifecycle_faults(bucket, prefix, answer.rules()).map_err(Into::into),
        // No rules, a server without them, or a caller who may not ask: the last is worth a word.
        Err(e) => Ok(match e.raw_response().map(|r| r.status().as_u16()) {
            Some(403) => vec![format!(
                "cannot read the lifecycle rules of bucket {bucket}; grant s3:GetLifecycleConfiguration, or make sure yourself that no \
                 rule expires objects under {prefix:?}"
            )],
            _ => Vec::new(),
        }),
    }
}

fn bucket_fault<E, R>(bucket: &str, config: &StoreConfig, status: Option<u16>, region: Option<String>, e: &SdkError<E, R>) -> Error
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
    R: std::fmt::Debug,
{
    let whereabouts = config.endpoint.as_deref().unwrap_or("AWS");
    match (status, region) {
        (Some(404), _) => refuse(ErrorCode::NotFound, format!("bucket {bucket} does not exist at {whereabouts}; create it or correct the url")),
        (Some(301 | 400), Some(actual)) if actual != config.region => refuse(
            ErrorCode::InvalidArgument,
            format!("bucket {bucket} is in region {actual}, the configuration says {}; set region = \"{actual}\"", config.region),
        ),
        (Some(301), None) => refuse(
            ErrorCode::InvalidArgument,
            format!("bucket {bucket} is not in region {}; set region to the bucket's own", config.region),
        ),
        (Some(401 | 403), _) => refuse(
            ErrorCode::PermissionDenied,
            format!("access to bucket {bucket} at {whereabouts} is denied; check access_key_id, secret_access_key and the bucket's policy (s3:ListBucket, s3:GetObject, s3:PutObject, s3:DeleteObject)"),
        ),
        (Some(code), _) => refuse(
            ErrorCode::Unavailable,
            format!("bucket {bucket} at {whereabouts} answered {code} ({}); try again", e.code().unwrap_or("no error code")),
        ),
        (None, _) => refuse(
            ErrorCode::Unavailable,
            format!("no answer from {whereabouts} for bucket {bucket}: {}; check the endpoint and the network", root_cause(e)),
        ),
    }
}

fn root_cause(e: &dyn std::error::Error) -> String {
    let mut cause = e;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}

/// A rule that deletes current objects under our prefix would delete files that the catalog names.
/// A rule limited by tag or size only warns: we write no tags.
pub(super) fn lifecycle_faults(bucket: &str, prefix: &str, rules: &[LifecycleRule]) -> std::result::Result<Vec<String>, Error> {
    let mut warnings = Vec::new();
    for rule in rules.iter().filter(|r| *r.status() == ExpirationStatus::Enabled) {
        let deletes = rule.expiration().is_some_and(|e| e.days().is_some() || e.date().is_some());
        if !deletes {
            continue;
        }
        let filter = rule.filter();
        let and = filter.and_then(|f| f.and());
        #[expect(deprecated, reason = "old buckets still carry the prefix on the rule itself")]
        let on_rule = rule.prefix();
        let theirs = filter.and_then(|f| f.prefix()).or(and.and_then(|a| a.prefix())).or(on_rule).unwrap_or("");
        let ours = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
        if !ours.starts_with(theirs) && !theirs.starts_with(&ours) {
            continue;
        }
        let id = rule.id().unwrap_or("without id");
        let narrowed = filter.is_some_and(|f| f.tag().is_some()) || and.is_some_and(|a| !a.tags().is_empty());
        let text = format!("lifecycle rule {id:?} of bucket {bucket} expires objects under {theirs:?}, which covers this store's {ours:?}");
        if narrowed {
            warnings.push(format!("{text}, if they carry its tag; nothing here is tagged, and nothing should be"));
        } else {
            return Err(refuse(
                ErrorCode::InvalidArgument,
                format!("{text}: it would delete files that tables name. Remove or narrow the rule; retention is Lakewright's own work"),
            ));
        }
    }
    Ok(warnings)
}
