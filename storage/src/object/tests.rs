//! The store: settings, durable local puts, put-if-absent, the marker, lifecycle rules, faults.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::sync::Arc;

use aws_sdk_s3::types::{ExpirationStatus, LifecycleExpiration, LifecycleRule, LifecycleRuleFilter};
use bytes::Bytes;
use futures::TryStreamExt;
use lakewright_proto::{ClusterId, ErrorCode};
use object_store::memory::InMemory;
use object_store::{ObjectStore, ObjectStoreExt};
use uuid::Uuid;

use super::local::DurableLocal;
use super::s3::lifecycle_faults;
use super::*;

#[test]
fn settings_name_their_faults() {
    assert_eq!(StoreConfig::local("/data").check(), Vec::<String>::new());
    let bad = |f: fn(&mut StoreConfig), word: &str| {
        let mut c = StoreConfig { url: "s3://bucket/a/b".into(), ..StoreConfig::default() };
        f(&mut c);
        let faults = c.check();
        assert!(faults.len() == 1 && faults[0].contains(word), "{word}: {faults:?}");
    };
    bad(|c| c.url = "ftp://x".into(), "only file and s3");
    bad(|c| c.url = "relative/dir".into(), "must be absolute");
    bad(|c| c.url = "s3:///x".into(), "names no bucket");
    bad(|c| c.url = "s3://b/../c".into(), "not allowed");
    bad(|c| c.access_key_id = Some("x".into()), "go together");
    bad(|c| c.endpoint = Some("http://127.0.0.1:8333".into()), "allow_http");
    bad(|c| c.retry_timeout_s = 301, "retry_timeout_s");
    let json = serde_json::json!({"url": "/x", "regoin": "eu"});
    assert!(serde_json::from_value::<StoreConfig>(json).unwrap_err().to_string().contains("regoin"));
    let c = StoreConfig { secret_access_key: Some("hunter2".into()), ..StoreConfig::default() };
    assert!(!format!("{c:?}").contains("hunter2"));
}

#[tokio::test]
async fn local_puts_are_whole_and_create_has_one_winner() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&StoreConfig::local(dir.path())).await.unwrap();
    store.put("a/b/c", Bytes::from_static(b"one")).await.unwrap();
    store.put("a/b/c", Bytes::from_static(b"two")).await.unwrap();
    assert_eq!(store.get("a/b/c").await.unwrap(), "two");
    assert_eq!(store.get_range("a/b/c", 1..3).await.unwrap(), "wo");
    let race = (0..8).map(|i| {
        let store = store.clone();
        async move { store.put_if_absent("x/once", Bytes::from(format!("{i}"))).await.unwrap() }
    });
    assert_eq!(futures::future::join_all(race).await.into_iter().filter(|won| *won).count(), 1);
    let keys: Vec<_> = store.list("").map_ok(|m| m.location.to_string()).try_collect().await.unwrap();
    assert_eq!(keys.len(), 2, "nothing staged is visible: {keys:?}");
    store.delete("a/b/c").await.unwrap();
    store.delete("a/b/c").await.unwrap();
    assert_eq!(store.get("a/b/c").await.unwrap_err().code(), ErrorCode::NotFound);
}

#[tokio::test]
async fn parts_show_only_when_complete_and_leave_nothing_behind() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::local(dir.path()).unwrap();
    let mut up = store.put_multipart("big").await.unwrap();
    // Awaited in the other order: each part knows its place.
    let (a, b) = (up.put_part(vec![1u8; 100].into()), up.put_part(vec![2u8; 50].into()));
    b.await.unwrap();
    a.await.unwrap();
    assert!(store.get("big").await.is_err());
    up.complete().await.unwrap();
    let got = store.get("big").await.unwrap();
    assert!(got.len() == 150 && got[..100].iter().all(|b| *b == 1) && got[100..].iter().all(|b| *b == 2));
    drop(store.put_multipart("never").await.unwrap());
    store.put_multipart("aborted").await.unwrap().abort().await.unwrap();
    assert_eq!(std::fs::read_dir(dir.path().join("_lakewright/staging")).unwrap().count(), 0);
}

#[tokio::test]
async fn the_dead_leave_nothing() {
    let dir = tempfile::tempdir().unwrap();
    drop(DurableLocal::open(dir.path()).unwrap());
    let staged = dir.path().join("_lakewright/staging/put#1");
    let fresh = dir.path().join("_lakewright/staging/put#2");
    std::fs::write(&fresh, "x").unwrap();
    let f = std::fs::File::create(&staged).unwrap();
    f.set_modified(std::time::SystemTime::now() - std::time::Duration::from_secs(7200)).unwrap();
    drop(DurableLocal::open(dir.path()).unwrap());
    assert!(!staged.exists() && fresh.exists());
}

#[tokio::test]
async fn a_foreign_marker_stops_the_node() {
    let store = Store::over(Arc::new(InMemory::new()), "memory");
    let mine = ClusterMarker::new(ClusterId(Uuid::from_u128(1)), 1);
    ClusterMarker::claim(&store, &mine).await.unwrap();
    ClusterMarker::claim(&store, &mine).await.unwrap();
    let foreign = ClusterMarker::new(ClusterId(Uuid::from_u128(2)), 1);
    let e = ClusterMarker::claim(&store, &foreign).await.unwrap_err();
    assert!(e.to_string().contains("belongs to cluster 00000000-0000-0000-0000-000000000001"), "{e}");
    let restored = ClusterMarker::new(mine.cluster_id, 2);
    assert_eq!(ClusterMarker::claim(&store, &restored).await.unwrap_err().code(), ErrorCode::Fenced);
    assert!(ClusterMarker::raise(&store, &foreign).await.is_err());
    ClusterMarker::raise(&store, &restored).await.unwrap();
    ClusterMarker::claim(&store, &restored).await.unwrap();
    assert_eq!(ClusterMarker::claim(&store, &mine).await.unwrap_err().code(), ErrorCode::Fenced);
    assert!(ClusterMarker::raise(&store, &mine).await.is_err());
}

