//! One call of the API: what is asked, the body as it came, and what a failure means.

use std::sync::Arc;

use aws_sdk_partnercentralselling::config::interceptors::AfterDeserializationInterceptorContextRef;
use aws_sdk_partnercentralselling::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_partnercentralselling::error::{BoxError, DisplayErrorContext, ProvideErrorMetadata, SdkError};
use aws_sdk_partnercentralselling::primitives::DateTime;
use aws_sdk_partnercentralselling::types::{
    EngagementSort, EngagementSortName, LastModifiedDate, OpportunityEngagementInvitationSort, OpportunityEngagementInvitationSortName,
    OpportunitySort, OpportunitySortName, ParticipantType, SolutionSort, SolutionSortName, SortOrder,
};
use aws_sdk_partnercentralselling::Client;
use bytes::Bytes;
use parking_lot::Mutex;

/// Records of a page.
const PAGE: i32 = 100;

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Call {
    /// Opportunities in the order of their last change, from an instant on (microseconds).
    ListOpportunities { after: Option<i64>, token: Option<String> },
    /// All solutions.
    ListSolutions { token: Option<String> },
    /// All engagements.
    ListEngagements { token: Option<String> },
    /// Invitations, newest first.
    ListInvitations { received: bool, token: Option<String> },
    /// Which resource belongs to which engagement.
    ListAssociations { token: Option<String> },
    /// One opportunity.
    GetOpportunity(String),
    /// AWS's side of one.
    GetSummary(String),
    /// One engagement.
    GetEngagement(String),
    /// One invitation.
    GetInvitation(String),
}

impl Call {
    /// For logs and Bronze's `_location`: `GetOpportunity/O123`.
    pub fn label(&self) -> String {
        match self {
            Self::ListOpportunities { .. } => "ListOpportunities".into(),
            Self::ListSolutions { .. } => "ListSolutions".into(),
            Self::ListEngagements { .. } => "ListEngagements".into(),
            Self::ListInvitations { .. } => "ListEngagementInvitations".into(),
            Self::ListAssociations { .. } => "ListEngagementResourceAssociations".into(),
            Self::GetOpportunity(id) => format!("GetOpportunity/{id}"),
            Self::GetSummary(id) => format!("GetAwsOpportunitySummary/{id}"),
            Self::GetEngagement(id) => format!("GetEngagement/{id}"),
            Self::GetInvitation(id) => format!("GetEngagementInvitation/{id}"),
        }
    }

    fn is_get(&self) -> bool {
        matches!(self, Self::GetOpportunity(_) | Self::GetSummary(_) | Self::GetEngagement(_) | Self::GetInvitation(_))
    }
}

/// A body as it came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// JSON.
    pub body: Bytes,
    /// The source's id of the request.
    pub request_id: Option<String>,
}

/// What a failed call means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallError {
    /// There is no such record, or none any more.
    Gone,
    /// The source refuses this one record: why.
    Refused(String),
    /// The token of a list is not good any more.
    BadToken,
    /// Too many calls.
    Throttled(String),
    /// The session is over: get in anew.
    Expired(String),
    /// Trying again can help.
    Again(String),
    /// A person must change something first.
    Fatal(String),
}

/// Keeps the body of one answer: what the SDK makes of it would lose what it does not know.
#[derive(Clone, Debug, Default)]
struct Capture(Arc<Mutex<Answer>>);

impl Intercept for Capture {
    fn name(&self) -> &'static str {
        "Capture"
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let response = context.response();
        let body = response.body().bytes().filter(|_| response.status().is_success());
        let request_id = response.headers().get("x-amzn-requestid").map(str::to_owned);
        *self.0.lock() = Answer { body: body.map(Bytes::copy_from_slice).unwrap_or_default(), request_id };
        Ok(())
    }
}

