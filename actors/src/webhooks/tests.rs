//! Deliveries to a server of the test's own: order, signatures, retries, what is passed over, and what
//! a restart repeats.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::sync::atomic::{AtomicU16, Ordering};

use lakewright_storage::catalog::records::SealedSecret;
use parking_lot::Mutex;
use proptest::prelude::*;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;

use super::*;
use crate::fixture::Lake;

/// What came: headers in lower case, and the body.
type Came = (Vec<(String, String)>, Vec<u8>);

/// Takes what is posted, and answers as it is told.
struct Taker {
    url: String,
    status: Arc<AtomicU16>,
    came: Arc<Mutex<Vec<Came>>>,
}

impl Taker {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/alerts", listener.local_addr().unwrap());
        let (status, came) = (Arc::new(AtomicU16::new(204)), Arc::new(Mutex::new(Vec::new())));
        let (says, put) = (Arc::clone(&status), Arc::clone(&came));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let mut stream = BufReader::new(stream);
                let (mut headers, mut line) = (Vec::new(), String::new());
                while stream.read_line(&mut line).await.unwrap() > 2 {
                    if let Some((name, value)) = line.trim().split_once(": ") {
                        headers.push((name.to_lowercase(), value.to_owned()));
                    }
                    line.clear();
                }
                let length = header(&headers, "content-length").parse().unwrap();
                let mut body = vec![0; length];
                stream.read_exact(&mut body).await.unwrap();
                put.lock().push((headers, body));
                let answer = format!("HTTP/1.1 {} x\r\ncontent-length: 0\r\nconnection: close\r\n\r\n", says.load(Ordering::SeqCst));
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        Self { url, status, came }
    }

    fn subjects(&self) -> Vec<String> {
        let subject =
            |body: &[u8]| serde_json::from_slice::<serde_json::Value>(body).unwrap()["data"]["subject"].as_str().unwrap().to_owned();
        self.came.lock().iter().map(|(_, body)| subject(body)).collect()
    }
}

fn header<'a>(headers: &'a [(String, String)], name: &str) -> &'a str {
    headers.iter().find(|(n, _)| n == name).map_or("", |(_, v)| v)
}

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

async fn hook(lake: &Lake, tenant: TenantId, name: &str, url: &str, kinds: &[&str]) {
    let webhook = Webhook {
        tenant_id: tenant,
        name: name.into(),
        url: url.into(),
        kinds: kinds.iter().map(|k| (*k).to_owned()).collect(),
        secret: SealedSecret { sealed: SECRET.as_bytes().to_vec(), version: 1 },
        created_at: 0,
        next: 0,
        attempts: 0,
        retry_at: 0,
        last_error: None,
        delivered: 0,
        given_up: 0,
    };
    lake.propose(Command::CreateWebhook(webhook)).await;
}

async fn raise(lake: &Lake, tenant: TenantId, kind: &str, subject: &str) {
    lake.propose(Command::RaiseAlert(Alert::new(tenant, kind, subject, "m"))).await;
}

fn read(lake: &Lake, tenant: TenantId, name: &str) -> Webhook {
    lake.services.catalog.view().get::<Webhooks>(&(tenant, name.to_owned())).unwrap().unwrap()
}

#[tokio::test]
async fn alerts_come_signed_in_order_and_once() {
    let lake = Lake::new().await;
    let tenant = lake.stream("acme").await.tenant;
    let (taker, sender) = (Taker::start().await, Sender::new(Reach::Private).unwrap());
    raise(&lake, tenant, "k", "before").await;
    hook(&lake, tenant, "all", &taker.url, &[]).await;
    hook(&lake, tenant, "some", &taker.url, &["freshness"]).await;
    for n in 0..3 {
        raise(&lake, tenant, "k", &n.to_string()).await;
    }
    let now = now_us();
    assert_eq!(deliver_due(&lake.services, &sender, &|| now).await.unwrap(), 3);
    assert_eq!(deliver_due(&lake.services, &sender, &|| now).await.unwrap(), 0);
    assert_eq!(taker.subjects(), ["0", "1", "2"]);
    assert_eq!((read(&lake, tenant, "all").delivered, read(&lake, tenant, "some").delivered), (3, 0));
    let came = taker.came.lock();
    let (headers, body) = &came[0];
    let (id, seconds) = (header(headers, "webhook-id"), header(headers, "webhook-timestamp"));
    assert_eq!(header(headers, "webhook-signature"), sign(SECRET, id, seconds.parse().unwrap(), body).unwrap());
    let told: serde_json::Value = serde_json::from_slice(body).unwrap();
    assert_eq!((&told["type"], &told["data"]["tenant_id"]), (&"alert.k".into(), &tenant.to_string().into()));
}

