//! What failures of the API mean.

use super::{judge, Call, CallError};

fn get() -> Call {
    Call::GetOpportunity("O1".into())
}

fn list() -> Call {
    Call::ListOpportunities { after: None, token: Some("t".into()) }
}

#[test]
fn each_failure_has_one_meaning() {
    let of = |call: &Call, code: &str, message: &str, status| judge(call, code, message, status, false, "whole");
    assert!(
        matches!(of(&get(), "ThrottlingException", "slow down", Some(400)), CallError::Throttled(t) if t == "GetOpportunity/O1: ThrottlingException: slow down")
    );
    assert_eq!(of(&get(), "ResourceNotFoundException", "no", Some(400)), CallError::Gone);
    assert!(matches!(of(&get(), "AccessDeniedException", "limited", Some(400)), CallError::Refused(_)));
    assert!(matches!(of(&list(), "AccessDeniedException", "no", Some(400)), CallError::Fatal(_)));
    assert!(matches!(of(&list(), "ExpiredTokenException", "over", Some(400)), CallError::Expired(_)));
    assert_eq!(of(&list(), "ValidationException", "NextToken is invalid", Some(400)), CallError::BadToken);
    assert!(matches!(of(&list(), "ValidationException", "Catalog is invalid", Some(400)), CallError::Fatal(_)));
    assert!(matches!(of(&get(), "InternalServerException", "oops", Some(500)), CallError::Again(_)));
    assert!(matches!(of(&get(), "", "", Some(503)), CallError::Again(t) if t.ends_with("whole")));
    assert!(matches!(judge(&get(), "", "", None, true, "no credentials"), CallError::Expired(_)));
}
