//! Flight SQL joined to this node: sessions, who calls, signing keys.

use std::net::SocketAddr;
use std::sync::Arc;

use lakewright_flight::{Authenticate, FlightLimits, FlightParts, Key, KeyRing, Session};
use lakewright_proto::{Error, NodeId};
use lakewright_storage::deletion_vector::StoredDeletes;
use lakewright_storage::query::{QueryEngine, QueryOptions};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::transport::ServerTlsConfig;

use crate::auth::{authorize, Action, Authenticator, Principal};
use crate::catalog_state::failed;
use crate::startup::Parts;
use crate::ticket_ring::TicketRing;

/// Sessions over the node's catalog and store.
pub fn engine(parts: &Parts, flight_address: SocketAddr) -> Result<QueryEngine, Error> {
    let flight = &parts.config.flight;
    let temp_dir = parts.config.node.data_dir.join("spill");
    std::fs::create_dir_all(&temp_dir).map_err(|e| failed(&format!("creating {}", temp_dir.display()), e))?;
    let options = QueryOptions {
        memory_per_tenant: flight.query_memory_bytes.as_usize(),
        temp_dir,
        timeout: flight.query_timeout,
        node: NodeId(parts.config.node.id),
        flight_address: flight_address.to_string(),
        ..QueryOptions::default()
    };
    let services = &parts.services;
    let deletes = Arc::new(StoredDeletes(services.store.clone()));
    let store = Arc::clone(services.store.inner());
    Ok(QueryEngine::new(services.catalog.clone(), store, options, deletes, Arc::clone(&services.manifests)))
}

/// Serves Flight SQL until the node stops.
pub async fn serve(parts: FlightParts, tls: Option<ServerTlsConfig>, listener: TcpListener, stop: CancellationToken) {
    if let Err(e) = lakewright_flight::serve(listener, tls, parts, stop.cancelled_owned()).await {
        tracing::error!(error = %e, "flight sql has ended");
    }
}

/// What Flight SQL needs of the node.
pub fn flight_parts(parts: &Parts, engine: QueryEngine, authenticator: Authenticator, ring: TicketRing) -> FlightParts {
    let limits = FlightLimits { queries_per_tenant: parts.config.flight.max_sessions as usize, ..FlightLimits::default() };
    FlightParts { engine, auth: Arc::new(Door(authenticator)), keys: Arc::new(ring), limits }
}

/// System tables that show what the admin API shows to some roles alone.
const GUARDED: [(&str, Action); 3] =
    [("users", Action::ReadUsers), ("audit", Action::ReadAudit), ("dead_letters", Action::ReadDeadLetters)];

/// Lets those in who may query.
struct Door(Authenticator);

impl Door {
    fn session(principal: Principal) -> Result<Session, Error> {
        authorize(&principal, Action::QueryData, principal.tenant_id)?;
        let hidden = GUARDED.iter().filter(|(_, action)| authorize(&principal, *action, principal.tenant_id).is_err());
        let hidden = hidden.map(|(table, _)| *table).collect();
        let Principal { tenant_id, tenant_slug: slug, email: principal, user_id, .. } = principal;
        Ok(Session { tenant_id, slug, principal, user_id, hidden })
    }
}

impl Authenticate for Door {
    fn basic(&self, user: &str, password: &str) -> Result<Session, Error> {
        Self::session(self.0.basic(user, password)?)
    }

    fn bearer(&self, token: &str) -> Result<Session, Error> {
        Self::session(self.0.bearer(token)?)
    }
}

impl KeyRing for TicketRing {
    fn current(&self) -> (u32, Key) {
        let key = self.newest();
        (key.id, *key.expose())
    }

    fn get(&self, id: u32) -> Option<Key> {
        match self.key(id) {
            Ok(key) => key.map(|k| *k.expose()),
            Err(e) => {
                tracing::error!(error = %e, id, "a ticket key cannot be opened");
                None
            }
        }
    }
}
