//! Shards and Bronze commits: data and position move together, under the owner's epoch.

use lakewright_proto::{CommitSeq, ErrorCode, NodeId, ShardEpoch, ShardId, TableId, TenantId};

use super::super::command::{CommitBronze, CommitReplay, Reply};
use super::super::keyspace::*;
use super::super::records::*;
use super::super::tx::{refuse, ApplyError, Tx};
use super::super::view::Read as _;
use super::tables::{add_file, system_table, table_by_id, touch};
use crate::table::{DataFile, StreamCounts};

type Done = Result<Reply, ApplyError>;

/// The next fencing token: higher than every one before, in every incarnation of the cluster.
pub(super) fn next_epoch(tx: &mut Tx<'_>) -> Result<ShardEpoch, ApplyError> {
    let mut cluster = tx.cluster()?;
    cluster.last_epoch += 1;
    let epoch = ShardEpoch((u64::from(cluster.incarnation) << 40) | cluster.last_epoch);
    tx.put_cluster(&cluster)?;
    Ok(epoch)
}

pub(super) fn claim_shard(tx: &mut Tx<'_>, id: ShardId, node: NodeId) -> Done {
    let mut shard = tx.need::<Shards>(&id, || format!("shard {id}"))?;
    let epoch = next_epoch(tx)?;
    shard.owner = Some(node);
    shard.epoch = epoch;
    tx.put::<Shards>(&id, &shard)?;
    Ok(Reply::Epoch(epoch))
}

pub(super) fn end_shard(tx: &mut Tx<'_>, id: ShardId, epoch: ShardEpoch) -> Done {
    let mut shard = tx.need::<Shards>(&id, || format!("shard {id}"))?;
    fence(&shard, epoch)?;
    shard.status = ShardStatus::Ended;
    tx.put::<Shards>(&id, &shard)?;
    Ok(Reply::Done)
}

fn fence(shard: &Shard, epoch: ShardEpoch) -> Result<(), ApplyError> {
    if shard.epoch != epoch {
        return refuse(
            ErrorCode::Fenced,
            format!("shard {} is owned under epoch {}, not {epoch}: another owner has taken over", shard.id, shard.epoch),
        );
    }
    Ok(())
}

pub(super) fn commit_bronze(tx: &mut Tx<'_>, c: &CommitBronze) -> Done {
    let mut shard = tx.need::<Shards>(&c.shard, || format!("shard {}", c.shard))?;
    fence(&shard, c.epoch)?;
    if shard.next_offset != c.first_offset {
        return refuse(
            ErrorCode::Conflict,
            format!("shard {} goes on at offset {}, not at {}", shard.id, shard.next_offset, c.first_offset),
        );
    }
    let named = c.files.iter().try_fold(0u64, |sum, f| sum.checked_add(f.rows)).unwrap_or(u64::MAX);
    if c.first_offset.checked_add(c.count).is_none() || named != c.count || c.counts.read != c.count {
        return refuse(
            ErrorCode::InvalidArgument,
            format!("the commit names {named} rows and counts {} read for {} records", c.counts.read, c.count),
        );
    }
    if c.count == 0 && !(c.files.is_empty() && c.quality.is_empty() && c.dead_letters.is_empty()) {
        return refuse(ErrorCode::InvalidArgument, "a commit that moves the position alone names no files");
    }
    open_run(tx, &shard, c.run)?;
    let previous = shard.position.replace(c.position.clone());
    shard.position_no += 1;
    let seq = if c.count == 0 {
        CommitSeq(0)
    } else {
        let source = BronzeSource::Read {
            first_offset: c.first_offset,
            count: c.count,
            files: c.files.iter().map(|f| f.id).collect(),
            previous,
            position: c.position.clone(),
        };
        let seq = record(tx, &shard, c.run, &c.pack, c.ingested_at, &c.counts, &c.entities, source)?;
        let run = tx.need::<Runs>(&(shard.tenant_id, c.run), || format!("run {}", c.run))?;
        for (table, profile) in &c.profiles {
            let silver = table_by_id(tx, *table)?;
            super::anomalies::gather(tx, &run, &silver.subject, profile)?;
        }
        let mut bronze = table_by_id(tx, shard.bronze_table)?;
        let mut first = c.first_offset;
        for file in &c.files {
            add_file(tx, &mut bronze, 0, file, FileRange::Offsets { shard: shard.id, first, count: file.rows })?;
            first += file.rows;
        }
        touch(tx, bronze)?;
        tx.put::<Offsets>(&(shard.id, c.first_offset), &seq)?;
        add_system_files(tx, shard.tenant_id, seq, &c.quality, &c.dead_letters)?;
        shard.next_offset += c.count;
        seq
    };
    tx.put::<Shards>(&shard.id, &shard)?;
    Ok(Reply::Bronze(seq))
}

