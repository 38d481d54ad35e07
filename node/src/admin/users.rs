//! Users and tokens.

use lakewright_proto::{admin as pb, Error, ErrorCode, TenantId, TokenId, UserId};
use lakewright_storage::catalog::command::Command;
use lakewright_storage::catalog::keyspace::{TokenIds, Tokens, UserEmails, Users};
use lakewright_storage::catalog::records::{Role, Status, Token, User};
use lakewright_storage::catalog::Read as _;
use tonic::Request;

use super::access::not_found;
use super::convert;
use super::pages::page;
use super::service::AdminService;
use crate::auth::{authorize, Action, Principal, TokenSecret};

impl AdminService {
    fn user(&self, tenant: TenantId, name: &str) -> Result<User, Error> {
        let view = self.services().catalog.view();
        let id = match name.parse::<UserId>() {
            Ok(id) => Some(id),
            Err(_) => view.get::<UserEmails>(&(name.to_owned(), tenant)).map_err(Error::from)?,
        };
        let user = match id {
            Some(id) => view.get::<Users>(&(tenant, id)).map_err(Error::from)?,
            None => None,
        };
        user.ok_or_else(|| not_found(format_args!("user {name:?}")))
    }

    pub(super) async fn create_user_(&self, request: Request<pb::CreateUserRequest>) -> Result<pb::User, Error> {
        let caller = self.caller(&request, &request.get_ref().tenant, Action::ManageUsers)?;
        let r = request.into_inner();
        let roles = roles(&r.roles)?;
        if roles.is_empty() {
            return Err(Error::new(ErrorCode::InvalidArgument, "a user needs a role: admin, operator, engineer or analyst"));
        }
        let local = r.email.split_once('@').filter(|(l, d)| !l.is_empty() && !d.is_empty() && !r.email.contains(char::is_whitespace));
        let (local, _) = local.ok_or_else(|| Error::new(ErrorCode::InvalidArgument, format!("{:?} is not an e-mail address", r.email)))?;
        let display_name = if r.display_name.is_empty() { local.to_owned() } else { r.display_name.clone() };
        let user = User {
            id: UserId::generate(),
            tenant_id: caller.tenant.id,
            email: r.email.clone(),
            display_name,
            roles,
            status: Status::Active,
            created_at: 0,
        };
        self.propose(&caller.principal, &r.request_id, Command::CreateUser(user)).await?;
        Ok(convert::user(&self.user(caller.tenant.id, &r.email)?))
    }

    pub(super) async fn get_user_(&self, request: Request<pb::GetUserRequest>) -> Result<pb::User, Error> {
        let caller = self.caller(&request, &request.get_ref().tenant, Action::ReadUsers)?;
        Ok(convert::user(&self.user(caller.tenant.id, &request.get_ref().user)?))
    }

    pub(super) async fn list_users_(&self, request: Request<pb::ListUsersRequest>) -> Result<pb::ListUsersResponse, Error> {
        let caller = self.caller(&request, &request.get_ref().tenant, Action::ReadUsers)?;
        let r = request.into_inner();
        let all = self.services().catalog.view().scan::<Users>(&caller.tenant.id).map_err(Error::from)?;
        let mut all: Vec<User> = all.into_iter().map(|(_, u)| u).collect();
        all.sort_by(|a, b| a.email.cmp(&b.email));
        let (rows, next_page_token) = page(all, r.page_size, &r.page_token)?;
        Ok(pb::ListUsersResponse { users: rows.iter().map(convert::user).collect(), next_page_token })
    }

    pub(super) async fn update_user_(&self, request: Request<pb::UpdateUserRequest>) -> Result<pb::User, Error> {
        let caller = self.caller(&request, &request.get_ref().tenant, Action::ManageUsers)?;
        let r = request.into_inner();
        let mut user = self.user(caller.tenant.id, &r.user)?;
        match r.status() {
            pb::UserStatus::Active => user.status = Status::Active,
            pb::UserStatus::Suspended => user.status = Status::Suspended,
            pb::UserStatus::Unspecified => {}
        }
        if !r.roles.is_empty() {
            user.roles = roles(&r.roles)?;
        }
        if let Some(name) = r.display_name {
            user.display_name = name;
        }
        self.propose(&caller.principal, &r.request_id, Command::UpdateUser(user.clone())).await?;
        Ok(convert::user(&user))
    }

