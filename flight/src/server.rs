//! The listening side: limits of messages and windows, TLS, and an orderly end.

use std::future::Future;
use std::sync::Arc;

use arrow_flight::flight_service_server::FlightServiceServer;
use futures::StreamExt;
use lakewright_proto::{Error, ErrorCode};
use lakewright_storage::query::QueryEngine;
use tokio::net::TcpListener;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Server, ServerTlsConfig};

use crate::auth::Authenticate;
use crate::connection::Conn;
use crate::outer::FlightGate;
use crate::parked::Parked;
use crate::plans::Plans;
use crate::running::{FlightLimits, Running};
use crate::service::FlightSql;
use crate::sessions::Sessions;
use crate::ticket::KeyRing;

/// What the service is made of.
pub struct FlightParts {
    /// Sessions.
    pub engine: QueryEngine,
    /// Who calls.
    pub auth: Arc<dyn Authenticate>,
    /// Signing keys.
    pub keys: Arc<dyn KeyRing>,
    /// Limits.
    pub limits: FlightLimits,
}

/// The same with the running queries.
pub(crate) struct Parts {
    pub(crate) engine: QueryEngine,
    pub(crate) auth: Arc<dyn Authenticate>,
    pub(crate) keys: Arc<dyn KeyRing>,
    pub(crate) running: Running,
    pub(crate) sessions: Sessions,
    pub(crate) plans: Plans,
    pub(crate) parked: Parked,
}

/// The service, to stand beside others in one server.
pub fn service(parts: FlightParts) -> FlightServiceServer<FlightGate> {
    let running = Running::new(parts.limits.queries_per_tenant);
    let inner = Parts {
        engine: parts.engine,
        auth: parts.auth,
        keys: parts.keys,
        running,
        sessions: Sessions::default(),
        plans: Plans::default(),
        parked: Parked::default(),
    };
    FlightServiceServer::new(FlightGate::new(FlightSql::new(Arc::new(inner))))
        .max_decoding_message_size(parts.limits.message_bytes)
        .max_encoding_message_size(parts.limits.message_bytes)
}

/// Serves until `shutdown` resolves; then answers under way are finished.
pub async fn serve(
    listener: TcpListener,
    tls: Option<ServerTlsConfig>,
    parts: FlightParts,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), Error> {
    let fault = |e: tonic::transport::Error| Error::new(ErrorCode::Unavailable, format!("the Flight SQL server ended: {e}"));
    let mut server = Server::builder()
        .initial_stream_window_size(8 << 20)
        .initial_connection_window_size(32 << 20)
        .http2_keepalive_interval(Some(std::time::Duration::from_secs(30)));
    if let Some(tls) = tls {
        server = server.tls_config(tls).map_err(fault)?;
    }
    let incoming = TcpIncoming::from(listener).with_nodelay(Some(true)).map(|accepted| accepted.map(Conn::new));
    server.add_service(service(parts)).serve_with_incoming_shutdown(incoming, shutdown).await.map_err(fault)
}
