//! Answers of the admin API as JSON: what `--output json` prints, and what tables take their columns from.

use lakewright_proto::admin as api;
use prost_types::Timestamp;
use serde_json::{json, Value};

/// RFC 3339 in UTC; null where there is none.
pub(super) fn time(t: &Option<Timestamp>) -> Value {
    let at = t.as_ref().and_then(|t| chrono::DateTime::from_timestamp(t.seconds, u32::try_from(t.nanos).ok()?));
    at.map_or(Value::Null, |at| at.to_rfc3339_opts(chrono::SecondsFormat::Millis, true).into())
}

/// `TENANT_STATUS_ACTIVE` as `active`.
fn word(name: &str, prefix: &str) -> String {
    name.strip_prefix(prefix).unwrap_or(name).to_ascii_lowercase()
}

pub(super) fn text(s: &str) -> Value {
    if s.is_empty() {
        Value::Null
    } else {
        s.into()
    }
}

/// JSON that came as text; as text where it is none.
fn embedded(s: &str) -> Value {
    serde_json::from_str(s).unwrap_or_else(|_| text(s))
}

pub(super) fn tenant(t: &api::Tenant) -> Value {
    json!({
        "id": t.id, "slug": t.slug, "name": t.name,
        "plan": word(t.plan().as_str_name(), "TENANT_PLAN_"),
        "status": word(t.status().as_str_name(), "TENANT_STATUS_"),
        "created_at": time(&t.created_at), "pack": text(&t.pack),
    })
}

pub(super) fn user(u: &api::User) -> Value {
    json!({
        "id": u.id, "tenant_id": u.tenant_id, "email": u.email, "display_name": u.display_name,
        "status": word(u.status().as_str_name(), "USER_STATUS_"),
        "roles": u.roles().map(|r| word(r.as_str_name(), "ROLE_")).collect::<Vec<_>>(),
        "created_at": time(&u.created_at),
    })
}

pub(super) fn token(t: &api::Token) -> Value {
    let state = if t.revoked_at.is_some() { "revoked" } else { "valid" };
    json!({
        "id": t.id, "tenant_id": t.tenant_id, "user_id": t.user_id, "name": t.name, "state": state,
        "created_at": time(&t.created_at), "expires_at": time(&t.expires_at), "revoked_at": time(&t.revoked_at),
    })
}

pub(super) fn connector(c: &api::Connector) -> Value {
    let broken = c.broken.as_ref().map(|b| json!({ "reason": b.reason, "since": time(&b.since) }));
    json!({
        "id": c.id, "tenant_id": c.tenant_id, "name": c.name,
        "kind": word(c.kind().as_str_name(), "CONNECTOR_KIND_"),
        "config_json": embedded(&c.config_json),
        "status": word(c.status().as_str_name(), "CONNECTOR_STATUS_"),
        "broken": broken, "version": c.version, "created_at": time(&c.created_at),
        "shards": c.shards.iter().map(shard).collect::<Vec<_>>(),
    })
}

fn shard(s: &api::Shard) -> Value {
    json!({
        "id": s.id, "stream": s.stream, "key": s.key, "owner": s.owner, "epoch": s.epoch,
        "position": text(&s.position), "next_offset": s.next_offset, "ended": s.ended,
    })
}

pub(super) fn stream(s: &api::Stream) -> Value {
    json!({ "name": s.name, "description": s.description, "estimated_records": s.estimated_records, "estimated_bytes": s.estimated_bytes })
}

pub(super) fn run_status(s: api::RunStatus) -> String {
    word(s.as_str_name(), "RUN_STATUS_")
}

pub(super) fn outcomes(o: &api::Outcomes) -> Value {
    json!({ "inserted": o.inserted, "updated": o.updated, "deleted": o.deleted, "unchanged": o.unchanged, "stale": o.stale })
}

