//! The connector as its users see it: files in, records, positions and notices out.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod appends;
mod bad;
mod formats;
mod remote;
mod silver;
mod units;

use std::path::Path;
use std::sync::Arc;

use arrow_array::Array;
use async_trait::async_trait;
use lakewright_proto::{SourcePosition, TenantId};
use lakewright_storage::catalog::records::{QuotaAsk, QuotaGrant, RunScope};
use serde_json::{json, Value};

use super::FilesKind;
use crate::connectors::*;

/// What reading brought.
#[derive(Debug, Default)]
struct Got {
    payloads: Vec<Vec<u8>>,
    locations: Vec<String>,
    oversize: Vec<OversizeRecord>,
    notices: Vec<SourceNotice>,
    position: Option<SourcePosition>,
    headers: Vec<Option<Vec<String>>>,
    positions: Vec<SourcePosition>,
}

impl Got {
    fn texts(&self) -> Vec<String> {
        self.payloads.iter().map(|p| String::from_utf8_lossy(p).into_owned()).collect()
    }

    fn kinds(&self) -> Vec<&'static str> {
        self.notices.iter().map(|n| n.kind).collect()
    }

    fn add(&mut self, fetch: Fetch) -> bool {
        match fetch {
            Fetch::Batch(b) => {
                let locations = b.location.unwrap();
                assert_eq!(locations.len(), b.payload.len());
                self.payloads.extend(b.payload.iter().map(|p| p.unwrap().to_vec()));
                self.locations.extend(locations.iter().map(|l| l.unwrap().to_owned()));
                self.oversize.extend(b.oversize);
                self.notices.extend(b.notices);
                self.headers.push(b.csv_header);
                self.positions.push(b.position.clone());
                self.position = Some(b.position);
                true
            }
            Fetch::Progress(p, notices) => {
                self.notices.extend(notices);
                self.positions.push(p.clone());
                self.position = Some(p);
                true
            }
            Fetch::Idle(_) => false,
            Fetch::Wait(_, why) => panic!("{why}"),
            Fetch::End => panic!("files never end"),
        }
    }
}

fn config(dir: &Path, more: Value) -> Value {
    let mut c = json!({"url": format!("file://{}", dir.display()), "settle_ms": 0, "poll_ms": 10});
    c.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    c
}

/// Files ask the node nothing.
struct NoHost;

#[async_trait]
impl SourceHost for NoHost {
    fn tenant(&self) -> TenantId {
        TenantId::generate()
    }

    async fn take(&self, ask: QuotaAsk) -> Result<QuotaGrant, SourceError> {
        Err(SourceError::Fatal(ask.name))
    }

    fn quota_used(&self, name: &str) -> Result<(u64, u64), SourceError> {
        Err(SourceError::Fatal(name.to_owned()))
    }

    async fn known(&self, stream: &str, _: Option<&str>, _: usize) -> Result<Known, SourceError> {
        Err(SourceError::Fatal(stream.to_owned()))
    }
}

fn no_host() -> Arc<dyn SourceHost> {
    Arc::new(NoHost)
}

fn at(stream: &str, shard: SourceShard, position: Option<&SourcePosition>) -> OpenShard {
    OpenShard { stream: stream.to_owned(), shard, position: position.cloned(), scope: RunScope::Incremental, scan: 1 }
}

async fn open(config: &Value, position: Option<&SourcePosition>) -> Box<dyn ShardReader> {
    assert_eq!(FilesKind.check(config), Vec::<String>::new());
    let connector = FilesKind.build(config, no_host()).unwrap();
    let shard = connector.shards("records", RunScope::Incremental).await.unwrap().remove(0);
    connector.open(at("records", shard, position)).await.unwrap()
}

async fn drain(reader: &mut Box<dyn ShardReader>, max_bytes: usize) -> Got {
    let mut got = Got::default();
    while got.add(reader.next(max_bytes).await.unwrap()) {}
    got
}

/// Reads to the end, from a position.
async fn read(config: &Value, position: Option<&SourcePosition>) -> Got {
    drain(&mut open(config, position).await, 1 << 20).await
}
