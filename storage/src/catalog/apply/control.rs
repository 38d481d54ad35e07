//! Cluster, tenants, users, tokens, connectors.

use lakewright_proto::{ConnectorId, ErrorCode, RunId, TenantId, TokenId};

use super::super::command::{Command, Reply, TableSpec};
use super::super::keyspace::*;
use super::super::records::*;
use super::super::tx::{refuse, ApplyError, Tx};
use super::super::view::Read;
use super::tables::ensure_table;

type Done = Result<Reply, ApplyError>;

pub(super) fn cluster(tx: &mut Tx<'_>, command: &Command) -> Done {
    match command {
        Command::InitCluster { id, key_fingerprint, system, admin, token, token_hash, ticket_key } => {
            if tx.get::<Cluster>(&String::new())?.is_some() {
                return refuse(ErrorCode::AlreadyExists, "this cluster is initialised already");
            }
            let record = ClusterRecord {
                id: *id,
                incarnation: 1,
                system_tenant: system.id,
                key_fingerprint: key_fingerprint.clone(),
                ticket_keys: vec![ticket_key.clone()],
                created_at: tx.now,
                last_shard: 0,
                last_commit_seq: 0,
                last_epoch: 0,
                last_scan: 0,
            };
            tx.put_cluster(&record)?;
            create_tenant(tx, system, &[])?;
            create_user(tx, admin)?;
            create_token(tx, token, token_hash)
        }
        Command::RotateTicketKey { key, keep_after } => {
            let mut record = tx.cluster()?;
            let newest = record.ticket_keys.iter().map(|k| k.id).max().unwrap_or(0);
            if key.id <= newest {
                return refuse(ErrorCode::Conflict, format!("ticket key {} is not newer than {newest}", key.id));
            }
            record.ticket_keys.retain(|k| k.created_at >= *keep_after || k.id == newest);
            record.ticket_keys.push(key.clone());
            tx.put_cluster(&record)?;
            Ok(Reply::Done)
        }
        _ => refuse(ErrorCode::Internal, "not a command of the cluster"),
    }
}

pub(super) fn create_tenant(tx: &mut Tx<'_>, tenant: &Tenant, tables: &[TableSpec]) -> Done {
    if tx.get::<TenantSlugs>(&tenant.slug)?.is_some() {
        return refuse(ErrorCode::AlreadyExists, format!("a tenant {:?} exists already", tenant.slug));
    }
    fresh(tx.get::<Tenants>(&tenant.id)?.is_none(), "tenant", &tenant.id)?;
    let mut tenant = tenant.clone();
    tenant.created_at = tx.now;
    tx.put::<TenantSlugs>(&tenant.slug, &tenant.id)?;
    tx.put::<Tenants>(&tenant.id, &tenant)?;
    for spec in tables {
        ensure_table(tx, tenant.id, spec, None)?;
    }
    Ok(Reply::Done)
}

pub(super) fn update_tenant(tx: &mut Tx<'_>, tenant: &Tenant) -> Done {
    let old = tx.need::<Tenants>(&tenant.id, || format!("tenant {:?}", tenant.slug))?;
    if old.slug != tenant.slug {
        return refuse(ErrorCode::InvalidArgument, "a tenant's slug does not change: it stands in other people's SQL");
    }
    if tx.cluster()?.system_tenant == tenant.id && tenant.status != Status::Active {
        return refuse(ErrorCode::InvalidArgument, "the tenant `system` cannot be suspended: nobody could undo it");
    }
    tx.put::<Tenants>(&tenant.id, &Tenant { created_at: old.created_at, ..tenant.clone() })?;
    Ok(Reply::Done)
}

pub(super) fn create_user(tx: &mut Tx<'_>, user: &User) -> Done {
    tx.need::<Tenants>(&user.tenant_id, || "the user's tenant".into())?;
    let email = (user.email.clone(), user.tenant_id);
    if tx.get::<UserEmails>(&email)?.is_some() {
        return refuse(ErrorCode::AlreadyExists, format!("the tenant has a user {} already", user.email));
    }
    fresh(tx.get::<Users>(&(user.tenant_id, user.id))?.is_none(), "user", &user.id)?;
    tx.put::<UserEmails>(&email, &user.id)?;
    tx.put::<Users>(&(user.tenant_id, user.id), &User { created_at: tx.now, ..user.clone() })?;
    Ok(Reply::Done)
}

pub(super) fn update_user(tx: &mut Tx<'_>, user: &User) -> Done {
    let key = (user.tenant_id, user.id);
    let old = tx.need::<Users>(&key, || format!("user {}", user.email))?;
    if old.email != user.email {
        return refuse(ErrorCode::InvalidArgument, "a user's e-mail does not change: make a new user");
    }
    tx.put::<Users>(&key, &User { created_at: old.created_at, ..user.clone() })?;
    Ok(Reply::Done)
}

