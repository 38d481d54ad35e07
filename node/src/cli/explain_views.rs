//! Explanations and marts as JSON values.

use lakewright_proto::admin as api;
use serde_json::{json, Value};

use super::views::time;

pub(super) fn mart(m: &api::Mart) -> Value {
    json!({
        "name": m.name, "description": m.description, "pack": m.pack, "grain": m.grain, "stale": m.stale, "built_at": time(&m.built_at),
        "as_of_date": m.as_of_date, "rows": m.rows, "snapshot": m.snapshot,
        "took_seconds": m.took.map(|d| d.seconds as f64 + f64::from(d.nanos) / 1e9),
    })
}

pub(super) fn origin(o: &api::RecordOrigin) -> Value {
    let text = String::from_utf8_lossy(&o.payload);
    json!({
        "address": o.address, "connector": o.connector, "stream": o.stream, "location": o.location, "request_id": o.request_id,
        "run_id": o.run_id, "bronze_commit": o.bronze_commit, "ingested_at": time(&o.ingested_at), "version": o.version, "pack": o.pack,
        "payload_bytes": o.payload_bytes, "expired": o.expired,
        "payload": serde_json::from_str::<Value>(&text).unwrap_or_else(|_| json!(text)),
    })
}

pub(super) fn row_change(c: &api::RowChange) -> Value {
    json!({ "change": c.change, "commit": c.commit, "at": time(&c.at), "value": parsed(&c.value_json) })
}

pub(super) fn explanation(e: &api::ExplainResponse) -> Value {
    let verdict = e.verdict.clone().unwrap_or_default();
    let mut v = json!({ "table": e.table, "row": parsed(&e.row_json), "truncated": e.truncated });
    let Some(fields) = v.as_object_mut() else { return v };
    if !e.column.is_empty() {
        fields.insert("column".into(), json!(e.column));
        fields.insert("value".into(), parsed(&e.value_json));
        fields.insert("made_by".into(), serde_json::from_str(&e.made_by).unwrap_or_else(|_| json!(e.made_by)));
    }
    if let Some(o) = &e.origin {
        fields.insert("origin".into(), origin(o));
        fields.insert("history".into(), e.history.iter().map(row_change).collect());
        let checks = json!({ "is_valid": verdict.is_valid, "failed_rules": verdict.failed_rules, "warnings": verdict.warnings, "flags": verdict.flags });
        fields.insert("checks".into(), checks);
    }
    if let Some(m) = &e.mart {
        fields.insert("mart".into(), mart(m));
    }
    if e.mart.is_some() || !e.contributing_json.is_empty() {
        fields.insert("contributing".into(), e.contributing_json.iter().map(|r| parsed(r)).collect());
    }
    v
}

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or(Value::Null)
}
