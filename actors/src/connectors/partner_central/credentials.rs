//! The way in: fixed keys or the default chain of AWS, then a role where one is named; and whose account that is.

use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::sts::AssumeRoleProvider;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_partnercentralselling::config::{Credentials, SharedCredentialsProvider};
use aws_sdk_partnercentralselling::Client;

use super::config::Config;
use crate::connectors::SourceError;

const CONNECT: Duration = Duration::from_secs(5);
const ATTEMPT: Duration = Duration::from_secs(30);
const SESSION: &str = "lakewright";

/// The configuration of AWS's SDK, its credentials found.
pub async fn sdk_config(config: &Config) -> SdkConfig {
    // Calls are tried again by ourselves: each attempt is charged to the quota.
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .region(Region::new(config.region.clone()))
        .retry_config(RetryConfig::disabled())
        .timeout_config(TimeoutConfig::builder().connect_timeout(CONNECT).operation_attempt_timeout(ATTEMPT).build());
    if let Some((id, secret, token)) = &config.keys {
        loader = loader.credentials_provider(Credentials::new(id, secret, token.clone(), None, "connector configuration"));
    }
    let base = loader.load().await;
    let Some((role, external_id)) = &config.role else { return base };
    let mut provider = AssumeRoleProvider::builder(role).session_name(SESSION).configure(&sts(config, &base));
    if let Some(id) = external_id {
        provider = provider.external_id(id);
    }
    let provider = SharedCredentialsProvider::new(provider.build().await);
    base.into_builder().credentials_provider(provider).build()
}

/// A client of the selling API.
pub fn client(config: &Config, sdk: &SdkConfig) -> Client {
    let mut builder = aws_sdk_partnercentralselling::config::Builder::from(sdk);
    if let Some(url) = &config.endpoint_url {
        builder = builder.endpoint_url(url);
    }
    Client::from_conf(builder.build())
}

/// The account that the credentials belong to, by STS.
pub async fn account_id(config: &Config) -> Result<String, SourceError> {
    let sdk = sdk_config(config).await;
    let answer = aws_sdk_sts::Client::new(&sts(config, &sdk)).get_caller_identity().send().await;
    let identity = answer.map_err(|e| {
        let why = aws_sdk_sts::error::DisplayErrorContext(&e);
        SourceError::Fatal(format!(
            "sts:GetCallerIdentity failed, so the account is unknown: {why}. Mend the credentials, or set account_id"
        ))
    })?;
    let account = identity.account().filter(|a| !a.is_empty());
    account.map(str::to_owned).ok_or_else(|| SourceError::Fatal("sts:GetCallerIdentity named no account; set account_id".into()))
}

fn sts(config: &Config, sdk: &SdkConfig) -> SdkConfig {
    match &config.sts_endpoint_url {
        Some(url) => sdk.clone().into_builder().endpoint_url(url).build(),
        None => sdk.clone(),
    }
}
