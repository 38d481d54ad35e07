//! An object store as the source, and one that fails.

use std::sync::Arc;

use bytes::Bytes;
use lakewright_storage::object::{FaultStore, Store};
use object_store::memory::InMemory;
use tokio::runtime::Handle;

use super::*;
use crate::connectors::files::config::FilesConfig;
use crate::connectors::files::engine::Engine;
use crate::connectors::files::listing::{Listing, Root};
use crate::connectors::files::position::Position;
use crate::connectors::files::reader::FilesReader;

fn reader(store: &Store, position: Option<&SourcePosition>) -> Box<dyn ShardReader> {
    let config = FilesConfig::parse(&json!({"url": "s3://bucket/in", "poll_ms": 10})).unwrap();
    let listing = Listing::over(Root::Remote(store.clone(), Handle::current()), &config).unwrap();
    let engine = Engine::new(listing, Arc::new(config), "records", (0, 1), Position::decode(position).unwrap());
    Box::new(FilesReader::new(engine, std::time::Duration::from_millis(10)))
}

#[tokio::test]
async fn objects_are_read_replaced_and_grown() {
    let store = Store::over(Arc::new(InMemory::new()), "memory");
    let lines: Vec<String> = (0..5000).map(|i| format!("{{\"i\":{i}}}")).collect();
    let text = |n: usize| Bytes::from(lines[..n].join("\n") + "\n");
    store.put("a.ndjson", text(3000)).await.unwrap();
    store.put("b.ndjson.gz", Bytes::from(super::formats::gzip(b"{\"b\":1}"))).await.unwrap();
    let mut r = reader(&store, None);
    let got = drain(&mut r, 10_000).await;
    assert_eq!((got.payloads.len(), got.texts()[3000].as_str()), (3001, "{\"b\":1}"));
    store.put("a.ndjson", text(5000)).await.unwrap();
    let grown = drain(&mut r, 1 << 20).await;
    assert_eq!((grown.texts(), grown.kinds()), (lines[3000..].to_vec(), vec![]));
    store.put("a.ndjson", Bytes::from_static(b"{\"new\":1}\n")).await.unwrap();
    let replaced = drain(&mut reader(&store, grown.position.as_ref()), 1 << 20).await;
    assert_eq!((replaced.texts(), replaced.kinds()), (vec!["{\"new\":1}".to_owned()], vec!["file_replaced"]));
}

#[tokio::test]
async fn a_failing_store_loses_and_doubles_nothing() {
    let inner = Arc::new(InMemory::new());
    let good = Store::over(inner.clone(), "memory");
    let lines: Vec<String> = (0..4000).map(|i| format!("{{\"i\":{i},\"pad\":\"{}\"}}", "z".repeat(100))).collect();
    for (f, part) in lines.chunks(500).enumerate() {
        good.put(&format!("{f}.ndjson"), Bytes::from(part.join("\n"))).await.unwrap();
    }
    let fault = FaultStore::new(inner, 11, 0.2);
    let store = Store::over(fault.clone(), "fault");
    let (mut r, mut got, mut errors) = (reader(&store, None), Got::default(), 0);
    for turn in 0.. {
        fault.set_away((6..12).contains(&turn));
        match r.next(20_000).await {
            Ok(f) => {
                if !got.add(f) {
                    break;
                }
            }
            Err(SourceError::Retry { .. }) => errors += 1,
            Err(e) => panic!("{e}"),
        }
        if turn % 7 == 3 {
            r = reader(&store, got.position.as_ref());
        }
    }
    assert!(errors > 5, "{errors}");
    let texts = got.texts();
    assert_eq!(texts.len(), lines.len());
    assert!(texts == lines);
    assert!(got.notices.is_empty(), "{:?}", got.notices);
}
