//! Catalog records as they are on the wire.

use lakewright_proto::{admin as pb, Layer};
use lakewright_storage::catalog::records::{
    Alert, Connector, ConnectorStatus, EntityLedger, Role, Run, RunMode, RunScope, RunStatus, Shard, Status, Table, Tenant, Token, User,
};
use lakewright_storage::table::OutcomeCounts;
use prost_types::Timestamp;

/// Microseconds since 1970 as a timestamp.
pub(super) fn time(us: i64) -> Timestamp {
    Timestamp { seconds: us.div_euclid(1_000_000), nanos: (us.rem_euclid(1_000_000) * 1_000) as i32 }
}

pub(super) fn tenant(t: &Tenant, pack: String) -> pb::Tenant {
    pb::Tenant {
        id: t.id.to_string(),
        slug: t.slug.clone(),
        name: t.name.clone(),
        plan: plan_code(&t.plan) as i32,
        status: match t.status {
            Status::Active => pb::TenantStatus::Active,
            Status::Suspended => pb::TenantStatus::Suspended,
        } as i32,
        created_at: Some(time(t.created_at)),
        pack,
    }
}

fn plan_code(plan: &str) -> pb::TenantPlan {
    match plan {
        "large" => pb::TenantPlan::Large,
        _ => pb::TenantPlan::Standard,
    }
}

pub(super) fn plan_name(plan: pb::TenantPlan) -> &'static str {
    match plan {
        pb::TenantPlan::Large => "large",
        _ => "standard",
    }
}

pub(super) fn role(r: Role) -> pb::Role {
    match r {
        Role::Admin => pb::Role::Admin,
        Role::Operator => pb::Role::Operator,
        Role::Engineer => pb::Role::Engineer,
        Role::Analyst => pb::Role::Analyst,
    }
}

pub(super) fn role_of(r: pb::Role) -> Option<Role> {
    Some(match r {
        pb::Role::Admin => Role::Admin,
        pb::Role::Operator => Role::Operator,
        pb::Role::Engineer => Role::Engineer,
        pb::Role::Analyst => Role::Analyst,
        pb::Role::Unspecified => return None,
    })
}

pub(super) fn user(u: &User) -> pb::User {
    pb::User {
        id: u.id.to_string(),
        tenant_id: u.tenant_id.to_string(),
        email: u.email.clone(),
        display_name: u.display_name.clone(),
        status: match u.status {
            Status::Active => pb::UserStatus::Active,
            Status::Suspended => pb::UserStatus::Suspended,
        } as i32,
        roles: u.roles.iter().map(|r| role(*r) as i32).collect(),
        created_at: Some(time(u.created_at)),
    }
}

pub(super) fn token(t: &Token) -> pb::Token {
    pb::Token {
        id: t.id.to_string(),
        tenant_id: t.tenant_id.to_string(),
        user_id: t.user_id.to_string(),
        name: t.name.clone(),
        created_at: Some(time(t.created_at)),
        expires_at: t.expires_at.map(time),
        revoked_at: t.revoked_at.map(time),
    }
}

pub(super) fn connector_kind(kind: &str) -> pb::ConnectorKind {
    pb::ConnectorKind::from_str_name(&format!("CONNECTOR_KIND_{}", kind.to_ascii_uppercase())).unwrap_or_default()
}

pub(super) fn connector(c: &Connector, secrets: &[&str], shards: Vec<Shard>) -> pb::Connector {
    let mut config: serde_json::Value = serde_json::from_str(&c.config_json).unwrap_or_default();
    if let Some(object) = config.as_object_mut() {
        for key in secrets {
            if object.contains_key(*key) {
                object.insert((*key).to_owned(), "***".into());
            }
        }
    }
    let (status, broken) = match &c.status {
        ConnectorStatus::Active => (pb::ConnectorStatus::Active, None),
        ConnectorStatus::Paused => (pb::ConnectorStatus::Paused, None),
        ConnectorStatus::Broken { reason, since } => {
            (pb::ConnectorStatus::Broken, Some(pb::Broken { reason: reason.clone(), since: Some(time(*since)) }))
        }
    };
    pb::Connector {
        id: c.id.to_string(),
        tenant_id: c.tenant_id.to_string(),
        name: c.name.clone(),
        kind: connector_kind(&c.kind) as i32,
        config_json: config.to_string(),
        status: status as i32,
        broken,
        created_at: Some(time(c.created_at)),
        version: c.version,
        shards: shards.into_iter().map(shard).collect(),
    }
}

fn shard(s: Shard) -> pb::Shard {
    pb::Shard {
        id: s.id.0,
        stream: s.stream,
        key: s.key,
        owner: s.owner.map_or(0, |n| n.0),
        epoch: s.epoch.0,
        position: s.position.map(|p| p.0).unwrap_or_default(),
        next_offset: s.next_offset,
        ended: s.status == lakewright_storage::catalog::records::ShardStatus::Ended,
    }
}

