//! Lists as they are recorded, and as they should not be.
#![expect(clippy::unwrap_used, reason = "tests")]

use super::{instant, instant_text, parse};
use crate::connectors::partner_central::streams::Stream;

#[test]
fn entries_are_read_whatever_else_is_in_them() {
    let body = br#"{"OpportunitySummaries":[
        {"Id":"O1","LastModifiedDate":"2025-11-03T03:16:07.038Z","LifeCycle":null,"New":{"a":[1]}},
        {"Id":"O2","LastModifiedDate":null}, {"Id":null}, {"Id":7}, null], "NextToken":"t"}"#;
    let page = parse(Stream::Opportunity, body).unwrap();
    let ids: Vec<_> = page.items.iter().map(|i| (i.id.as_str(), i.changed)).collect();
    assert_eq!(ids, [("O1", Some(1_762_139_767_038_000)), ("O2", None)]);
    assert_eq!((page.token.as_deref(), page.unreadable), (Some("t"), 3));
    assert!(page.items[0].raw.contains("\"New\":{\"a\":[1]}"));
}

#[test]
fn the_end_of_a_list_has_no_token_an_empty_one_or_null() {
    for token in ["", ",\"NextToken\":null", ",\"NextToken\":\"\""] {
        let page = parse(Stream::Solution, format!("{{\"SolutionSummaries\":[]{token}}}").as_bytes()).unwrap();
        assert_eq!((page.items.len(), page.token), (0, None));
    }
    assert!(parse(Stream::Invitation, b"{}").unwrap().items.is_empty());
    assert!(parse(Stream::Invitation, b"{\"Summaries\":[]}").is_err());
    // Without its member a list is not an empty one: all that is known would be gone.
    assert!(parse(Stream::Solution, b"{}").is_err());
    // A list that goes on and has no entries is not understood.
    assert!(parse(Stream::Solution, b"{\"NextToken\":\"t\"}").is_err());
    assert!(parse(Stream::Solution, b"[]").is_err());
    assert!(parse(Stream::Solution, b"{\"SolutionSummaries\":7}").is_err());
}

#[test]
fn recorded_lists_have_their_entries() {
    let recorded: [(Stream, &[u8], usize); 6] = [
        (Stream::Opportunity, include_bytes!("../../../../tests/fixtures/pc_ListOpportunities.json"), 1),
        (Stream::Solution, include_bytes!("../../../../tests/fixtures/pc_ListSolutions.json"), 5),
        (Stream::Engagement, include_bytes!("../../../../tests/fixtures/pc_ListEngagements.json"), 2),
        (Stream::Invitation, include_bytes!("../../../../tests/fixtures/pc_ListEngagementInvitations.json"), 2),
        (Stream::Invitation, include_bytes!("../../../../tests/fixtures/pc_aws_referral_ListEngagementInvitations.json"), 6),
        (Stream::Association, include_bytes!("../../../../tests/fixtures/pc_ListEngagementResourceAssociations.json"), 1),
    ];
    for (stream, body, entries) in recorded {
        let page = parse(stream, body).unwrap();
        assert_eq!((page.items.len(), page.unreadable), (entries, 0), "{}", stream.name());
    }
}

#[test]
fn associations_are_keyed_by_both_sides() {
    let body = br#"{"EngagementResourceAssociationSummaries":[{"EngagementId":"eng-1","ResourceId":"O1","ResourceType":"Opportunity"}]}"#;
    assert_eq!(parse(Stream::Association, body).unwrap().items[0].id, "eng-1/O1");
}

#[test]
fn instants_go_there_and_back() {
    for text in ["2025-11-03T03:16:07.038Z", "2026-05-01T00:00:00Z", "2025-11-03T04:16:07.038+01:00"] {
        let us = instant(text).unwrap();
        assert_eq!(instant(&instant_text(us)), Some(us));
    }
    assert_eq!(instant("yesterday"), None);
}