#[tokio::test]
async fn a_refusal_holds_the_order_and_is_given_up_after_the_last_attempt() {
    let lake = Lake::new().await;
    let tenant = lake.stream("acme").await.tenant;
    let (taker, sender) = (Taker::start().await, Sender::new(Reach::Private).unwrap());
    hook(&lake, tenant, "all", &taker.url, &[]).await;
    raise(&lake, tenant, "k", "first").await;
    raise(&lake, tenant, "k", "second").await;
    taker.status.store(503, Ordering::SeqCst);
    let mut now = now_us();
    for attempt in 1..ATTEMPTS {
        assert_eq!(deliver_due(&lake.services, &sender, &|| now).await.unwrap(), 0);
        let w = read(&lake, tenant, "all");
        assert_eq!((w.attempts, w.last_error.as_deref()), (attempt, Some("it answered 503 Service Unavailable")));
        assert!(w.retry_at > now);
        deliver_due(&lake.services, &sender, &|| w.retry_at - 1).await.unwrap();
        assert_eq!(read(&lake, tenant, "all").attempts, attempt, "not before its time");
        now = w.retry_at;
    }
    deliver_due(&lake.services, &sender, &|| now).await.unwrap();
    assert_eq!(read(&lake, tenant, "all").given_up, 1);
    assert_eq!(taker.subjects().iter().filter(|s| *s == "first").count(), ATTEMPTS as usize);
    // A redirect is no answer: it would be a way around what may be reached.
    taker.status.store(302, Ordering::SeqCst);
    let due = read(&lake, tenant, "all").retry_at;
    deliver_due(&lake.services, &sender, &|| due).await.unwrap();
    taker.status.store(200, Ordering::SeqCst);
    let due = read(&lake, tenant, "all").retry_at;
    deliver_due(&lake.services, &sender, &|| due).await.unwrap();
    let w = read(&lake, tenant, "all");
    assert_eq!((w.delivered, w.attempts, w.last_error), (1, 0, None));
    assert_eq!(taker.subjects().last().unwrap(), "second");
}

#[tokio::test]
async fn one_tenant_that_refuses_holds_up_no_other() {
    let lake = Lake::new().await;
    let (one, other) = (lake.stream("acme").await.tenant, lake.stream("globex").await.tenant);
    let (taker, sender) = (Taker::start().await, Sender::new(Reach::Private).unwrap());
    // Nobody listens there any more.
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    hook(&lake, one, "gone", &format!("http://{gone}/"), &[]).await;
    hook(&lake, other, "there", &taker.url, &[]).await;
    raise(&lake, one, "k", "of one").await;
    raise(&lake, other, "k", "of the other").await;
    assert_eq!(deliver_due(&lake.services, &sender, &now_us).await.unwrap(), 1);
    assert_eq!(taker.subjects(), ["of the other"]);
    assert!(read(&lake, one, "gone").last_error.unwrap().contains("refused"));
}

proptest! {
    #[test]
    fn attempts_end_within_two_days_and_wait_longer_each_time(salt: u64) {
        let (mut now, mut last) = (0, 0);
        for failed in 0..ATTEMPTS - 1 {
            let next = next_attempt(failed, now, salt).unwrap();
            prop_assert!(next - now > last);
            (last, now) = (next - now, next);
        }
        prop_assert_eq!(next_attempt(ATTEMPTS - 1, now, salt), None);
        prop_assert!((24..48).contains(&(now / 3_600_000_000)));
    }
}
