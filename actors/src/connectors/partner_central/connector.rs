//! The connector kind `partner_central`.

use std::sync::Arc;

use async_trait::async_trait;
use lakewright_proto::{Error, ErrorCode, SourcePosition, TenantId};
use lakewright_storage::catalog::records::{QuotaClass, RunScope, BACKFILL_SHARD};
use serde_json::{json, Value};

use super::api::Call;
use super::caller::{Caller, Ended};
use super::changes::ChangesReader;
use super::config::Config;
use super::lists::ListReader;
use super::pace::quota_name;
use super::position::Position;
use super::streams::Stream;
use super::{credentials, pages};
use crate::connectors::reach::SourceReach;
use crate::connectors::{Connector, ConnectorKind, OpenShard, ShardReader, SourceError, SourceHost, SourceShard, StreamInfo, StreamPlan};

/// The kind.
pub struct PartnerCentralKind;

#[async_trait]
impl ConnectorKind for PartnerCentralKind {
    fn name(&self) -> &'static str {
        "partner_central"
    }

    fn check(&self, config: &Value) -> Vec<String> {
        Config::parse(config).err().unwrap_or_default()
    }

    fn out_of_reach(&self, config: &Value, tenant: TenantId, reach: &SourceReach) -> Vec<String> {
        Config::parse(config).map_or_else(|faults| faults, |c| c.out_of_reach(tenant, reach))
    }

    fn secret_keys(&self) -> &'static [&'static str] {
        &["secret_access_key", "session_token", "external_id"]
    }

    /// The account's id, by STS where it is not given: quotas and keys belong to it.
    async fn complete(&self, config: Value) -> Result<Value, SourceError> {
        let parsed = Config::parse(&config).map_err(|faults| SourceError::Fatal(faults.join("; ")))?;
        let account = match &parsed.account_id {
            Some(account) => account.clone(),
            None => credentials::account_id(&parsed).await?,
        };
        let mut config = config;
        if let Some(object) = config.as_object_mut() {
            object.insert("account_id".into(), json!(account));
            object.entry("key_scope").or_insert_with(|| json!(account));
        }
        Ok(config)
    }

    fn build(&self, config: &Value, host: Arc<dyn SourceHost>) -> Result<Box<dyn Connector>, Error> {
        let invalid = |text: String| Error::new(ErrorCode::InvalidArgument, format!("partner_central: {text}"));
        let parsed = Config::parse(config).map_err(|faults| invalid(faults.join("; ")))?;
        let account = parsed.account_id.clone().ok_or_else(|| invalid("account_id is missing".into()))?;
        let outer_scope = config.get("key_scope").and_then(Value::as_str).unwrap_or(&account).to_owned();
        let scope = parsed.scope(Some(&outer_scope));
        let config = Arc::new(parsed);
        let caller = Arc::new(Caller::new(Arc::clone(&config), &account, Arc::clone(&host)));
        Ok(Box::new(PartnerCentral { source: Arc::new(Source { config, caller, host, account, scope, outer_scope }) }))
    }
}

/// What every reader of a connector shares.
pub struct Source {
    /// The configuration.
    pub config: Arc<Config>,
    /// The way to the API.
    pub caller: Arc<Caller>,
    /// The node.
    pub host: Arc<dyn SourceHost>,
    /// The account.
    pub account: String,
    /// The key scope of records that name their catalog, and of those that do not.
    scope: String,
    outer_scope: String,
}

impl Source {
    /// The key scope within which a stream's keys are known; none: they have one of their own each.
    pub fn known_scope(&self, stream: Stream) -> Option<&str> {
        (stream != Stream::Association).then(|| self.scope_of(stream))
    }

    /// The key scope of a stream's records: bodies of engagements and invitations do not name their catalog as a key.
    pub fn scope_of(&self, stream: Stream) -> &str {
        match stream {
            Stream::Engagement | Stream::Invitation | Stream::Association => &self.outer_scope,
            Stream::Opportunity | Stream::AwsSummary | Stream::Solution => &self.scope,
        }
    }
}

