//! `lakewright token recover`: a new administrator's token, over a Unix socket that only the
//! node's own user can open.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::sync::Arc;

use lakewright_actors::services::{now_us, Services};
use lakewright_proto::{Error, ErrorCode, TokenId};
use lakewright_storage::catalog::command::Command;
use lakewright_storage::catalog::keyspace::Users;
use lakewright_storage::catalog::records::{Role, Status, Token};
use lakewright_storage::catalog::Read as _;
use tokio::io::AsyncWriteExt as _;
use tokio::net::UnixListener;
use tokio_util::sync::CancellationToken;

use crate::auth::TokenSecret;

/// Serves until the node stops. Each connection gets one token, or the reason why not.
pub async fn serve(path: PathBuf, services: Arc<Services>, stop: CancellationToken) {
    let listener = match listen(&path) {
        Ok(listener) => listener,
        Err(e) => {
            tracing::warn!(path = %path.display(), error = %e, "token recovery is not available");
            return;
        }
    };
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        let Ok((mut stream, _)) = accepted else { continue };
        let line = match token(&services).await {
            Ok(secret) => format!("ok {}\n", secret.expose()),
            Err(e) => format!("error {}\n", e.message),
        };
        // Who hung up needs no answer.
        let _ = stream.write_all(line.as_bytes()).await;
        let _ = stream.shutdown().await;
    }
}

fn listen(path: &std::path::Path) -> std::io::Result<UnixListener> {
    match std::fs::remove_file(path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

async fn token(services: &Services) -> Result<TokenSecret, Error> {
    let system = services.cluster.system_tenant;
    let admin = {
        let users = services.catalog.view().scan::<Users>(&system).map_err(Error::from)?;
        users.into_iter().map(|(_, u)| u).find(|u| u.status == Status::Active && u.roles.contains(&Role::Admin))
    };
    let admin = admin.ok_or_else(|| Error::new(ErrorCode::NotFound, "the tenant `system` has no active administrator"))?;
    let secret = TokenSecret::generate();
    let token = Token {
        id: TokenId::generate(),
        tenant_id: system,
        user_id: admin.id,
        name: "recovered".into(),
        created_at: now_us(),
        expires_at: None,
        revoked_at: None,
    };
    services.catalog.propose("token recover", Command::CreateToken { token, hash: secret.hash() }).await?;
    tracing::warn!(user = admin.email, "an administrator's token was recovered over the local socket");
    Ok(secret)
}