pub(super) fn run(r: &api::IngestionRun) -> Value {
    let c = r.counts.unwrap_or_default();
    json!({
        "id": r.id, "tenant_id": r.tenant_id, "connector_id": r.connector_id, "connector": r.connector, "entity": r.entity,
        "mode": word(r.mode().as_str_name(), "RUN_MODE_"), "scope": word(r.scope().as_str_name(), "RUN_SCOPE_"), "status": run_status(r.status()),
        "started_at": time(&r.started_at), "ended_at": time(&r.ended_at),
        "read": c.read, "bytes": c.bytes, "accepted": c.accepted, "rejected": c.rejected, "unmapped": c.unmapped,
        "ledger": r.ledger.iter().map(ledger).collect::<Vec<_>>(),
        "replay_of": text(&r.replay_of), "error": text(&r.error), "stats_json": embedded(&r.stats_json),
    })
}

pub(super) fn stream_plan(p: &api::StreamPlan) -> Value {
    let records = p.records.map(|n| if p.at_least { format!("at least {n}") } else { n.to_string() });
    json!({
        "stream": p.stream, "records": records, "at_least": p.at_least, "requests": p.requests,
        "seconds": p.takes.map(|d| d.seconds + i64::from(d.nanos > 0)), "done_at": time(&p.done_at),
        "detail": if p.error.is_empty() { &p.detail } else { &p.error },
    })
}

pub(super) fn ledger(l: &api::LedgerEntry) -> Value {
    let mut v = json!({ "entity": l.entity, "accepted": l.accepted, "rejected": l.rejected, "flagged": l.flagged, "warned": l.warned, "residue": l.residue });
    if let (Some(v), Value::Object(o)) = (v.as_object_mut(), outcomes(&l.outcomes.unwrap_or_default())) {
        v.extend(o);
    }
    v
}

pub(super) fn pack(p: &api::Pack) -> Value {
    json!({ "name": p.name, "hash": p.hash, "created_at": time(&p.created_at), "entities": p.entities, "pinned_by": p.pinned_by })
}

pub(super) fn plan(p: &api::PackPlanEntry) -> Value {
    json!({ "entity": p.entity, "action": word(p.action().as_str_name(), "PACK_PLAN_ACTION_"), "columns": p.columns, "left": p.left, "rules": p.rules, "reason": text(&p.reason) })
}

pub(super) fn layer(l: api::Layer) -> String {
    word(l.as_str_name(), "LAYER_")
}

/// The name of a table as in SQL.
pub(super) fn table_name(t: &api::Table) -> String {
    format!("{}.{}", layer(t.layer()), t.name)
}

pub(super) fn table(t: &api::Table) -> Value {
    json!({
        "table": table_name(t), "id": t.id, "tenant_id": t.tenant_id, "layer": layer(t.layer()), "name": t.name, "subject": t.subject,
        "rows": t.rows, "files": t.files, "bytes": t.bytes, "size": super::output::bytes(t.bytes), "version": t.version, "root": t.root,
        "created_at": time(&t.created_at), "updated_at": time(&t.updated_at), "pack": text(&t.pack),
    })
}

