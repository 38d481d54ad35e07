//! What is handed over, taken, and waited for.
#![expect(clippy::unwrap_used, reason = "tests")]
use lakewright_proto::{ConnectorId, RunId, SourcePosition, TenantId};
use lakewright_storage::table::StreamCounts;

use super::*;

fn commit(seq: u64, shard: u64, first_offset: u64) -> BronzeCommit {
    BronzeCommit {
        seq: CommitSeq(seq),
        tenant_id: TenantId::generate(),
        connector_id: ConnectorId::generate(),
        stream: "opportunity".into(),
        shard: ShardId(shard),
        run: RunId::generate(),
        pack: String::new(),
        source: BronzeSource::Read { first_offset, count: 1, files: Vec::new(), previous: None, position: SourcePosition(String::new()) },
        ingested_at: 0,
        feeds: Vec::new(),
        counts: StreamCounts::default(),
        committed_at: 0,
    }
}

fn batch() -> HandOver {
    HandOver { batches: Vec::new(), permits: Vec::new() }
}

#[tokio::test]
async fn what_was_not_announced_is_not_waited_for() {
    let exchange = Exchange::default();
    let table = TableId::generate();
    assert!(exchange.take(table, &commit(1, 7, 0)).await.is_none());
    exchange.offer(table, CommitSeq(1), batch());
    assert!(exchange.take(TableId::generate(), &commit(1, 7, 0)).await.is_none(), "another table's");
    assert!(exchange.take(table, &commit(1, 7, 0)).await.is_some());
    assert!(exchange.take(table, &commit(1, 7, 0)).await.is_none(), "a batch is taken once");
}

#[tokio::test]
async fn a_merge_that_is_early_waits_for_what_was_announced() {
    let exchange = Arc::new(Exchange::default());
    let table = TableId::generate();
    let coming = exchange.announce(ShardId(7), 100);
    let early = {
        let exchange = Arc::clone(&exchange);
        tokio::spawn(async move { exchange.take(table, &commit(3, 7, 100)).await.is_some() })
    };
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert!(!early.is_finished());
    exchange.offer(table, CommitSeq(3), batch());
    drop(coming);
    assert!(early.await.unwrap());
}

#[tokio::test]
async fn a_commit_that_failed_leaves_its_merge_to_bronze() {
    let exchange = Arc::new(Exchange::default());
    let table = TableId::generate();
    let coming = exchange.announce(ShardId(7), 100);
    let early = {
        let exchange = Arc::clone(&exchange);
        tokio::spawn(async move { exchange.take(table, &commit(3, 7, 100)).await.is_none() })
    };
    tokio::task::yield_now().await;
    drop(coming);
    assert!(early.await.unwrap());
}
