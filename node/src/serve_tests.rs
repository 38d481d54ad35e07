//! The time that a call has is for the beginning of its answer: streams of progress go on.
#![expect(clippy::unwrap_used, reason = "tests")]

use tonic_health::pb::health_client::HealthClient;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::ServingStatus;

use super::*;

#[tokio::test]
async fn a_stream_outlives_the_time_that_a_call_has() {
    let within = Duration::from_millis(50);
    let (health, service) = tonic_health::server::health_reporter();
    health.set_service_status("s", ServingStatus::Serving).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serving = tokio::spawn(server(within).add_service(service).serve_with_incoming(TcpIncoming::from(listener)));
    let channel = tonic::transport::Channel::from_shared(format!("http://{address}")).unwrap().connect().await.unwrap();
    let mut client = HealthClient::new(channel);
    let mut stream = client.watch(HealthCheckRequest { service: "s".into() }).await.unwrap().into_inner();
    assert_eq!(stream.message().await.unwrap().unwrap().status, 1);
    // Neither an answer nor an end comes while the time passes several times over.
    assert!(tokio::time::timeout(within * 6, stream.message()).await.is_err());
    health.set_service_status("s", ServingStatus::NotServing).await;
    assert_eq!(stream.message().await.unwrap().unwrap().status, 2);
    serving.abort();
}