#[test]
fn the_marker_is_frozen() {
    let m = ClusterMarker::new(ClusterId(Uuid::from_u128(1)), 3);
    let text = "{\n  \"cluster_id\": \"00000000-0000-0000-0000-000000000001\",\n  \"incarnation\": 3,\n  \"format\": 1\n}";
    assert_eq!(m.encode().unwrap(), text);
    assert_eq!(ClusterMarker::decode(text.as_bytes()).unwrap(), m);
    assert!(ClusterMarker::decode(text.replace(": 1\n", ": 2\n").as_bytes()).unwrap_err().to_string().contains("newer build"));
    assert_eq!(ClusterMarker::decode(b"{").unwrap_err().code(), ErrorCode::DataLoss);
}

/// A store that lets every writer win, as some S3 look-alikes do.
#[derive(Debug)]
struct Lax(InMemory);

mod lax {
    use super::*;
    use futures::stream::BoxStream;
    use object_store::path::Path;
    use object_store::*;

    impl std::fmt::Display for Lax {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("lax")
        }
    }

    #[async_trait::async_trait]
    impl ObjectStore for Lax {
        async fn put_opts(&self, p: &Path, b: PutPayload, _: PutOptions) -> Result<PutResult> {
            self.0.put(p, b).await
        }
        async fn put_multipart_opts(&self, p: &Path, o: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
            self.0.put_multipart_opts(p, o).await
        }
        async fn get_opts(&self, p: &Path, o: GetOptions) -> Result<GetResult> {
            self.0.get_opts(p, o).await
        }
        fn delete_stream(&self, l: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
            self.0.delete_stream(l)
        }
        fn list(&self, p: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
            self.0.list(p)
        }
        async fn list_with_delimiter(&self, p: Option<&Path>) -> Result<ListResult> {
            self.0.list_with_delimiter(p).await
        }
        async fn copy_opts(&self, a: &Path, b: &Path, o: CopyOptions) -> Result<()> {
            self.0.copy_opts(a, b, o).await
        }
    }
}

#[tokio::test]
async fn a_store_without_conditions_is_refused() {
    let lax = Store::over(Arc::new(Lax(InMemory::new())), "lax");
    let e = probe::enforces_if_none_match(&lax).await.unwrap_err();
    assert!(e.to_string().contains("does not enforce If-None-Match"), "{e}");
    let good: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    probe::enforces_if_none_match(&Store::over(good.clone(), "memory")).await.unwrap();
    assert!(good.list(None).try_collect::<Vec<_>>().await.unwrap().is_empty(), "the probe cleans up");
}

#[test]
fn rules_that_expire_our_files_are_refused() {
    let rule = |prefix: &str, tag: bool, on: bool, days: Option<i32>| {
        let filter = if tag {
            let t = aws_sdk_s3::types::Tag::builder().key("k").value("v").build().unwrap();
            LifecycleRuleFilter::builder().tag(t).build()
        } else {
            LifecycleRuleFilter::builder().prefix(prefix).build()
        };
        LifecycleRule::builder()
            .id("r1")
            .filter(filter)
            .status(if on { ExpirationStatus::Enabled } else { ExpirationStatus::Disabled })
            .expiration(LifecycleExpiration::builder().set_days(days).build())
            .build()
            .unwrap()
    };
    for (prefix, refused) in [("", true), ("lake/", true), ("lake/bronze/", true), ("la", true), ("other/", false), ("lakes/", false)] {
        let r = lifecycle_faults("b", "lake", &[rule(prefix, false, true, Some(30))]);
        assert_eq!(r.is_err(), refused, "{prefix}");
    }
    assert_eq!(
        lifecycle_faults("b", "lake", &[rule("", false, false, Some(1)), rule("", false, true, None)]).unwrap(),
        Vec::<String>::new()
    );
    assert_eq!(lifecycle_faults("b", "lake", &[rule("", true, true, Some(1))]).unwrap().len(), 1);
}

#[tokio::test]
async fn faults_are_seeded_and_the_store_can_be_away() {
    let run = |seed| async move {
        let fault = FaultStore::new(Arc::new(InMemory::new()), seed, 0.3);
        let store = Store::over(fault.clone(), "fault");
        let mut outcome = Vec::new();
        for i in 0..100 {
            outcome.push(store.put(&format!("k{i}"), Bytes::from_static(b"v")).await.is_ok());
        }
        assert!((10..60).contains(&fault.failures()));
        fault.set_away(true);
        for i in 0..20 {
            assert_eq!(store.get(&format!("k{i}")).await.unwrap_err().code(), ErrorCode::Unavailable);
        }
        outcome
    };
    assert_eq!(run(7).await, run(7).await);
    assert_ne!(run(7).await, run(8).await);
    let inner = Arc::new(InMemory::new());
    let fault = FaultStore::new(inner.clone(), 1, 1.0);
    for i in 0..50 {
        assert!(fault.put(&format!("k{i}").into(), "v".into()).await.is_err());
    }
    let done = inner.list(None).try_collect::<Vec<_>>().await.unwrap().len();
    assert!((5..45).contains(&done), "some failed puts were done all the same: {done}");
}
