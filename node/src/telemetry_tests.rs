//! Tests of the metrics endpoint.

#![expect(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::metric_names::{COMMIT_SECONDS, RECORDS};

async fn ask(addr: std::net::SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(addr).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn metrics_are_served_with_help_and_labels() {
    let recorder = recorder().unwrap();
    let handle = recorder.handle();
    metrics::with_local_recorder(&recorder, || {
        metrics::counter!(RECORDS, "tenant" => "acme", "connector" => "opps").increment(5);
        metrics::histogram!(COMMIT_SECONDS, "tenant" => "acme", "connector" => "opps").record(0.004);
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let stop = CancellationToken::new();
    let served = tokio::spawn(serve_metrics(listener, handle, stop.clone()));

    let text = ask(addr, "GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert!(text.starts_with("HTTP/1.1 200 OK\r\n"), "{text}");
    assert!(text.contains("# HELP lakewright_records_total Records committed to Bronze."), "{text}");
    assert!(text.contains(r#"lakewright_records_total{tenant="acme",connector="opps"} 5"#), "{text}");
    assert!(text.contains(r#"lakewright_commit_seconds_bucket{tenant="acme",connector="opps",le="0.005"} 1"#), "{text}");
    assert!(ask(addr, "GET / HTTP/1.1\r\n\r\n").await.starts_with("HTTP/1.1 404"));
    assert!(ask(addr, "POST /metrics HTTP/1.1\r\n\r\n").await.starts_with("HTTP/1.1 405"));
    // A head that never ends is cut off: an end, or a reset where the rest of it was still on its way.
    let mut endless = TcpStream::connect(addr).await.unwrap();
    endless.write_all(&vec![b'x'; MAX_HEAD + 1]).await.unwrap();
    assert!(matches!(endless.read(&mut [0; 16]).await, Ok(0) | Err(_)));

    stop.cancel();
    served.await.unwrap();
    assert!(TcpStream::connect(addr).await.is_err(), "the listener is closed");
}
