//! A batch of records: bodies as they came, and what stands for a record that is gone or refused.

use arrow_array::builder::{BinaryViewBuilder, StringBuilder};
use serde_json::json;

use super::api::{Answer, Call};
use super::pages::instant_text;
use super::position::Position;
use super::streams::Stream;
use crate::connectors::{Fetch, PayloadFormat, RawBatch, SourceError, SourceNotice};

/// Records on their way into a batch.
#[derive(Default)]
pub struct Records {
    payload: BinaryViewBuilder,
    location: StringBuilder,
    request_id: StringBuilder,
    rows: usize,
    notices: Vec<SourceNotice>,
}

impl Records {
    /// Whether nothing is in it, not even something to be told.
    pub fn is_empty(&self) -> bool {
        self.rows == 0 && self.notices.is_empty()
    }

    /// A body that a Get brought.
    pub fn body(&mut self, call: &Call, answer: &Answer) {
        self.push(&answer.body, &call.label(), answer.request_id.as_deref());
    }

    /// An entry of a list.
    pub fn entry(&mut self, call: &Call, id: &str, raw: &str, request_id: Option<&str>) {
        self.push(raw.as_bytes(), &format!("{}/{id}", call.label()), request_id);
    }

    /// The record is gone. Of its version, if one is known: what is newer stays.
    pub fn gone(&mut self, stream: Stream, catalog: &str, id: &str, version: Option<i64>, reason: &str) {
        let mut payload = json!({ "Catalog": catalog, "_operation": "absent", "_reason": reason });
        if let Some(object) = payload.as_object_mut() {
            match id.split_once('/') {
                Some((engagement, resource)) if stream == Stream::Association => {
                    object.insert("EngagementId".into(), json!(engagement));
                    object.insert("ResourceId".into(), json!(resource));
                    object.insert("ResourceType".into(), json!("Opportunity"));
                }
                _ => {
                    object.insert(stream.id_field().into(), json!(id));
                }
            }
            match (stream, version) {
                (Stream::Opportunity, Some(v)) => object.insert("LastModifiedDate".into(), json!(instant_text(v))),
                (Stream::Engagement, Some(v)) => object.insert("ModifiedAt".into(), json!(instant_text(v))),
                _ => None,
            };
        }
        self.push(payload.to_string().as_bytes(), &format!("absent/{id}"), None);
    }

    /// The source lists the record and refuses to show it: the checks will reject what stands for it, with the reason.
    pub fn refused(&mut self, stream: Stream, catalog: &str, id: &str, version: Option<i64>, why: &str) {
        let payload = json!({ "Catalog": catalog, stream.id_field(): id, "LastModifiedDate": version.map(instant_text), "_refused": why });
        self.push(payload.to_string().as_bytes(), &format!("refused/{id}"), None);
        self.tell("record_refused", format!("{} {id} is listed, and the source refuses to show it: {why}", stream.name()));
    }

    /// Something that people should know.
    pub fn tell(&mut self, kind: &'static str, message: String) {
        self.notices.push(SourceNotice { kind, message });
    }

    fn push(&mut self, payload: &[u8], location: &str, request_id: Option<&str>) {
        self.payload.append_value(payload);
        self.location.append_value(location);
        self.request_id.append_option(request_id);
        self.rows += 1;
    }

    /// The batch with the position after it; what is to be told alone where there are no records.
    pub fn finish(mut self, position: &Position) -> Result<Fetch, SourceError> {
        if self.rows == 0 {
            return Ok(Fetch::Progress(position.encode()?, self.notices));
        }
        Ok(Fetch::Batch(RawBatch {
            format: PayloadFormat::Json,
            csv_header: None,
            payload: self.payload.finish(),
            location: Some(self.location.finish()),
            key: None,
            version: None,
            event_time: None,
            operation: None,
            request_id: Some(self.request_id.finish()),
            oversize: Vec::new(),
            notices: self.notices,
            position: position.encode()?,
        }))
    }
}
