//! Logs on standard error, and metrics for Prometheus.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use lakewright_proto::{Error, ErrorCode};
use metrics::{Recorder as _, SharedString};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

use crate::config::{LogFormat, LogSection};
use crate::metric_names::{Kind, METRICS};

/// Upper bounds of the distributions, in seconds.
const BUCKETS: [f64; 14] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0];
/// Scrapers at once; more wait.
const MAX_SCRAPES: usize = 8;
/// A request's head may be this long,
const MAX_HEAD: usize = 8 << 10;
/// ... and may take this long.
const SCRAPE_TIMEOUT: Duration = Duration::from_secs(10);

/// Starts writing logs. Once a process.
pub fn init_logs(config: &LogSection) -> Result<(), Error> {
    let filter = EnvFilter::try_new(&config.filter).map_err(|e| Error::new(ErrorCode::InvalidArgument, format!("log.filter: {e}")))?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    let started = match config.format {
        LogFormat::Text => builder.try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
    started.map_err(|e| Error::new(ErrorCode::Internal, format!("logs cannot be started: {e}")))
}

/// Starts recording metrics. Once a process.
pub fn init_metrics() -> Result<PrometheusHandle, Error> {
    let recorder = recorder()?;
    let handle = recorder.handle();
    metrics::set_global_recorder(recorder).map_err(|e| Error::new(ErrorCode::Internal, format!("metrics cannot be started: {e}")))?;
    Ok(handle)
}

/// A recorder that knows every metric's help text.
fn recorder() -> Result<PrometheusRecorder, Error> {
    let mut builder = PrometheusBuilder::new();
    for m in METRICS.iter().filter(|m| m.kind == Kind::Histogram) {
        builder = builder
            .set_buckets_for_metric(Matcher::Full(m.name.to_owned()), &BUCKETS)
            .map_err(|e| Error::new(ErrorCode::Internal, format!("metrics cannot be started: {e}")))?;
    }
    let recorder = builder.build_recorder();
    for m in METRICS {
        let (name, help) = (m.name.into(), SharedString::from(m.help.trim()));
        match m.kind {
            Kind::Counter => recorder.describe_counter(name, None, help),
            Kind::Gauge => recorder.describe_gauge(name, None, help),
            Kind::Histogram => recorder.describe_histogram(name, None, help),
        }
    }
    Ok(recorder)
}

/// Serves `GET /metrics` until `stop`, and drains distributions so that they do not grow between scrapes.
pub async fn serve_metrics(listener: TcpListener, handle: PrometheusHandle, stop: CancellationToken) {
    let permits = Arc::new(Semaphore::new(MAX_SCRAPES));
    let mut upkeep = tokio::time::interval(Duration::from_secs(5));
    upkeep.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => return,
            _ = upkeep.tick() => {
                handle.run_upkeep();
                continue;
            }
            accepted = async {
                let permit = Arc::clone(&permits).acquire_owned().await;
                (permit, listener.accept().await)
            } => accepted,
        };
        let (Ok(permit), Ok((stream, _))) = accepted else {
            // Out of file descriptors, say: the next tick tries again rather than spinning.
            upkeep.tick().await;
            continue;
        };
        let handle = handle.clone();
        tokio::spawn(async move {
            // A scraper that went away is its own affair.
            let _ = tokio::time::timeout(SCRAPE_TIMEOUT, answer(stream, &handle)).await;
            drop(permit);
        });
    }
}

/// One request, one answer: all that a scraper needs of HTTP.
async fn answer(mut stream: TcpStream, handle: &PrometheusHandle) -> io::Result<()> {
    let mut head = Vec::with_capacity(1024);
    while !head.windows(4).any(|w| w == b"\r\n\r\n") {
        if head.len() >= MAX_HEAD || stream.read_buf(&mut head).await? == 0 {
            return Ok(());
        }
    }
    let line = head.split(|b| *b == b'\r').next().unwrap_or_default();
    let (status, body) = match line.split(|b| *b == b' ').collect::<Vec<_>>()[..] {
        [b"GET", b"/metrics", ..] => ("200 OK", handle.render()),
        [b"GET", ..] => ("404 Not Found", "metrics are at /metrics\n".to_owned()),
        _ => ("405 Method Not Allowed", "only GET\n".to_owned()),
    };
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: text/plain; version=0.0.4; charset=utf-8\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body.as_bytes()).await?;
    stream.shutdown().await
}

#[cfg(test)]
#[path = "telemetry_tests.rs"]
mod tests;
