//! What `lakewright token recover` gets: a new token of the first active administrator.

use lakewright_actors::services::{now_us, Services};
use lakewright_proto::{Error, ErrorCode, TokenId};
use lakewright_storage::catalog::command::Command;
use lakewright_storage::catalog::keyspace::Users;
use lakewright_storage::catalog::records::{Role, Status, Token};
use lakewright_storage::catalog::Read as _;

use crate::auth::TokenSecret;

/// Makes and stores a token of an administrator.
pub async fn issue(services: &Services) -> Result<TokenSecret, Error> {
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
