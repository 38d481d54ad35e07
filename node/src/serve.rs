//! A node from start to end: parts, listeners, the wait for a signal, and the ordered stop.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use lakewright_actors::services::now_us;
use lakewright_proto::admin::admin_server::AdminServer;
use lakewright_proto::{admin, Error};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::transport::server::TcpIncoming;
use tonic::transport::Server;

use crate::admin::{AdminService, NodeFacts};
use crate::auth::{AuthInterceptor, Authenticator};
use crate::catalog_state::failed;
use crate::config::Config;
use crate::directory::CatalogDirectory;
use crate::queries;
use crate::startup::{reach, start, Parts};
use crate::{recover, telemetry, ticket_ring, tls, token_recovery};

/// Gathered records are committed, and the process ends, within this after SIGTERM.
const STOP_WITHIN: Duration = Duration::from_secs(8);
/// Threads for encoding, checking and local disk.
const BLOCKING_THREADS: usize = 64;
/// Stack of each thread: planning a query goes as deep as its operators are nested; only what is used takes memory.
const STACK: usize = 16 << 20;
/// A call has this long for the beginning of its answer. A stream then goes on as long as it has something to say.
const CALL_WITHIN: Duration = Duration::from_secs(600);
/// A new ticket key is made this often.
const TICKET_KEY_LIFE: Duration = Duration::from_secs(24 * 3_600);

/// Runs a node until SIGTERM or SIGINT.
pub fn run(config: Config) -> Result<(), Error> {
    telemetry::init_logs(&config.log)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .max_blocking_threads(BLOCKING_THREADS)
        .thread_stack_size(STACK)
        .build()
        .map_err(|e| failed("starting the runtime", e))?;
    runtime.block_on(Box::pin(serve(config)))
}

async fn serve(config: Config) -> Result<(), Error> {
    let metrics = telemetry::init_metrics()?;
    let admin_listener = bind("admin.listen", config.admin.listen).await?;
    let flight_listener = bind("flight.listen", config.flight.listen).await?;
    let metrics_listener = bind("metrics.listen", config.metrics.listen).await?;
    let addresses = Addresses { admin: local(&admin_listener)?, flight: local(&flight_listener)?, metrics: local(&metrics_listener)? };
    let stop = CancellationToken::new();
    let tls = tls::server_tls(&config.tls)?;
    let parts = start(config).await?;
    let engine = Arc::new(queries::engine(&parts, addresses.flight)?);
    let authenticator = Authenticator::new(Arc::new(CatalogDirectory(parts.services.catalog.clone())));

    let facts = facts(&parts, &addresses);
    let service = AdminService::new(Arc::clone(&parts.services), Arc::clone(&engine), Arc::clone(&parts.keys), parts.raft.status(), facts);
    let admin_server = admin_server(service, authenticator.clone(), tls.clone(), admin_listener, stop.clone()).await?;
    let services = Arc::clone(&parts.services);
    parts.services.work.spawn(lakewright_actors::marts::watch(services, Arc::clone(&engine), now_us));
    let ring = ticket_ring::TicketRing::new(parts.services.catalog.clone(), Arc::clone(&parts.keys))?;
    let flight = queries::flight_parts(&parts, engine.as_ref().clone(), authenticator, ring.clone());
    let flight_server = tokio::spawn(queries::serve(flight, tls, flight_listener, stop.clone()));
    tokio::spawn(telemetry::serve_metrics(metrics_listener, metrics, stop.clone()));
    let socket = token_recovery::bind(&parts.config.recover_socket())?;
    let services = Arc::clone(&parts.services);
    let issue = move || {
        let services = Arc::clone(&services);
        async move { recover::issue(&services).await }
    };
    tokio::spawn(token_recovery::serve(socket, stop.clone(), issue));
    tokio::spawn(ticket_ring::rotate(ring, TICKET_KEY_LIFE, stop.clone()));
    addresses.write(&parts)?;
    tracing::info!(admin = %addresses.admin, flight = %addresses.flight, metrics = %addresses.metrics, "node is up");

    let why = tokio::select! {
        signal = signal() => signal?,
        e = parts.raft.failed() => e.message,
    };
    tracing::info!(why, "stopping: no more fetching, gathered records are committed");
    let ended = parts.root.drain(STOP_WITHIN).await;
    stop.cancel();
    let _ = tokio::time::timeout(Duration::from_secs(1), futures::future::join(admin_server, flight_server)).await;
    parts.raft.shutdown().await?;
    parts.state.close().map_err(Error::from)?;
    tracing::info!(ended, "stopped");
    Ok(())
}