struct PartnerCentral {
    source: Arc<Source>,
}

impl PartnerCentral {
    fn stream(&self, name: &str) -> Result<Stream, SourceError> {
        let streams = &self.source.config.streams;
        Stream::named(name).filter(|s| streams.contains(s)).ok_or_else(|| {
            let known: Vec<_> = streams.iter().map(|s| s.name()).collect();
            SourceError::Fatal(format!("there is no stream {name:?}; there are {}", known.join(", ")))
        })
    }
}

#[async_trait]
impl Connector for PartnerCentral {
    async fn test(&self) -> Result<String, SourceError> {
        let source = &self.source;
        let call = Call::ListOpportunities { after: None, token: None };
        let answer = source.caller.call(&call, QuotaClass::Live, 1).await.map_err(ended)?;
        let page = pages::parse(Stream::Opportunity, &answer.body).map_err(SourceError::Fatal)?;
        let some = if page.token.is_some() { "at least " } else { "" };
        let (own, all) = source.host.quota_used(&quota_name(&source.account))?;
        Ok(format!(
            "account {} can be read in catalog {}: {some}{} opportunities; of {} calls in 24 hours {own} are used by this tenant and {} are left",
            source.account,
            source.config.catalog,
            page.items.len(),
            source.config.reads_per_day,
            u64::from(source.config.reads_per_day).saturating_sub(all),
        ))
    }

    async fn discover(&self) -> Result<Vec<StreamInfo>, SourceError> {
        Ok(self.source.config.streams.iter().map(|s| s.info()).collect())
    }

    async fn shards(&self, stream: &str, scope: RunScope) -> Result<Vec<SourceShard>, SourceError> {
        self.stream(stream)?;
        let key = if scope == RunScope::Backfill { BACKFILL_SHARD } else { "0" };
        Ok(vec![SourceShard { key: key.to_owned(), parents: Vec::new() }])
    }

    async fn open(&self, open: OpenShard) -> Result<Box<dyn ShardReader>, SourceError> {
        let stream = self.stream(&open.stream)?;
        let mut position = Position::decode(open.position.as_ref())?;
        if open.scope == RunScope::Backfill && position.scan != open.scan {
            position = Position { scan: open.scan, ..Position::default() };
        }
        let source = Arc::clone(&self.source);
        Ok(if stream.is_listed_whole() {
            Box::new(ListReader::new(source, stream, open.scope, open.scan, position))
        } else {
            Box::new(ChangesReader::new(source, stream, open.scope, open.scan, position))
        })
    }

    async fn plan(&self, stream: &str, position: Option<&SourcePosition>, scope: RunScope) -> Result<StreamPlan, SourceError> {
        super::plan::plan(&self.source, self.stream(stream)?, &Position::decode(position)?, scope).await
    }

    fn streams_share_fate(&self) -> bool {
        false
    }
}

/// The urgency of a run's calls.
pub fn class(scope: RunScope) -> QuotaClass {
    match scope {
        RunScope::Incremental => QuotaClass::Live,
        RunScope::Full => QuotaClass::Sweep,
        RunScope::Backfill => QuotaClass::Backfill,
    }
}

/// A call of which nothing but an answer is expected.
pub fn ended(e: Ended) -> SourceError {
    match e {
        Ended::Failed(e) => e,
        Ended::Wait(wait, why) => {
            SourceError::Retry { message: format!("{why}; try again in {} s", wait.as_secs().max(1)), after: Some(wait) }
        }
        Ended::Refused(why) => SourceError::Fatal(why),
        Ended::Gone => SourceError::Fatal("the source knows no such record".into()),
        Ended::BadToken => SourceError::Retry { message: "a list's token is not good any more".into(), after: None },
    }
}
