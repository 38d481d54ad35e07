//! Webhooks: where a tenant's alerts are sent.

use lakewright_actors::webhooks::{check_url, new_secret};
use lakewright_proto::ids::validate_slug;
use lakewright_proto::{admin as pb, Error, ErrorCode};
use lakewright_storage::catalog::command::Command;
use lakewright_storage::catalog::keyspace::Webhooks;
use lakewright_storage::catalog::records::{Alert, SealedSecret, Webhook};
use lakewright_storage::catalog::Read as _;
use rand::RngCore as _;
use tonic::Request;

use super::access::not_found;
use super::convert::time;
use super::pages::page;
use super::service::AdminService;
use crate::auth::{authorize, Action};
use crate::secrets::Purpose;

/// Kinds that one webhook may name.
const MAX_KINDS: usize = 64;
/// Bytes of an address or a kind.
const MAX_TEXT: usize = 2_048;

impl AdminService {
    pub(super) async fn create_webhook_(&self, request: Request<pb::CreateWebhookRequest>) -> Result<pb::CreateWebhookResponse, Error> {
        let caller = self.caller(&request, &request.get_ref().tenant, Action::ManageConnectors)?;
        let r = request.into_inner();
        validate_slug("webhook name", &r.name)?;
        if r.kinds.len() > MAX_KINDS || r.url.len() > MAX_TEXT || r.kinds.iter().any(|k| k.is_empty() || k.len() > MAX_TEXT) {
            let message = format!("a webhook has an address of at most {MAX_TEXT} bytes and at most {MAX_KINDS} kinds, none of them empty");
            return Err(Error::new(ErrorCode::InvalidArgument, message));
        }
        let url = check_url(&r.url, self.facts().webhooks)?;
        let mut random = [0; 32];
        rand::rng().fill_bytes(&mut random);
        let secret = new_secret(&random);
        let tenant = caller.tenant.id;
        let sealed = self.seal_for(Purpose::Webhook { tenant, name: &r.name, version: 1 }, &secret)?;
        let webhook = Webhook {
            tenant_id: tenant,
            name: r.name.clone(),
            url: url.to_string(),
            kinds: r.kinds,
            secret: SealedSecret { sealed, version: 1 },
            created_at: 0,
            next: 0,
            attempts: 0,
            retry_at: 0,
            last_error: None,
            delivered: 0,
            given_up: 0,
        };
        self.propose(&caller.principal, &r.request_id, Command::CreateWebhook(webhook)).await?;
        let made = self.webhook(tenant, &r.name)?;
        Ok(pb::CreateWebhookResponse { webhook: Some(message(&made)), secret })
    }

    fn webhook(&self, tenant: lakewright_proto::TenantId, name: &str) -> Result<Webhook, Error> {
        let found = self.services().catalog.view().get::<Webhooks>(&(tenant, name.to_owned())).map_err(Error::from)?;
        found.ok_or_else(|| not_found(format_args!("webhook {name:?}")))
    }

    pub(super) async fn list_webhooks_(&self, request: Request<pb::ListWebhooksRequest>) -> Result<pb::ListWebhooksResponse, Error> {
        let caller = self.caller(&request, &request.get_ref().tenant, Action::ReadQuality)?;
        let r = request.into_inner();
        let all = self.services().catalog.view().scan::<Webhooks>(&caller.tenant.id).map_err(Error::from)?;
        let (rows, next_page_token) = page(all.into_iter().map(|(_, w)| w).collect(), r.page_size, &r.page_token)?;
        let whole = authorize(&caller.principal, Action::ManageConnectors, caller.tenant.id).is_ok();
        let shown = |w: &Webhook| if whole { message(w) } else { pb::Webhook { url: without_path(&w.url), ..message(w) } };
        Ok(pb::ListWebhooksResponse { webhooks: rows.iter().map(shown).collect(), next_page_token })
    }

    pub(super) async fn delete_webhook_(&self, request: Request<pb::DeleteWebhookRequest>) -> Result<pb::DeleteWebhookResponse, Error> {
        let caller = self.caller(&request, &request.get_ref().tenant, Action::ManageConnectors)?;
        let name = request.into_inner().name;
        self.propose(&caller.principal, "", Command::DeleteWebhook { tenant: caller.tenant.id, name }).await?;
        Ok(pb::DeleteWebhookResponse {})
    }

    pub(super) async fn test_webhook_(&self, request: Request<pb::TestWebhookRequest>) -> Result<pb::TestWebhookResponse, Error> {
        let caller = self.caller(&request, &request.get_ref().tenant, Action::ManageConnectors)?;
        let webhook = self.webhook(caller.tenant.id, &request.into_inner().name)?;
        let text = format!("a test of webhook {:?}, asked for by a person", webhook.name);
        self.propose(&caller.principal, "", Command::RaiseAlert(Alert::new(caller.tenant.id, "webhook_test", webhook.name, text))).await?;
        Ok(pb::TestWebhookResponse {})
    }
}

/// Scheme and host of an address: paths of chat services are secrets, for those alone who manage webhooks.
fn without_path(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("https", url));
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    format!("{scheme}://{host}/...")
}

#[cfg(test)]
#[path = "webhooks_tests.rs"]
mod tests;

fn message(w: &Webhook) -> pb::Webhook {
    pb::Webhook {
        tenant_id: w.tenant_id.to_string(),
        name: w.name.clone(),
        url: w.url.clone(),
        kinds: w.kinds.clone(),
        created_at: Some(time(w.created_at)),
        delivered: w.delivered,
        given_up: w.given_up,
        attempts: w.attempts,
        retry_at: (w.retry_at > 0).then(|| time(w.retry_at)),
        last_error: w.last_error.clone().unwrap_or_default(),
    }
}