pub(super) fn column(c: &api::Column) -> Value {
    json!({ "id": c.id, "name": c.name, "type": c.r#type, "nullable": c.nullable, "system": c.system, "description": c.description })
}

pub(super) fn bucket(b: &api::Bucket) -> Value {
    json!({ "number": b.number, "owner": b.owner, "epoch": b.epoch, "watermark": b.watermark, "live_rows": b.live_rows, "lag_commits": b.lag_commits })
}

pub(super) fn score(s: &api::QualityScore) -> Value {
    json!({
        "entity": s.entity, "ingestion_run_id": s.ingestion_run_id, "connector_id": s.connector_id, "total_records": s.total_records,
        "valid_records": s.valid_records, "quality_score": s.quality_score, "flagged": s.flagged, "warned": s.warned,
        "run_started_at": time(&s.run_started_at),
    })
}

pub(super) fn quality_result(q: &api::QualityResult) -> Value {
    json!({
        "tenant_id": q.tenant_id, "connector_id": q.connector_id, "ingestion_run_id": q.ingestion_run_id, "entity": q.entity, "address": q.address,
        "source_key": text(&q.source_key), "is_valid": q.is_valid, "failed_rules": q.failed_rules, "warnings": q.warnings, "checked_at": time(&q.checked_at),
    })
}

pub(super) fn alert(a: &api::Alert) -> Value {
    json!({
        "at": time(&a.at), "kind": a.kind, "subject": a.subject, "message": a.message, "connector_id": text(&a.connector_id),
        "run_id": text(&a.run_id),
    })
}

pub(super) fn schedule(s: &api::Schedule) -> Value {
    json!({
        "connector": s.connector, "connector_id": s.connector_id, "cron": s.cron, "zone": s.zone, "jitter_seconds": s.jitter_seconds,
        "next_at": time(&s.next_at), "last_at": time(&s.last_at), "missed": s.missed, "last_error": text(&s.last_error),
        "created_at": time(&s.created_at),
    })
}

pub(super) fn webhook(w: &api::Webhook) -> Value {
    json!({
        "name": w.name, "url": w.url, "kinds": if w.kinds.is_empty() { "all".to_owned() } else { w.kinds.join(", ") }, "delivered": w.delivered,
        "given_up": w.given_up, "attempts": w.attempts, "retry_at": time(&w.retry_at), "last_error": text(&w.last_error),
        "created_at": time(&w.created_at), "tenant_id": w.tenant_id,
    })
}

pub(super) fn dead_letter(d: &api::DeadLetter) -> Value {
    json!({
        "address": d.address, "entity": text(&d.entity), "reason": d.reason, "detail": d.detail, "rule": text(&d.rule), "location": text(&d.location),
        "source_key": text(&d.source_key), "payload_bytes": d.payload_bytes, "payload_sha256": text(&d.payload_sha256), "pack": d.pack,
        "rejected_at": time(&d.rejected_at), "open": d.open, "ingestion_run_id": d.ingestion_run_id, "connector_id": d.connector_id, "tenant_id": d.tenant_id,
    })
}

pub(super) fn lineage_node(n: &api::LineageNode) -> Value {
    let facts: serde_json::Map<_, _> = n.facts.iter().map(|(k, v)| (k.clone(), Value::from(v.as_str()))).collect();
    json!({ "id": n.id, "kind": word(n.kind().as_str_name(), "LINEAGE_NODE_KIND_"), "label": n.label, "depth": n.depth, "facts": facts, "at": time(&n.at) })
}

pub(super) fn lineage_edge(e: &api::LineageEdge) -> Value {
    json!({ "from": e.from, "to": e.to, "job": e.job })
}

pub(super) fn audit(a: &api::AuditEntry) -> Value {
    json!({
        "at": time(&a.at), "tenant": text(&a.tenant), "principal": a.principal, "action": a.action, "refused": text(&a.refused), "command_id": a.command_id,
    })
}

pub(super) fn node(n: &api::Node) -> Value {
    let raft = n.raft.as_ref().map(|r| {
        json!({
            "role": word(r.role().as_str_name(), "RAFT_ROLE_"), "term": r.term, "leader": r.leader, "last_log": r.last_log, "last_applied": r.last_applied,
            "last_snapshot": r.last_snapshot, "last_purged": r.last_purged, "voters": r.voters,
        })
    });
    let layers: Vec<_> = n
        .layers
        .iter()
        .map(|l| json!({ "layer": layer(l.layer()), "tables": l.tables, "files": l.files, "rows": l.rows, "bytes": l.bytes }))
        .collect();
    let labels: serde_json::Map<_, _> = n.labels.iter().map(|(k, v)| (k.clone(), Value::from(v.as_str()))).collect();
    json!({
        "id": n.id, "name": n.name, "version": n.version, "cluster_id": n.cluster_id, "health": word(n.health().as_str_name(), "NODE_HEALTH_"),
        "problems": n.problems, "admin_address": n.admin_address, "flight_address": n.flight_address, "metrics_address": n.metrics_address,
        "storage_url": n.storage_url, "started_at": time(&n.started_at), "memory": super::output::bytes(n.memory_bytes), "memory_bytes": n.memory_bytes,
        "zone": text(&n.zone), "labels": labels, "raft": raft, "layers": layers,
    })
}
