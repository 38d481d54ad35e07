//! The one deterministic `apply`: state + entry -> state + answers. It reads no clock, no
//! randomness, no disk but the state.

mod alerts;
mod anomalies;
mod control;
mod fold;
mod gold;
mod ingest;
mod lookups;
mod quotas;
mod rebuilds;
mod repack;
mod runs;
mod schedules;
mod silver;
mod tables;
mod webhooks;

use sha2::{Digest, Sha256};

use super::command::{Answered, Command, Envelope, Reply};
use super::keyspace::{AnswerExpiry, Answers, Audit};
use super::records::{Answer, AuditEntry};
use super::store::{CatalogStore, Change, APPLIED_KEY, MEMBERSHIP_KEY};
use super::tx::{ApplyError, Tx};
use super::view::Read;
use crate::error::{Result, StorageError};
use lakewright_proto::{Error, ErrorCode};

/// How long a repeat of a command gets the first answer, microseconds.
const ANSWER_LIFE: i64 = 24 * 3_600 * 1_000_000;
/// Expired answers forgotten with each entry, so that the work of an entry stays bounded.
const FORGET_PER_ENTRY: usize = 1_024;

/// Encodes a command for the log.
pub fn encode_command(envelope: &Envelope) -> Result<Vec<u8>> {
    super::codec::encode_value(envelope)
}

/// Decodes an answer from the log's reply.
pub fn decode_answer(bytes: &[u8]) -> Result<Answered> {
    super::codec::decode_value("an answer of the catalog", bytes)
}

impl CatalogStore {
    /// Applies one log entry. `applied` and `membership` are Raft's own bookkeeping, written in
    /// the same batch. The answers are in the order of the commands.
    pub fn apply_entry(&self, applied: &[u8], membership: Option<&[u8]>, proposed_at: i64, commands: &[Vec<u8>]) -> Result<Vec<Vec<u8>>> {
        crate::crash::point("catalog.apply.before");
        let mut tx = Tx::new(self)?;
        let mut answers = Vec::with_capacity(commands.len());
        for bytes in commands {
            tx.advance(proposed_at);
            answers.push(apply_one(&mut tx, bytes)?);
        }
        forget_old_answers(&mut tx)?;
        let mut bookkeeping: Vec<Change> = vec![(APPLIED_KEY.to_vec(), Some(applied.to_vec()))];
        if let Some(m) = membership {
            bookkeeping.push((MEMBERSHIP_KEY.to_vec(), Some(m.to_vec())));
        }
        let version = tx.version;
        let changes = tx.into_changes(bookkeeping)?;
        self.write(changes, version)?;
        crate::crash::point("catalog.apply.after");
        Ok(answers)
    }
}

fn apply_one(tx: &mut Tx<'_>, bytes: &[u8]) -> Result<Vec<u8>> {
    let envelope: Envelope = match super::codec::decode_value("a command", bytes) {
        Ok(e) => e,
        Err(e) => return super::codec::encode_value(&Answered::Err(e.into())),
    };
    let content_hash: [u8; 32] = Sha256::digest(super::codec::encode_value(&envelope.command)?).into();
    if let Some(first) = tx.get::<Answers>(&envelope.id)? {
        if first.content_hash == content_hash {
            return Ok(first.reply);
        }
        let e = Error::new(ErrorCode::Conflict, format!("command {} was used for something else; propose with a new id", envelope.id));
        return super::codec::encode_value(&Answered::Err(e));
    }
    let answered: Answered = match apply_command(tx, &envelope.command) {
        Ok(reply) => {
            tx.accept();
            Ok(reply)
        }
        Err(ApplyError::Refused(e)) => {
            tx.reject();
            Err(e)
        }
        Err(ApplyError::Failed(e)) => return Err(e),
    };
    let reply = super::codec::encode_value(&answered)?;
    // Refusals too: a delayed duplicate must not do what its proposer was told is not done.
    tx.put::<Answers>(&envelope.id, &Answer { content_hash, reply: reply.clone() })?;
    tx.put::<AnswerExpiry>(&((tx.now + ANSWER_LIFE) as u64, envelope.id), &())?;
    if envelope.command.is_audited() {
        let entry = AuditEntry {
            at: tx.now,
            command: envelope.id,
            tenant: envelope.command.tenant(),
            principal: envelope.principal,
            action: envelope.command.to_string(),
            refused: answered.err(),
        };
        tx.put::<Audit>(&(tx.now as u64), &entry)?;
    }
    tx.accept();
    Ok(reply)
}