    pub(super) async fn create_token_(&self, request: Request<pb::CreateTokenRequest>) -> Result<pb::CreateTokenResponse, Error> {
        let own = request.get_ref().user.is_empty();
        let action = if own { Action::ManageOwnTokens } else { Action::ManageTokens };
        let caller = self.caller(&request, &request.get_ref().tenant, action)?;
        let r = request.into_inner();
        let user = if own { self.user(caller.tenant.id, &caller.principal.email)? } else { self.user(caller.tenant.id, &r.user)? };
        let secret = TokenSecret::generate();
        let now = lakewright_actors::services::now_us();
        let expires_at = (r.ttl_seconds > 0).then(|| now.saturating_add((r.ttl_seconds as i64).saturating_mul(1_000_000)));
        let token = Token {
            id: TokenId::generate(),
            tenant_id: caller.tenant.id,
            user_id: user.id,
            name: r.name,
            created_at: now,
            expires_at,
            revoked_at: None,
        };
        let message = convert::token(&token);
        self.propose(&caller.principal, "", Command::CreateToken { token, hash: secret.hash() }).await?;
        Ok(pb::CreateTokenResponse { token: Some(message), secret: secret.expose().to_owned() })
    }

    pub(super) async fn list_tokens_(&self, request: Request<pb::ListTokensRequest>) -> Result<pb::ListTokensResponse, Error> {
        let caller = self
            .caller(&request, &request.get_ref().tenant, Action::ManageOwnTokens)
            .or_else(|_| self.caller(&request, &request.get_ref().tenant, Action::ManageTokens))?;
        let r = request.into_inner();
        let asked = if r.user.is_empty() { None } else { Some(self.user(caller.tenant.id, &r.user)?.id) };
        let only = whose(&caller.principal, caller.tenant.id, asked)?;
        let view = self.services().catalog.view();
        let mut all = Vec::new();
        for (_, hash) in view.scan::<TokenIds>(&caller.tenant.id).map_err(Error::from)? {
            all.extend(view.get::<Tokens>(&hash).map_err(Error::from)?.filter(|t| only.is_none_or(|u| t.user_id == u)));
        }
        let (rows, next_page_token) = page(all, r.page_size, &r.page_token)?;
        Ok(pb::ListTokensResponse { tokens: rows.iter().map(convert::token).collect(), next_page_token })
    }

    pub(super) async fn revoke_token_(&self, request: Request<pb::RevokeTokenRequest>) -> Result<pb::Token, Error> {
        let caller = self
            .caller(&request, &request.get_ref().tenant, Action::ManageOwnTokens)
            .or_else(|_| self.caller(&request, &request.get_ref().tenant, Action::ManageTokens))?;
        let r = request.into_inner();
        let token: TokenId = r.id.parse()?;
        {
            let view = self.services().catalog.view();
            let hash = view.get::<TokenIds>(&(caller.tenant.id, token)).map_err(Error::from)?.ok_or_else(|| not_found("the token"))?;
            let record = view.get::<Tokens>(&hash).map_err(Error::from)?.ok_or_else(|| not_found("the token"))?;
            whose(&caller.principal, caller.tenant.id, Some(record.user_id))?;
        }
        self.propose(&caller.principal, &r.request_id, Command::RevokeToken { tenant: caller.tenant.id, token }).await?;
        let view = self.services().catalog.view();
        let hash = view.get::<TokenIds>(&(caller.tenant.id, token)).map_err(Error::from)?.ok_or_else(|| not_found("the token"))?;
        let token = view.get::<Tokens>(&hash).map_err(Error::from)?.ok_or_else(|| not_found("the token"))?;
        Ok(convert::token(&token))
    }
}

/// Whose tokens the caller may list or revoke, of those asked for (none: everybody's): who may not manage tokens of others
/// has their own.
fn whose(principal: &Principal, tenant: TenantId, asked: Option<UserId>) -> Result<Option<UserId>, Error> {
    let others = authorize(principal, Action::ManageTokens, tenant);
    let own = (principal.tenant_id == tenant).then_some(principal.user_id);
    match (others, asked) {
        (Ok(()), asked) => Ok(asked),
        (Err(e), Some(user)) if own != Some(user) => Err(e),
        (Err(e), _) => own.map(Some).ok_or(e),
    }
}

#[cfg(test)]
#[path = "users_tests.rs"]
mod tests;

fn roles(codes: &[i32]) -> Result<Vec<Role>, Error> {
    let bad = |c: &i32| Error::new(ErrorCode::InvalidArgument, format!("{c} is not a role"));
    codes.iter().map(|c| pb::Role::try_from(*c).ok().and_then(convert::role_of).ok_or_else(|| bad(c))).collect()
}
