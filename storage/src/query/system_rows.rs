//! The rows of the `system` tables. Each keeps to its tenant, and to the newest rows where there can be many.

use lakewright_proto::{CommitSeq, TableId, TenantId};

use super::names::Scope;
use super::rows::Kind::{self, Flag, Number, Text, Time};
use super::rows::{maybe, maybe_number, number, text, word, Cell};
use crate::catalog::keyspace::*;
use crate::catalog::records::*;
use crate::catalog::{LineageEdge, LineageNode, Read, View};
use crate::error::Result;
use crate::table::OutcomeCounts;

/// The most rows of a system table that may grow without end.
pub(super) const NEWEST: usize = 50_000;

pub(super) const RUN_COLUMNS: &[(&str, Kind)] = &[
    ("run_id", Text),
    ("connector_id", Text),
    ("connector", Text),
    ("entity", Text),
    ("mode", Text),
    ("status", Text),
    ("trigger", Text),
    ("replay_of", Text),
    ("started_at", Time),
    ("ended_at", Time),
    ("commits", Number),
    ("read", Number),
    ("accepted", Number),
    ("rejected", Number),
    ("unmapped", Number),
    ("flagged", Number),
    ("warned", Number),
    ("bytes", Number),
    ("inserted", Number),
    ("updated", Number),
    ("deleted", Number),
    ("unchanged", Number),
    ("stale", Number),
    ("exact", Flag),
    ("error", Text),
];

pub(super) const LINEAGE_COLUMNS: &[(&str, Kind)] = &[
    ("from_kind", Text),
    ("from_id", Text),
    ("to_kind", Text),
    ("to_id", Text),
    ("run_id", Text),
    ("connector_id", Text),
    ("stream", Text),
    ("shard", Number),
    ("from_position", Text),
    ("to_position", Text),
    ("commit_seq", Number),
    ("table", Text),
    ("bucket", Number),
    ("watermark", Number),
    ("job", Text),
];

type Rows = Result<Vec<Vec<Cell>>>;

pub(super) fn tenants(s: &Scope) -> Rows {
    let found = s.catalog.view().get::<Tenants>(&s.tenant)?;
    let row = |t: Tenant| vec![text(t.id), text(t.slug), text(t.name), text(t.plan), word(&t.status), number(t.created_at)];
    Ok(found.into_iter().map(row).collect())
}

pub(super) fn users(s: &Scope) -> Rows {
    let row = |u: User| {
        let roles: Vec<String> = u.roles.iter().filter_map(|r| if let Cell::Text(w) = word(r) { Some(w) } else { None }).collect();
        vec![text(u.id), text(u.email), text(u.display_name), text(roles.join(",")), word(&u.status), number(u.created_at)]
    };
    Ok(s.catalog.view().scan::<Users>(&s.tenant)?.into_iter().map(|(_, u)| row(u)).collect())
}

pub(super) fn connectors(s: &Scope) -> Rows {
    let row = |c: Connector| {
        let (reason, since) = match &c.status {
            ConnectorStatus::Broken { reason, since } => (Some(reason.clone()), Some(*since)),
            _ => (None, None),
        };
        vec![
            text(c.id),
            text(&c.name),
            text(&c.kind),
            word(&c.status),
            maybe(reason),
            maybe_number(since),
            text(&c.config_json),
            number(c.version),
            number(c.created_at),
        ]
    };
    Ok(s.catalog.view().scan::<Connectors>(&s.tenant)?.into_iter().map(|(_, c)| row(c)).collect())
}

fn tenant_shards(view: &View<'_>, tenant: TenantId) -> Result<Vec<Shard>> {
    let ids = view.scan::<SourceShards>(&tenant)?;
    let shards: Result<Vec<Option<Shard>>> = ids.into_iter().map(|(_, id)| view.get::<Shards>(&id)).collect();
    Ok(shards?.into_iter().flatten().collect())
}

pub(super) fn shards(s: &Scope) -> Rows {
    let row = |h: Shard| {
        vec![
            number(h.id.0),
            text(h.connector_id),
            text(h.stream),
            text(h.key),
            word(&h.status),
            maybe_number(h.owner.map(|o| o.0 as i64)),
            number(h.epoch.0),
            maybe(h.position),
            number(h.position_no),
            number(h.next_offset),
        ]
    };
    Ok(tenant_shards(&s.catalog.view(), s.tenant)?.into_iter().map(row).collect())
}

pub(super) fn runs(s: &Scope) -> Rows {
    let view = s.catalog.view();
    let names: std::collections::HashMap<_, _> = view.scan::<Connectors>(&s.tenant)?.into_iter().map(|((_, id), c)| (id, c.name)).collect();
    let row = |r: Run| {
        let mut o = OutcomeCounts::default();
        r.ledger.values().for_each(|l| o.add(&l.outcomes));
        let exact = matches!(r.status, RunStatus::Succeeded).then(|| r.is_exact());
        let c = r.counts;
        vec![
            text(r.id),
            text(r.connector_id),
            maybe(names.get(&r.connector_id)),
            text(&r.entity),
            word(&r.mode),
            word(&r.status),
            text(&r.trigger),
            maybe(r.replay_of),
            number(r.started_at),
            maybe_number(r.ended_at),
            number(r.commits),
            number(c.read),
            number(c.accepted),
            number(c.rejected),
            number(c.unmapped),
            number(c.flagged),
            number(c.warned),
            number(c.bytes),
            number(o.inserted),
            number(o.updated),
            number(o.deleted),
            number(o.unchanged),
            number(o.stale),
            exact.map_or(Cell::Null, Cell::Flag),
            maybe(r.error.as_ref()),
        ]
    };
    let mut all: Vec<Run> = view.scan::<Runs>(&s.tenant)?.into_iter().map(|(_, r)| r).collect();
    all.sort_by_key(|r| std::cmp::Reverse(r.started_at));
    all.truncate(NEWEST);
    Ok(all.into_iter().map(row).collect())
}

