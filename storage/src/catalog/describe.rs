//! What a command says of itself to logs, the audit and tenants: never its content.

use std::fmt;

use lakewright_proto::TenantId;

use super::command::Command;

/// A command's kind and subject for logs and the audit: never its content.
impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InitCluster { id, .. } => write!(f, "init cluster {id}"),
            Self::RotateTicketKey { key, .. } => write!(f, "rotate ticket key to {}", key.id),
            Self::CreateTenant { tenant, .. } => write!(f, "create tenant {}", tenant.slug),
            Self::UpdateTenant(t) => write!(f, "update tenant {}", t.slug),
            Self::CreateUser(u) => write!(f, "create user {}", u.email),
            Self::UpdateUser(u) => write!(f, "update user {}", u.email),
            Self::CreateToken { token, .. } => {
                write!(f, "create token {} of user {}", token.id, token.user_id)
            }
            Self::RevokeToken { token, .. } => write!(f, "revoke token {token}"),
            Self::CreateConnector { connector, .. } => {
                write!(f, "create connector {}", connector.name)
            }
            Self::UpdateConnector { connector, .. } => {
                write!(f, "update connector {}", connector.name)
            }
            Self::SetConnectorStatus { connector, status, .. } => write!(f, "set connector {connector} to {status:?}"),
            Self::ResetStream { connector, stream, .. } => write!(f, "reset stream {stream} of connector {connector}"),
            Self::PutPack(p) => write!(f, "store pack {} {}", p.name, p.hash),
            Self::PinPack { hash, .. } => write!(f, "use pack {hash}"),
            Self::StartRun { run, connector, stream, .. } => write!(f, "start run {run} of {connector}/{stream}"),
            Self::FinishRun { run, status, .. } => write!(f, "finish run {run} as {status:?}"),
            Self::ClaimShard { shard, node } => write!(f, "claim shard {shard} for node {node}"),
            Self::ClaimBucket { table, bucket, node } => write!(f, "claim bucket {table}/{bucket} for node {node}"),
            Self::EndShard { shard, .. } => write!(f, "end shard {shard}"),
            Self::CommitBronze(c) => write!(f, "commit bronze {}/{}+{}", c.shard, c.first_offset, c.count),
            Self::CommitReplay(c) => write!(f, "commit replay of {} records of shard {}", c.offsets.len(), c.shard),
            Self::CommitSilver(c) => write!(f, "commit silver {}/{} {}..{}", c.table, c.bucket, c.from, c.to),
            Self::CommitCompaction(c) => write!(f, "commit compaction {}/{}", c.table, c.bucket),
            Self::ForgetFiles { files } => write!(f, "forget {} files", files.len()),
            Self::FoldFiles { table, bucket, files, .. } => write!(f, "fold {} files of {table}/{bucket}", files.len()),
            Self::ReplaceBronze(c) => write!(f, "replace {} files of {} by {}", c.inputs.len(), c.table, c.output.id),
            Self::RaiseAlert(a) => write!(f, "raise alert {} for {}", a.kind, a.subject),
            Self::SetSchedule(s) => write!(f, "set schedule {:?} of connector {}", s.cron, s.connector_id),
            Self::ClearSchedule { connector, .. } => write!(f, "clear schedule of connector {connector}"),
            Self::MoveSchedule { connector, due, .. } => write!(f, "move schedule of connector {connector} past {due}"),
            Self::CreateWebhook(w) => write!(f, "create webhook {}", w.name),
            Self::DeleteWebhook { name, .. } => write!(f, "delete webhook {name}"),
            Self::CommitGold(c) => write!(f, "commit gold.{} of day {}", c.spec.name, c.build.date),
            Self::CommitLookups(c) => write!(f, "commit lookups {}/{} at {}", c.table, c.bucket, c.watermark),
            Self::RequestRebuild { table, .. } => write!(f, "ask for a rebuild of table {table}"),
            Self::CommitRebuild(c) => write!(f, "commit rebuild {}/{} at {}", c.table, c.bucket, c.watermark),
            Self::TakeQuota(a) => write!(f, "take {} calls of quota {}", a.calls, a.name),
            Self::SettleAlerts { webhook, from, .. } => write!(f, "settle alert {from} of webhook {webhook}"),
        }
    }
}

/// The same: token hashes, ciphertext and configuration stay out of logs.
impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Command({self})")
    }
}

impl Command {
    /// Whether people's acts are audited; the pipeline's own commits are in lineage instead.
    pub fn is_audited(&self) -> bool {
        !matches!(
            self,
            Self::CommitBronze(_)
                | Self::CommitReplay(_)
                | Self::CommitSilver(_)
                | Self::CommitCompaction(_)
                | Self::ClaimShard { .. }
                | Self::ClaimBucket { .. }
                | Self::EndShard { .. }
                | Self::ForgetFiles { .. }
                | Self::FoldFiles { .. }
                | Self::ReplaceBronze(_)
                | Self::RaiseAlert(_)
                | Self::SettleAlerts { .. }
                | Self::TakeQuota(_)
                | Self::CommitGold(_)
                | Self::CommitLookups(_)
                | Self::CommitRebuild(_)
                | Self::MoveSchedule { .. }
        )
    }

    /// The tenant it concerns, where it names one.
    pub fn tenant(&self) -> Option<TenantId> {
        match self {
            Self::CreateTenant { tenant, .. } | Self::UpdateTenant(tenant) => Some(tenant.id),
            Self::CreateUser(u) | Self::UpdateUser(u) => Some(u.tenant_id),
            Self::CreateToken { token, .. } => Some(token.tenant_id),
            Self::CreateConnector { connector, .. } | Self::UpdateConnector { connector, .. } => Some(connector.tenant_id),
            Self::RevokeToken { tenant, .. }
            | Self::SetConnectorStatus { tenant, .. }
            | Self::ResetStream { tenant, .. }
            | Self::PinPack { tenant, .. }
            | Self::StartRun { tenant, .. }
            | Self::DeleteWebhook { tenant, .. }
            | Self::ClearSchedule { tenant, .. }
            | Self::RequestRebuild { tenant, .. }
            | Self::FinishRun { tenant, .. } => Some(*tenant),
            Self::SetSchedule(s) => Some(s.tenant_id),
            Self::CreateWebhook(w) => Some(w.tenant_id),
            _ => None,
        }
    }
}
