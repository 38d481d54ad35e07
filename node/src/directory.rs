//! Tokens, users and keys as the catalog has them.

use std::sync::Arc;

use lakewright_actors::services::{now_us, SecretOpener};
use lakewright_proto::{ConnectorId, Error, ErrorCode, TenantId};
use lakewright_storage::catalog::keyspace::{Tenants, Tokens, Users};
use lakewright_storage::catalog::records::SealedSecret;
use lakewright_storage::catalog::{Catalog, Read as _};

use crate::auth::{Directory, TokenRecord};
use crate::secrets::{KeyRing, Purpose};

/// Looks tokens up in the applied state of this node.
pub struct CatalogDirectory(pub Catalog);

impl Directory for CatalogDirectory {
    fn token(&self, hash: &[u8; 32]) -> Result<Option<TokenRecord>, Error> {
        let view = self.0.view();
        let Some(token) = view.get::<Tokens>(hash).map_err(Error::from)? else { return Ok(None) };
        let user = view.get::<Users>(&(token.tenant_id, token.user_id)).map_err(Error::from)?;
        let tenant = view.get::<Tenants>(&token.tenant_id).map_err(Error::from)?;
        Ok(match (user, tenant) {
            (Some(user), Some(tenant)) => Some(TokenRecord { hash: *hash, token, user, tenant }),
            _ => None,
        })
    }

    fn system_tenant(&self) -> Result<TenantId, Error> {
        let cluster = self.0.view().cluster().map_err(Error::from)?;
        cluster.map(|c| c.system_tenant).ok_or_else(|| Error::new(ErrorCode::Unavailable, "the cluster is not initialised yet"))
    }

    fn now(&self) -> i64 {
        now_us()
    }
}

/// Opens secrets of connectors and webhooks with the cluster key.
pub struct Opener(pub Arc<KeyRing>);

impl Opener {
    fn text(&self, purpose: Purpose<'_>, what: &str, sealed: &SealedSecret) -> Result<String, Error> {
        let opened = self.0.open(purpose, &sealed.sealed)?;
        String::from_utf8(opened.expose().to_vec())
            .map_err(|_| Error::new(ErrorCode::DataLoss, format!("the secret {what} is not text; set it again")))
    }
}

impl SecretOpener for Opener {
    fn open(&self, tenant: TenantId, connector: ConnectorId, field: &str, sealed: &SealedSecret) -> Result<String, Error> {
        let purpose = Purpose::ConnectorField { tenant, connector, field, version: sealed.version };
        self.text(purpose, field, sealed)
    }

    fn open_webhook(&self, tenant: TenantId, name: &str, sealed: &SealedSecret) -> Result<String, Error> {
        self.text(Purpose::Webhook { tenant, name, version: sealed.version }, name, sealed)
    }
}