pub(super) fn tables(s: &Scope) -> Rows {
    let row = |t: Table| {
        vec![
            text(t.id),
            text(t.layer),
            text(t.name),
            text(t.subject),
            number(t.files),
            number(t.rows),
            number(t.bytes),
            number(t.buckets),
            maybe(t.pack),
            number(t.version),
            number(t.created_at),
            number(t.updated_at),
        ]
    };
    Ok(s.catalog.view().tables(s.tenant)?.into_iter().map(row).collect())
}

/// Edges out of the sources and out of Bronze, newest first.
pub(super) fn lineage(s: &Scope) -> Rows {
    let view = s.catalog.view();
    let names: std::collections::HashMap<TableId, String> =
        view.tables(s.tenant)?.into_iter().map(|t| (t.id, format!("{}.{}", t.layer, t.name))).collect();
    let mut commits: Vec<CommitSeq> = Vec::new();
    for shard in tenant_shards(&view, s.tenant)? {
        commits.extend(view.scan::<Offsets>(&shard.id)?.into_iter().map(|(_, seq)| seq));
    }
    for table in names.keys() {
        commits.extend(view.scan::<Queue>(table)?.into_iter().map(|((_, seq), ())| seq));
    }
    commits.sort_unstable_by_key(|c| std::cmp::Reverse(*c));
    commits.dedup();
    let mut out = Vec::new();
    for seq in commits {
        let commit = view.bronze_commit(seq)?;
        if commit.tenant_id != s.tenant {
            continue;
        }
        for e in view.bronze_inputs(&commit)?.into_iter().chain(view.bronze_outputs(&commit)?) {
            out.push(edge_row(&e, &commit, &names));
        }
        if out.len() >= NEWEST {
            break;
        }
    }
    Ok(out)
}

fn edge_row(e: &LineageEdge, commit: &BronzeCommit, names: &std::collections::HashMap<TableId, String>) -> Vec<Cell> {
    let id = |n: &LineageNode| match n {
        LineageNode::Source { connector, stream, shard, .. } => ("source", format!("{connector}/{stream}/{shard}")),
        LineageNode::Bronze { commit, .. } => ("bronze", commit.to_string()),
        LineageNode::Silver { table, bucket, to, .. } => ("silver", format!("{table}/{bucket}/{to}")),
        LineageNode::Gold { table, date } => ("gold", format!("{table}/{date}")),
    };
    let ((from_kind, from), (to_kind, to)) = (id(&e.from), id(&e.to));
    let positions = match &e.from {
        LineageNode::Source { from, to, .. } => (maybe(from.as_ref()), maybe(to.as_ref())),
        _ => (Cell::Null, Cell::Null),
    };
    let silver = match &e.to {
        LineageNode::Silver { table, bucket, to, job } => [maybe(names.get(table)), number(*bucket), number(to.0), text(job)],
        _ => [Cell::Null, Cell::Null, Cell::Null, Cell::Null],
    };
    let mut row = vec![
        text(from_kind),
        text(from),
        text(to_kind),
        text(to),
        text(commit.run),
        text(commit.connector_id),
        text(&commit.stream),
        number(commit.shard.0),
        positions.0,
        positions.1,
        number(commit.seq.0),
    ];
    row.extend(silver);
    row
}

pub(super) fn alerts(s: &Scope) -> Rows {
    let mut all = s.catalog.view().scan::<Alerts>(&s.tenant)?;
    all.reverse();
    all.truncate(NEWEST);
    let row = |a: Alert| vec![number(a.at), text(a.kind), text(a.subject), text(a.message), maybe(a.connector), maybe(a.run)];
    Ok(all.into_iter().map(|(_, a)| row(a)).collect())
}

pub(super) fn audit(s: &Scope) -> Rows {
    let mut own: Vec<AuditEntry> =
        s.catalog.view().all::<Audit>()?.into_iter().map(|(_, a)| a).filter(|a| a.tenant == Some(s.tenant)).collect();
    own.reverse();
    own.truncate(NEWEST);
    let row = |a: AuditEntry| {
        let done = Cell::Flag(a.refused.is_none());
        vec![number(a.at), text(a.principal), text(a.action), done, maybe(a.refused), text(a.command)]
    };
    Ok(own.into_iter().map(row).collect())
}

/// Of the client's last query that read a stored table.
pub(super) fn passport(s: &Scope) -> Vec<Vec<Cell>> {
    let Some(p) = s.last.as_deref() else { return Vec::new() };
    let real = |v: Option<f64>| v.map_or(Cell::Null, Cell::Real);
    let row = |t: &super::passport::TablePassport| {
        vec![
            number(p.at),
            number(p.snapshot),
            text(t.layer),
            text(&t.table),
            number(t.version),
            number(t.rows),
            maybe_number(t.fresh_as_of),
            real(p.age(t).map(|us| us as f64 / 1e6)),
            real(t.quality_score()),
            maybe(t.quality_run.as_ref()),
            maybe_number(t.open_dead_letters.and_then(|n| n.try_into().ok())),
        ]
    };
    p.tables.iter().map(row).collect()
}

pub(super) fn nodes(s: &Scope) -> Rows {
    let version = s.catalog.view().version()?;
    let o = &s.options;
    Ok(vec![vec![number(o.node.0), text(env!("CARGO_PKG_VERSION")), text(&o.flight_address), number(version)]])
}