fn server(call_within: Duration) -> Server {
    Server::builder().concurrency_limit_per_connection(64).timeout(call_within)
}

async fn admin_server(
    service: AdminService,
    authenticator: Authenticator,
    tls: Option<tonic::transport::ServerTlsConfig>,
    listener: TcpListener,
    stop: CancellationToken,
) -> Result<tokio::task::JoinHandle<()>, Error> {
    let (health, health_service) = tonic_health::server::health_reporter();
    health.set_serving::<AdminServer<AdminService>>().await;
    let reflection = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(admin::FILE_DESCRIPTOR_SET)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        .build_v1()
        .map_err(|e| failed("building server reflection", e))?;
    let reflection_alpha = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(admin::FILE_DESCRIPTOR_SET)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        .build_v1alpha()
        .map_err(|e| failed("building server reflection", e))?;
    let mut server = server(CALL_WITHIN);
    if let Some(tls) = tls {
        server = server.tls_config(tls).map_err(|e| failed("using TLS", e))?;
    }
    let admin = AdminServer::with_interceptor(service, AuthInterceptor::new(authenticator));
    let router = server.add_service(health_service).add_service(reflection).add_service(reflection_alpha).add_service(admin);
    Ok(tokio::spawn(async move {
        // The builder's own setting does not reach listeners that are given to it.
        let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
        let served = router.serve_with_incoming_shutdown(incoming, stop.cancelled()).await;
        if let Err(e) = served {
            tracing::error!(error = %e, "the admin API has ended");
        }
    }))
}

/// Where the listeners are, which differs from the configuration where that says port 0.
struct Addresses {
    admin: SocketAddr,
    flight: SocketAddr,
    metrics: SocketAddr,
}

impl Addresses {
    /// Tells programs on this machine, among them the CLI, where to connect.
    fn write(&self, parts: &Parts) -> Result<(), Error> {
        let map: BTreeMap<&str, String> =
            [("admin", self.admin.to_string()), ("flight", self.flight.to_string()), ("metrics", self.metrics.to_string())].into();
        let path = parts.config.node.data_dir.join("addresses.json");
        let draft = path.with_extension("json.new");
        let text = serde_json::to_string(&map).map_err(|e| failed("writing addresses", e))?;
        std::fs::write(&draft, text)
            .and_then(|()| std::fs::rename(&draft, &path))
            .map_err(|e| failed(&format!("writing {}", path.display()), e))
    }
}

fn facts(parts: &Parts, addresses: &Addresses) -> NodeFacts {
    NodeFacts {
        name: parts.config.node_name(),
        admin_address: addresses.admin.to_string(),
        flight_address: addresses.flight.to_string(),
        metrics_address: addresses.metrics.to_string(),
        storage_url: parts.config.storage_url(),
        zone: parts.config.node.zone.clone().unwrap_or_default(),
        labels: parts.config.node.labels.clone(),
        webhooks: reach(&parts.config),
        started_at: now_us(),
    }
}

async fn bind(key: &str, address: SocketAddr) -> Result<TcpListener, Error> {
    TcpListener::bind(address).await.map_err(|e| failed(&format!("listening on {address} ({key})"), e))
}

fn local(listener: &TcpListener) -> Result<SocketAddr, Error> {
    listener.local_addr().map_err(|e| failed("reading a listener's address", e))
}

async fn signal() -> Result<String, Error> {
    use tokio::signal::unix::{signal, SignalKind};
    let mut term = signal(SignalKind::terminate()).map_err(|e| failed("waiting for signals", e))?;
    let mut int = signal(SignalKind::interrupt()).map_err(|e| failed("waiting for signals", e))?;
    Ok(tokio::select! {
        _ = term.recv() => "SIGTERM".to_owned(),
        _ = int.recv() => "SIGINT".to_owned(),
    })
}

#[cfg(test)]
#[path = "serve_tests.rs"]
mod tests;
