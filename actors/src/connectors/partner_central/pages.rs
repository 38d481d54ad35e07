//! What lists say: of each entry its key, when it changed, and its bytes.

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::streams::Stream;

/// An entry of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// The record's key.
    pub id: String,
    /// When it changed, microseconds since 1970, where the list tells it.
    pub changed: Option<i64>,
    /// The entry as it came.
    pub raw: String,
}

/// A page of a list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// Its entries.
    pub items: Vec<Item>,
    /// The way to the next page; none: this was the last.
    pub token: Option<String>,
    /// Entries that have no key, or are not what an entry should be.
    pub unreadable: usize,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Entry {
    id: Option<String>,
    resource_id: Option<String>,
    engagement_id: Option<String>,
    last_modified_date: Option<String>,
    modified_at: Option<String>,
    invitation_date: Option<String>,
}

/// The member of a list's answer that has the entries.
fn member(stream: Stream) -> &'static str {
    match stream {
        Stream::Opportunity | Stream::AwsSummary => "OpportunitySummaries",
        Stream::Solution => "SolutionSummaries",
        Stream::Engagement => "EngagementSummaryList",
        Stream::Invitation => "EngagementInvitationSummaries",
        Stream::Association => "EngagementResourceAssociationSummaries",
    }
}

/// Reads a list's answer.
pub fn parse(stream: Stream, body: &[u8]) -> Result<Page, String> {
    let whole: HashMap<String, &RawValue> = serde_json::from_slice(body).map_err(|e| format!("a list's answer cannot be read: {e}"))?;
    let token = whole.get("NextToken").and_then(|t| serde_json::from_str::<Option<String>>(t.get()).ok().flatten());
    let mut page = Page { token: token.filter(|t| !t.is_empty()), ..Page::default() };
    let Some(entries) = whole.get(member(stream)) else {
        // An answer that is not understood must not look like a source without records: those would be deleted. The
        // model lets invitations alone be left out.
        let is_empty = stream == Stream::Invitation && whole.keys().all(|k| k == "NextToken") && page.token.is_none();
        return if is_empty { Ok(page) } else { Err(format!("a list's answer has no {}", member(stream))) };
    };
    let entries: Option<Vec<&RawValue>> =
        serde_json::from_str(entries.get()).map_err(|e| format!("{} of a list's answer cannot be read: {e}", member(stream)))?;
    for raw in entries.into_iter().flatten() {
        let item = serde_json::from_str::<Entry>(raw.get()).ok().and_then(|entry| item(stream, entry, raw.get()));
        match item {
            Some(item) => page.items.push(item),
            None => page.unreadable += 1,
        }
    }
    Ok(page)
}

fn item(stream: Stream, entry: Entry, raw: &str) -> Option<Item> {
    let (id, changed) = match stream {
        Stream::Opportunity | Stream::AwsSummary => (entry.id?, entry.last_modified_date),
        Stream::Solution => (entry.id?, None),
        Stream::Engagement => (entry.id?, entry.modified_at),
        Stream::Invitation => (entry.id?, entry.invitation_date),
        Stream::Association => (format!("{}/{}", entry.engagement_id?, entry.resource_id?), None),
    };
    (!id.is_empty()).then(|| Item { id, changed: changed.as_deref().and_then(instant), raw: raw.to_owned() })
}

/// Microseconds since 1970 of an instant as the API writes it.
pub fn instant(text: &str) -> Option<i64> {
    chrono::DateTime::parse_from_rfc3339(text).ok().map(|t| t.timestamp_micros())
}

/// An instant as the API writes it.
pub fn instant_text(us: i64) -> String {
    chrono::DateTime::from_timestamp_micros(us).unwrap_or_default().to_rfc3339_opts(chrono::SecondsFormat::Micros, true)
}

#[cfg(test)]
#[path = "pages_tests.rs"]
mod tests;
