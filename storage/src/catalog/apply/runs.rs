//! Runs: opened with their shards, settled when Silver has consumed them, then sealed.

use lakewright_proto::{CommitSeq, ConnectorId, ErrorCode, RunId, ShardEpoch, ShardId, TableId, TenantId};

use super::super::command::{Command, Reply};
use super::super::keyspace::*;
use super::super::records::*;
use super::super::tx::{refuse, ApplyError, Tx};
use super::super::view::Read;
use super::tables::ensure_table;
use crate::table::StreamCounts;

pub(super) fn start(tx: &mut Tx<'_>, command: &Command) -> Result<Reply, ApplyError> {
    let Command::StartRun { run, tenant, connector, stream, mode, trigger, replay_of, bronze, shards, scope } = command else {
        return refuse(ErrorCode::Internal, "not a command of runs");
    };
    let c = tx.need::<Connectors>(&(*tenant, *connector), || format!("connector {connector}"))?;
    match &c.status {
        ConnectorStatus::Active => {}
        ConnectorStatus::Paused => {
            return refuse(ErrorCode::Conflict, format!("connector {:?} is paused; `lakewright connector resume {}`", c.name, c.name))
        }
        ConnectorStatus::Broken { reason, .. } => {
            return refuse(
                ErrorCode::Conflict,
                format!("connector {:?} is broken ({reason}); mend it, then `lakewright connector clear-broken {}`", c.name, c.name),
            )
        }
    }
    let open_key = (*tenant, *connector, scope.open_name(stream));
    if let (Some(open), None) = (tx.get::<OpenRuns>(&open_key)?, replay_of) {
        return refuse(ErrorCode::AlreadyExists, format!("run {open} of {}/{stream} is still reading; wait for it or cancel it", c.name));
    }
    super::control::fresh(tx.get::<Runs>(&(*tenant, *run))?.is_none(), "run", run)?;
    if tx.need::<Tenants>(tenant, || "the run's tenant".into())?.status == Status::Suspended {
        return refuse(ErrorCode::PermissionDenied, "the tenant is suspended; an administrator has to activate it first");
    }
    if let Some(first) = replay_of {
        tx.need::<Runs>(&(*tenant, *first), || format!("run {first}, to be replayed,"))?;
    }
    let table = ensure_table(tx, *tenant, bronze, None)?;
    let mut cluster = tx.cluster()?;
    cluster.last_scan += 1;
    let mut ids = Vec::with_capacity(shards.len());
    for (key, parents) in shards {
        let source = (*tenant, *connector, stream.clone(), key.clone());
        let id = match tx.get::<SourceShards>(&source)? {
            Some(id) => id,
            None => {
                cluster.last_shard += 1;
                let id = ShardId(cluster.last_shard);
                tx.put::<SourceShards>(&source, &id)?;
                tx.put::<Shards>(&id, &new_shard(id, *tenant, *connector, stream, key, parents, table))?;
                id
            }
        };
        ids.push(id);
    }
    let scan = cluster.last_scan;
    tx.put_cluster(&cluster)?;
    let record = Run {
        id: *run,
        tenant_id: *tenant,
        connector_id: *connector,
        entity: stream.clone(),
        mode: *mode,
        status: RunStatus::Running,
        trigger: trigger.clone(),
        replay_of: *replay_of,
        started_at: tx.now,
        ended_at: None,
        scan,
        commits: 0,
        last_commit: CommitSeq(0),
        counts: StreamCounts::default(),
        ledger: Default::default(),
        feeds: Vec::new(),
        error: None,
        scope: *scope,
    };
    tx.put::<Runs>(&(*tenant, *run), &record)?;
    if replay_of.is_none() {
        tx.put::<OpenRuns>(&open_key, run)?;
    }
    Ok(Reply::Run { shards: ids, scan })
}

fn new_shard(id: ShardId, tenant: TenantId, connector: ConnectorId, stream: &str, key: &str, parents: &[String], table: TableId) -> Shard {
    Shard {
        id,
        tenant_id: tenant,
        connector_id: connector,
        stream: stream.to_owned(),
        key: key.to_owned(),
        parents: parents.to_vec(),
        bronze_table: table,
        owner: None,
        epoch: ShardEpoch(0),
        position: None,
        position_no: 0,
        next_offset: 0,
        status: ShardStatus::Open,
    }
}