fn apply_command(tx: &mut Tx<'_>, command: &Command) -> Result<Reply, ApplyError> {
    match command {
        Command::InitCluster { .. } | Command::RotateTicketKey { .. } => control::cluster(tx, command),
        Command::CreateTenant { tenant, tables } => control::create_tenant(tx, tenant, tables),
        Command::UpdateTenant(t) => control::update_tenant(tx, t),
        Command::CreateUser(u) => control::create_user(tx, u),
        Command::UpdateUser(u) => control::update_user(tx, u),
        Command::CreateToken { token, hash } => control::create_token(tx, token, hash),
        Command::RevokeToken { tenant, token } => control::revoke_token(tx, *tenant, *token),
        Command::CreateConnector { connector, secrets } => control::create_connector(tx, connector, secrets),
        Command::UpdateConnector { connector, secrets } => control::update_connector(tx, connector, secrets),
        Command::SetConnectorStatus { tenant, connector, status } => control::set_connector_status(tx, *tenant, *connector, status),
        Command::ResetStream { tenant, connector, stream } => runs::reset_stream(tx, *tenant, *connector, stream),
        Command::PutPack(p) => tables::put_pack(tx, p),
        Command::PinPack { tenant, hash, tables } => tables::pin_pack(tx, *tenant, hash, tables),
        Command::StartRun { .. } => runs::start(tx, command),
        Command::FinishRun { tenant, run, status, error, breaks } => {
            runs::finish(tx, *tenant, *run, *status, error.as_deref())?;
            if *breaks {
                control::break_connector(tx, *tenant, *run, error.as_deref().unwrap_or_default())?;
            }
            Ok(Reply::Done)
        }
        Command::ClaimShard { shard, node } => ingest::claim_shard(tx, *shard, *node),
        Command::ClaimBucket { table, bucket, node } => silver::claim_bucket(tx, *table, *bucket, *node),
        Command::EndShard { shard, epoch } => ingest::end_shard(tx, *shard, *epoch),
        Command::CommitBronze(c) => ingest::commit_bronze(tx, c),
        Command::CommitReplay(c) => ingest::commit_replay(tx, c),
        Command::CommitSilver(c) => silver::commit(tx, c),
        Command::CommitCompaction(c) => silver::commit_compaction(tx, c),
        Command::ForgetFiles { files } => tables::forget_files(tx, files),
        Command::FoldFiles { table, bucket, manifest, files } => fold::fold(tx, *table, *bucket, manifest, files),
        Command::RaiseAlert(alert) => alerts::raise(tx, alert),
        Command::SetSchedule(schedule) => schedules::set(tx, schedule),
        Command::ClearSchedule { tenant, connector } => schedules::clear(tx, *tenant, *connector),
        Command::MoveSchedule { tenant, connector, due, fired } => schedules::fired(tx, *tenant, *connector, *due, fired),
        Command::CreateWebhook(webhook) => webhooks::create(tx, webhook),
        Command::DeleteWebhook { tenant, name } => webhooks::delete(tx, *tenant, name),
        Command::SettleAlerts { tenant, webhook, from, to, delivery } => webhooks::settle(tx, *tenant, webhook, *from, *to, delivery),
        Command::CommitGold(c) => gold::commit(tx, c),
        Command::CommitLookups(c) => lookups::commit(tx, c),
        Command::RequestRebuild { tenant, table, reason } => rebuilds::request(tx, *tenant, *table, reason),
        Command::CommitRebuild(c) => rebuilds::commit(tx, c),
        Command::TakeQuota(ask) => quotas::take(tx, ask),
        Command::ReplaceBronze(c) => repack::replace_bronze(tx, c),
    }
}

fn forget_old_answers(tx: &mut Tx<'_>) -> Result<(), StorageError> {
    let now = tx.now as u64;
    let mut due = Vec::new();
    // Answers expire in the order of their keys, so the first that has not ends the search.
    for (key, ()) in tx.expired_answers(FORGET_PER_ENTRY)? {
        if key.0 > now {
            break;
        }
        due.push(key);
    }
    for key in due {
        tx.remove::<Answers>(&key.1);
        tx.remove::<AnswerExpiry>(&key);
    }
    tx.accept();
    Ok(())
}