/// Makes one call, once.
pub async fn call(client: &Client, catalog: &str, call: &Call) -> Result<Answer, CallError> {
    let kept = Capture::default();
    macro_rules! send {
        ($operation:expr) => {
            told(&kept, call, $operation.catalog(catalog).customize().interceptor(kept.clone()).send().await)
        };
    }
    let order = |e: aws_sdk_partnercentralselling::error::BuildError| CallError::Fatal(e.to_string());
    match call {
        Call::ListOpportunities { after, token } => {
            let sort = OpportunitySort::builder().sort_by(OpportunitySortName::LastModifieddate).sort_order(SortOrder::Ascending);
            let since = after.map(|us| {
                let at = DateTime::from_nanos(i128::from(us) * 1_000).unwrap_or(DateTime::from_secs(0));
                LastModifiedDate::builder().after_last_modified_date(at).build()
            });
            let list = client.list_opportunities().max_results(PAGE).sort(sort.build().map_err(order)?);
            send!(list.set_last_modified_date(since).set_next_token(token.clone()))
        }
        Call::ListSolutions { token } => {
            let sort = SolutionSort::builder().sort_by(SolutionSortName::Identifier).sort_order(SortOrder::Ascending);
            send!(client.list_solutions().max_results(PAGE).sort(sort.build().map_err(order)?).set_next_token(token.clone()))
        }
        Call::ListEngagements { token } => {
            let sort = EngagementSort::builder().sort_by(EngagementSortName::CreatedDate).sort_order(SortOrder::Ascending);
            send!(client.list_engagements().max_results(PAGE).sort(sort.build().map_err(order)?).set_next_token(token.clone()))
        }
        Call::ListInvitations { received, token } => {
            let sort = OpportunityEngagementInvitationSort::builder()
                .sort_by(OpportunityEngagementInvitationSortName::InvitationDate)
                .sort_order(SortOrder::Descending);
            let side = if *received { ParticipantType::Receiver } else { ParticipantType::Sender };
            let list = client.list_engagement_invitations().max_results(PAGE).sort(sort.build().map_err(order)?);
            send!(list.participant_type(side).set_next_token(token.clone()))
        }
        Call::ListAssociations { token } => {
            send!(client.list_engagement_resource_associations().max_results(PAGE).set_next_token(token.clone()))
        }
        Call::GetOpportunity(id) => send!(client.get_opportunity().identifier(id)),
        Call::GetSummary(id) => send!(client.get_aws_opportunity_summary().related_opportunity_identifier(id)),
        Call::GetEngagement(id) => send!(client.get_engagement().identifier(id)),
        Call::GetInvitation(id) => send!(client.get_engagement_invitation().identifier(id)),
    }
}

fn told<O, E>(kept: &Capture, call: &Call, sent: Result<O, SdkError<E>>) -> Result<Answer, CallError>
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    let answer = std::mem::take(&mut *kept.0.lock());
    // A body that came whole is good even where the SDK cannot read all of it.
    let is_whole = !answer.body.is_empty() && serde_json::from_slice::<&serde_json::value::RawValue>(&answer.body).is_ok();
    match sent {
        Ok(_) if is_whole => Ok(answer),
        Ok(_) => Err(CallError::Again(format!("{}: the answer is no JSON", call.label()))),
        Err(SdkError::ResponseError(_)) if is_whole => Ok(answer),
        Err(e) => {
            let meta = e.as_service_error().map(ProvideErrorMetadata::meta);
            let code = meta.and_then(|m| m.code()).unwrap_or_default();
            let message = meta.and_then(|m| m.message()).unwrap_or_default();
            let status = e.raw_response().map(|r| r.status().as_u16());
            let whole = DisplayErrorContext(&e).to_string();
            Err(judge(call, code, message, status, is_way_in(&e), &whole))
        }
    }
}

/// Whether the request could not even be signed.
fn is_way_in<E>(e: &SdkError<E>) -> bool {
    match e {
        SdkError::DispatchFailure(d) => d.as_connector_error().is_none_or(|c| c.is_user()),
        SdkError::ConstructionFailure(_) => true,
        _ => false,
    }
}

/// What a failure means: pure.
fn judge(call: &Call, code: &str, message: &str, status: Option<u16>, way_in: bool, whole: &str) -> CallError {
    let text = if code.is_empty() { format!("{}: {whole}", call.label()) } else { format!("{}: {code}: {message}", call.label()) };
    match code {
        "ThrottlingException" | "TooManyRequestsException" | "RequestLimitExceeded" | "Throttling" => CallError::Throttled(text),
        "ExpiredTokenException" | "ExpiredToken" | "InvalidClientTokenId" | "UnrecognizedClientException" => CallError::Expired(text),
        "ResourceNotFoundException" if call.is_get() => CallError::Gone,
        "AccessDeniedException" | "ValidationException" if call.is_get() => CallError::Refused(text),
        "ValidationException" if message.contains("oken") => CallError::BadToken,
        "AccessDeniedException" | "ValidationException" | "UnknownOperationException" => CallError::Fatal(text),
        "" if status == Some(429) => CallError::Throttled(text),
        "" if way_in => CallError::Expired(text),
        _ => CallError::Again(text),
    }
}

#[cfg(test)]
#[path = "api_tests.rs"]
mod tests;