pub(super) fn commit_replay(tx: &mut Tx<'_>, c: &CommitReplay) -> Done {
    let shard = tx.need::<Shards>(&c.shard, || format!("shard {}", c.shard))?;
    if c.offsets.is_empty() || c.counts.read != c.offsets.len() as u64 {
        return refuse(ErrorCode::InvalidArgument, format!("a replay of {} offsets counts {} read", c.offsets.len(), c.counts.read));
    }
    if c.offsets.windows(2).any(|w| w[0] >= w[1]) || c.offsets.last().is_some_and(|o| *o >= shard.next_offset) {
        return refuse(ErrorCode::InvalidArgument, "the offsets of a replay ascend and exist in Bronze");
    }
    if open_run(tx, &shard, c.run)?.replay_of.is_none() {
        return refuse(ErrorCode::InvalidArgument, format!("run {} is no replay: start one with `replay_of`", c.run));
    }
    let source = BronzeSource::Replay { offsets: c.offsets.clone() };
    let seq = record(tx, &shard, c.run, &c.pack, c.ingested_at, &c.counts, &c.entities, source)?;
    tx.put::<Replays>(&(shard.id, seq), &())?;
    add_system_files(tx, shard.tenant_id, seq, &c.quality, &c.dead_letters)?;
    Ok(Reply::Bronze(seq))
}

/// The run, if it is one of the shard's and still reading.
fn open_run(tx: &Tx<'_>, shard: &Shard, id: lakewright_proto::RunId) -> Result<Run, ApplyError> {
    let run = tx.need::<Runs>(&(shard.tenant_id, id), || format!("run {id}"))?;
    if run.connector_id != shard.connector_id || run.entity != shard.stream {
        return refuse(ErrorCode::InvalidArgument, format!("run {id} is not one of shard {}", shard.id));
    }
    if run.is_over() {
        return refuse(ErrorCode::Conflict, format!("run {id} is over ({:?}); start another", run.status));
    }
    Ok(run)
}

/// Numbers a Bronze commit, queues it for its Silver tables and books it in its run.
#[expect(clippy::too_many_arguments, reason = "two commits share these parts and nothing else")]
fn record(
    tx: &mut Tx<'_>,
    shard: &Shard,
    run_id: lakewright_proto::RunId,
    pack: &str,
    ingested_at: i64,
    counts: &StreamCounts,
    entities: &[(TableId, EntityCounts)],
    source: BronzeSource,
) -> Result<CommitSeq, ApplyError> {
    let mut run = open_run(tx, shard, run_id)?;
    let mut cluster = tx.cluster()?;
    cluster.last_commit_seq += 1;
    let seq = CommitSeq(cluster.last_commit_seq);
    tx.put_cluster(&cluster)?;
    let mut feeds = Vec::with_capacity(entities.len());
    for (table, checked) in entities {
        let silver = table_by_id(tx, *table)?;
        if silver.tenant_id != shard.tenant_id {
            return refuse(ErrorCode::PermissionDenied, format!("table {table} is another tenant's"));
        }
        if silver.buckets == 0 || feeds.contains(table) {
            return refuse(ErrorCode::InvalidArgument, format!("table {} takes no merges, or is named twice", silver.name));
        }
        let ledger = run.ledger.entry(silver.subject.clone()).or_default();
        ledger.checked.accepted += checked.accepted;
        ledger.checked.rejected += checked.rejected;
        ledger.checked.flagged += checked.flagged;
        ledger.checked.warned += checked.warned;
        tx.put::<Queue>(&(*table, seq), &())?;
        if checked.accepted > 0 && matches!(source, BronzeSource::Read { .. }) {
            let now = tx.now;
            tx.put::<Arrivals>(&(silver.tenant_id, silver.name.clone()), &Arrival { seq, at: now })?;
        }
        let key = (silver.tenant_id, silver.name.clone());
        let mut standing = tx.get::<Standings>(&key)?.unwrap_or_else(|| Standing::new(run_id));
        match source {
            BronzeSource::Read { .. } if checked.accepted + checked.rejected > 0 => standing.came(run_id, checked),
            BronzeSource::Read { .. } => {}
            BronzeSource::Replay { .. } => standing.replayed(run.replay_of, checked),
        }
        tx.put::<Standings>(&key, &standing)?;
        super::rebuilds::late(tx, &silver, pack)?;
        feeds.push(*table);
        if !run.feeds.contains(table) {
            run.feeds.push(*table);
        }
    }
    run.counts.add(counts);
    run.commits += 1;
    run.last_commit = seq;
    tx.put::<Runs>(&(shard.tenant_id, run_id), &run)?;
    let commit = BronzeCommit {
        seq,
        tenant_id: shard.tenant_id,
        connector_id: shard.connector_id,
        stream: shard.stream.clone(),
        shard: shard.id,
        run: run_id,
        pack: pack.to_owned(),
        source,
        ingested_at,
        feeds,
        counts: *counts,
        committed_at: tx.now,
    };
    tx.put::<BronzeCommits>(&seq, &commit)?;
    Ok(seq)
}

fn add_system_files(tx: &mut Tx<'_>, tenant: TenantId, seq: CommitSeq, quality: &[DataFile], dead: &[DataFile]) -> Result<(), ApplyError> {
    for (name, files) in [("data_quality_results", quality), ("dead_letters", dead)] {
        if files.is_empty() {
            continue;
        }
        let mut table = system_table(tx, tenant, name)?;
        for file in files {
            add_file(tx, &mut table, 0, file, FileRange::Commit(seq))?;
        }
        touch(tx, table)?;
    }
    Ok(())
}