pub(super) fn run_status(s: RunStatus) -> pb::RunStatus {
    match s {
        RunStatus::Running => pb::RunStatus::Running,
        RunStatus::Settling => pb::RunStatus::Settling,
        RunStatus::Succeeded => pb::RunStatus::Succeeded,
        RunStatus::Failed => pb::RunStatus::Failed,
        RunStatus::Cancelled => pb::RunStatus::Cancelled,
    }
}

pub(super) fn outcomes(o: &OutcomeCounts) -> pb::Outcomes {
    pb::Outcomes { inserted: o.inserted, updated: o.updated, deleted: o.deleted, unchanged: o.unchanged, stale: o.stale }
}

pub(super) fn run(r: &Run, connector: &str) -> pb::IngestionRun {
    let ledger = r.ledger.iter().map(|(entity, l)| ledger_entry(entity, l)).collect();
    pb::IngestionRun {
        id: r.id.to_string(),
        tenant_id: r.tenant_id.to_string(),
        connector_id: r.connector_id.to_string(),
        entity: r.entity.clone(),
        mode: match r.mode {
            RunMode::Batch => pb::RunMode::Batch,
            RunMode::Streaming => pb::RunMode::Streaming,
        } as i32,
        status: run_status(r.status) as i32,
        stats_json: stats_json(r),
        started_at: Some(time(r.started_at)),
        ended_at: r.ended_at.map(time),
        replay_of: r.replay_of.map(|r| r.to_string()).unwrap_or_default(),
        error: r.error.clone().unwrap_or_default(),
        connector: connector.to_owned(),
        counts: Some(pb::RunCounts {
            read: r.counts.read,
            bytes: r.counts.bytes,
            unmapped: r.counts.unmapped,
            rejected: r.counts.rejected,
            accepted: r.counts.accepted,
        }),
        ledger,
        scope: run_scope(r.scope) as i32,
    }
}

fn run_scope(scope: RunScope) -> pb::RunScope {
    match scope {
        RunScope::Incremental => pb::RunScope::Incremental,
        RunScope::Full => pb::RunScope::Full,
        RunScope::Backfill => pb::RunScope::Backfill,
    }
}

fn ledger_entry(entity: &str, l: &EntityLedger) -> pb::LedgerEntry {
    pb::LedgerEntry {
        entity: entity.to_owned(),
        accepted: l.checked.accepted,
        rejected: l.checked.rejected,
        flagged: l.checked.flagged,
        warned: l.checked.warned,
        outcomes: Some(outcomes(&l.outcomes)),
        residue: l.residue(),
    }
}

pub(super) fn alert(a: &Alert) -> pb::Alert {
    pb::Alert {
        at: Some(time(a.at)),
        kind: a.kind.clone(),
        subject: a.subject.clone(),
        message: a.message.clone(),
        connector_id: a.connector.map(|c| c.to_string()).unwrap_or_default(),
        run_id: a.run.map(|r| r.to_string()).unwrap_or_default(),
    }
}

/// The run's `stats_json`: what the user's document asks for in one value.
pub(super) fn stats_json(r: &Run) -> String {
    serde_json::json!({
        "trigger": r.trigger,
        "commits": r.commits,
        "last_commit": r.last_commit,
        "counts": r.counts,
        "ledger": r.ledger,
        "exact": r.is_exact(),
    })
    .to_string()
}

pub(super) fn layer(l: Layer) -> pb::Layer {
    match l {
        Layer::Bronze => pb::Layer::Bronze,
        Layer::Silver => pb::Layer::Silver,
        Layer::Gold => pb::Layer::Gold,
        Layer::Platinum => pb::Layer::Platinum,
        Layer::System => pb::Layer::System,
    }
}

pub(super) fn layer_of(l: pb::Layer) -> Option<Layer> {
    Some(match l {
        pb::Layer::Bronze => Layer::Bronze,
        pb::Layer::Silver => Layer::Silver,
        pb::Layer::Gold => Layer::Gold,
        pb::Layer::Platinum => Layer::Platinum,
        pb::Layer::System => Layer::System,
        pb::Layer::Unspecified => return None,
    })
}

pub(super) fn table(t: &Table) -> pb::Table {
    pb::Table {
        id: t.id.to_string(),
        tenant_id: t.tenant_id.to_string(),
        layer: layer(t.layer) as i32,
        name: t.name.clone(),
        subject: t.subject.clone(),
        root: t.root.clone(),
        rows: t.rows,
        files: t.files,
        bytes: t.bytes,
        version: t.version,
        created_at: Some(time(t.created_at)),
        updated_at: Some(time(t.updated_at)),
        pack: t.pack.clone().unwrap_or_default(),
    }
}