pub(super) fn finish(tx: &mut Tx<'_>, tenant: TenantId, id: RunId, status: RunStatus, error: Option<&str>) -> Result<(), ApplyError> {
    let key = (tenant, id);
    let mut run = tx.need::<Runs>(&key, || format!("run {id}"))?;
    if run.is_over() {
        return refuse(ErrorCode::Conflict, format!("run {id} is over already ({:?})", run.status));
    }
    if matches!(status, RunStatus::Running | RunStatus::Succeeded) {
        return refuse(ErrorCode::InvalidArgument, "a run is finished as settling, failed or cancelled");
    }
    run.status = status;
    run.error = error.map(str::to_owned);
    if status != RunStatus::Settling {
        super::anomalies::forget(tx, tenant, id)?;
        run.ended_at = Some(tx.now);
    }
    let open_key = (tenant, run.connector_id, run.scope.open_name(&run.entity));
    if tx.get::<OpenRuns>(&open_key)? == Some(id) {
        tx.remove::<OpenRuns>(&open_key);
    }
    tx.put::<Runs>(&key, &run)?;
    try_seal(tx, tenant, id)
}

/// After a Silver commit: seals the runs that it completed.
pub(super) fn settle(tx: &mut Tx<'_>, merged: &[CommitSeq]) -> Result<(), ApplyError> {
    let mut runs = Vec::new();
    for seq in merged {
        let commit = tx.need::<BronzeCommits>(seq, || format!("Bronze commit {seq}"))?;
        let key = (commit.tenant_id, commit.run);
        if !runs.contains(&key) {
            runs.push(key);
        }
    }
    for (tenant, run) in runs {
        try_seal(tx, tenant, run)?;
    }
    Ok(())
}

fn try_seal(tx: &mut Tx<'_>, tenant: TenantId, id: RunId) -> Result<(), ApplyError> {
    let mut run = tx.need::<Runs>(&(tenant, id), || format!("run {id}"))?;
    if run.status != RunStatus::Settling {
        return Ok(());
    }
    for table in &run.feeds {
        if !tx.between::<Queue>(&(*table, CommitSeq(0)), &(*table, run.last_commit), 1)?.is_empty() {
            return Ok(());
        }
    }
    run.status = RunStatus::Succeeded;
    run.ended_at = Some(tx.now);
    if !run.is_exact() {
        let message = format!(
            "run {id} read {} records and accounts for {} accepted, {} rejected, {} unmapped; ledger {:?}",
            run.counts.read, run.counts.accepted, run.counts.rejected, run.counts.unmapped, run.ledger
        );
        let about = Alert::new(tenant, "ledger_residue", id.to_string(), message);
        super::alerts::raise(tx, &Alert { run: Some(id), connector: Some(run.connector_id), ..about })?;
    }
    super::anomalies::compare(tx, &run)?;
    tx.put::<Runs>(&(tenant, id), &run)?;
    Ok(())
}

pub(super) fn reset_stream(tx: &mut Tx<'_>, tenant: TenantId, connector: ConnectorId, stream: &str) -> Result<Reply, ApplyError> {
    tx.need::<Connectors>(&(tenant, connector), || format!("connector {connector}"))?;
    for scope in [RunScope::Incremental, RunScope::Backfill] {
        let Some(run) = tx.get::<OpenRuns>(&(tenant, connector, scope.open_name(stream)))? else { continue };
        return refuse(ErrorCode::Conflict, format!("run {run} is reading {stream}; cancel it first"));
    }
    for (_, id) in tx.scan::<SourceShards>(&(tenant, connector, stream.to_owned()))? {
        let mut shard = tx.need::<Shards>(&id, || format!("shard {id}"))?;
        shard.position = None;
        shard.position_no += 1;
        shard.status = ShardStatus::Open;
        // A reader of before the reset must not put its position back.
        shard.epoch = super::ingest::next_epoch(tx)?;
        tx.put::<Shards>(&id, &shard)?;
    }
    Ok(Reply::Done)
}