pub(super) fn create_token(tx: &mut Tx<'_>, token: &Token, hash: &[u8; 32]) -> Done {
    tx.need::<Users>(&(token.tenant_id, token.user_id), || "the token's user".into())?;
    if tx.get::<Tokens>(hash)?.is_some() {
        return refuse(ErrorCode::AlreadyExists, "this token exists already");
    }
    fresh(tx.get::<TokenIds>(&(token.tenant_id, token.id))?.is_none(), "token", &token.id)?;
    tx.put::<Tokens>(hash, &Token { created_at: tx.now, ..token.clone() })?;
    tx.put::<TokenIds>(&(token.tenant_id, token.id), hash)?;
    Ok(Reply::Done)
}

pub(super) fn revoke_token(tx: &mut Tx<'_>, tenant: TenantId, token: TokenId) -> Done {
    let hash = tx.need::<TokenIds>(&(tenant, token), || format!("token {token}"))?;
    let mut record = tx.need::<Tokens>(&hash, || format!("token {token}"))?;
    record.revoked_at.get_or_insert(tx.now);
    tx.put::<Tokens>(&hash, &record)?;
    Ok(Reply::Done)
}

pub(super) fn create_connector(tx: &mut Tx<'_>, connector: &Connector, secrets: &[(String, SealedSecret)]) -> Done {
    tx.need::<Tenants>(&connector.tenant_id, || "the connector's tenant".into())?;
    let name = (connector.tenant_id, connector.name.clone());
    if tx.get::<ConnectorNames>(&name)?.is_some() {
        return refuse(ErrorCode::AlreadyExists, format!("the tenant has a connector {:?} already", connector.name));
    }
    fresh(tx.get::<Connectors>(&(connector.tenant_id, connector.id))?.is_none(), "connector", &connector.id)?;
    tx.put::<ConnectorNames>(&name, &connector.id)?;
    let stored = Connector { created_at: tx.now, version: 1, ..connector.clone() };
    tx.put::<Connectors>(&(connector.tenant_id, connector.id), &stored)?;
    put_secrets(tx, connector, secrets)
}

pub(super) fn update_connector(tx: &mut Tx<'_>, connector: &Connector, secrets: &[(String, SealedSecret)]) -> Done {
    let key = (connector.tenant_id, connector.id);
    let old = tx.need::<Connectors>(&key, || format!("connector {:?}", connector.name))?;
    if old.version != connector.version {
        return refuse(ErrorCode::Conflict, format!("connector {:?} was changed by somebody else; read it again", connector.name));
    }
    if old.name != connector.name || old.kind != connector.kind {
        return refuse(ErrorCode::InvalidArgument, "a connector's name and kind do not change: make a new connector");
    }
    // Whoever proposes a configuration read the status a while ago: a pause or a break meanwhile stands.
    let stored = Connector { created_at: old.created_at, version: old.version + 1, status: old.status, ..connector.clone() };
    tx.put::<Connectors>(&key, &stored)?;
    put_secrets(tx, connector, secrets)
}

fn put_secrets(tx: &mut Tx<'_>, connector: &Connector, secrets: &[(String, SealedSecret)]) -> Done {
    for (field, secret) in secrets {
        tx.put::<Secrets>(&(connector.tenant_id, connector.id, field.clone()), secret)?;
    }
    Ok(Reply::Done)
}

pub(super) fn set_connector_status(tx: &mut Tx<'_>, tenant: TenantId, id: ConnectorId, status: &ConnectorStatus) -> Done {
    let key = (tenant, id);
    let mut connector = tx.need::<Connectors>(&key, || format!("connector {id}"))?;
    if let ConnectorStatus::Broken { reason, .. } = status {
        super::alerts::connector_broken(tx, &connector, None, reason)?;
    }
    connector.status = match status {
        ConnectorStatus::Broken { reason, .. } => ConnectorStatus::Broken { reason: reason.clone(), since: tx.now },
        other => other.clone(),
    };
    tx.put::<Connectors>(&key, &connector)?;
    Ok(Reply::Done)
}

/// Gives up the connector of a run that failed.
pub(super) fn break_connector(tx: &mut Tx<'_>, tenant: TenantId, run: RunId, reason: &str) -> Result<(), ApplyError> {
    let run = tx.need::<Runs>(&(tenant, run), || format!("run {run}"))?;
    let key = (tenant, run.connector_id);
    let mut connector = tx.need::<Connectors>(&key, || format!("connector {}", run.connector_id))?;
    super::alerts::connector_broken(tx, &connector, Some(run.id), reason)?;
    connector.status = ConnectorStatus::Broken { reason: reason.to_owned(), since: tx.now };
    tx.put::<Connectors>(&key, &connector)?;
    Ok(())
}

/// An id that stands for something already never comes to stand for something else.
pub(super) fn fresh(is_free: bool, what: &str, id: &impl std::fmt::Display) -> Result<(), ApplyError> {
    if is_free {
        return Ok(());
    }
    refuse(ErrorCode::AlreadyExists, format!("{what} {id} exists already; use a new id"))
}
