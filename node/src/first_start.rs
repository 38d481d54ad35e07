//! The first start of a cluster: its identity, its administrator, and the one token from which
//! everything else is made.

use std::sync::Arc;

use lakewright_actors::services::now_us;
use lakewright_proto::{ClusterId, Error, ErrorCode, TenantId, TokenId, UserId};
use lakewright_storage::catalog::command::Command;
use lakewright_storage::catalog::records::{ClusterRecord, Role, Status, Tenant, Token, User};
use lakewright_storage::catalog::Catalog;
use lakewright_storage::object::{ClusterMarker, Store};

use crate::auth::TokenSecret;
use crate::config::Config;
use crate::secrets::{write_private, KeyRing, TicketKey};

/// The administrator that every cluster begins with.
const ADMIN_EMAIL: &str = "admin@system";

/// The cluster's record; a new cluster is initialised first.
pub async fn cluster(config: &Config, catalog: &Catalog, keys: &Arc<KeyRing>) -> Result<ClusterRecord, Error> {
    let found = catalog.view().cluster().map_err(Error::from)?;
    if let Some(cluster) = found {
        keys.check(&cluster.key_fingerprint)?;
        return Ok(cluster);
    }
    let secret = TokenSecret::generate();
    let now = now_us();
    let system = Tenant {
        id: TenantId::generate(),
        slug: "system".into(),
        name: "Administrators".into(),
        plan: "standard".into(),
        status: Status::Active,
        created_at: now,
    };
    let admin = User {
        id: UserId::generate(),
        tenant_id: system.id,
        email: ADMIN_EMAIL.into(),
        display_name: "First administrator".into(),
        roles: vec![Role::Admin],
        status: Status::Active,
        created_at: now,
    };
    let token = Token {
        id: TokenId::generate(),
        tenant_id: system.id,
        user_id: admin.id,
        name: "first".into(),
        created_at: now,
        expires_at: None,
        revoked_at: None,
    };
    // The file first: a token that is in the catalog and nowhere else would lock everybody out.
    let path = config.admin_token_file();
    let text = format!("{}\n", secret.expose());
    match write_private(&path, text.as_bytes()) {
        Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {
            std::fs::remove_file(&path)
                .and_then(|()| write_private(&path, text.as_bytes()))
                .map_err(|e| Error::new(ErrorCode::Unavailable, format!("writing {}: {e}", path.display())))?;
        }
        other => other.map_err(|e| Error::new(ErrorCode::Unavailable, format!("writing {}: {e}", path.display())))?,
    }
    let command = Command::InitCluster {
        id: ClusterId::generate(),
        key_fingerprint: keys.current.fingerprint(),
        system,
        admin,
        token,
        token_hash: secret.hash(),
        ticket_key: TicketKey::generate(keys, 1, now)?,
    };
    catalog.propose("node", command).await?;
    tracing::info!(path = %path.display(), "cluster initialised; the first administrator's token is in this file");
    let made = catalog.view().cluster().map_err(Error::from)?;
    made.ok_or_else(|| Error::new(ErrorCode::Internal, "the cluster was initialised and is not there"))
}

/// Claims the store for this cluster, or stops at another's.
pub async fn claim_store(store: &Store, cluster: &ClusterRecord) -> Result<(), Error> {
    let marker = ClusterMarker::new(cluster.id, u64::from(cluster.incarnation));
    ClusterMarker::claim(store, &marker).await.map_err(Error::from)
}
