//! Two buckets that are one and two that are not.
#![expect(clippy::unwrap_used, reason = "tests")]

use lakewright_proto::{CommitSeq, NodeId};

use super::super::rebuild::{Rebuild, Scratch};
use super::super::tests::{batch, context, Op};
use super::*;
use crate::silver::MergeSession;

/// Commits of puts and deletes over a few keys.
fn commits() -> Vec<Vec<Op>> {
    let op = |key: u8, version: i64, delete: bool| Op { key, version, content: version as u8, delete };
    vec![
        (0..30).map(|k| op(k, 1, false)).collect(),
        vec![op(1, 2, false), op(2, 2, true), op(3, 0, false)],
        vec![],
        vec![op(2, 1, false), op(2, 3, false), op(4, 5, true), op(99, 9, true)],
    ]
}

async fn live(c: &SilverContext) -> BucketState {
    let mut state = BucketState { buckets: 1, ..BucketState::default() };
    let mut offset = 0;
    for (seq, ops) in (1..).zip(commits()) {
        let mut merge = MergeSession::open(c.clone(), state.clone()).await.unwrap();
        if ops.is_empty() {
            merge.apply_empty(CommitSeq(seq)).unwrap();
        } else {
            merge.apply(CommitSeq(seq), batch(c, offset, &ops)).await.unwrap();
        }
        offset += ops.len() as u64;
        state.advance(&merge.finish().await.unwrap()).unwrap();
    }
    state
}

/// The same commits made again in one go, in a scratch place.
async fn again(c: &SilverContext, scratch: &Scratch) -> (SilverContext, BucketState) {
    let context = SilverContext { store: scratch.store().unwrap(), ..c.clone() };
    let mut rebuild = Rebuild::new(context.clone());
    let mut offset = 0;
    for (seq, ops) in (1..).zip(commits()) {
        let batches = if ops.is_empty() { vec![] } else { vec![batch(c, offset, &ops)] };
        offset += ops.len() as u64;
        rebuild.apply(CommitSeq(seq), batches).await.unwrap();
    }
    let (state, outcomes) = rebuild.finish().await.unwrap();
    assert_eq!(outcomes.iter().map(|(seq, _)| seq.0).collect::<Vec<_>>(), [1, 2, 3, 4]);
    (context, state)
}

async fn found(change: impl Fn(&mut BucketState)) -> Comparison {
    let c = context();
    let mut ours = live(&c).await;
    change(&mut ours);
    let scratch = Scratch::new(&c.store, NodeId(1));
    let (context, theirs) = again(&c, &scratch).await;
    let read = std::sync::atomic::AtomicU64::new(0);
    let on_read = |n| {
        read.fetch_add(n, std::sync::atomic::Ordering::Relaxed);
    };
    let out = compare(Side { context: &c, state: &ours }, Side { context: &context, state: &theirs }, &on_read).await.unwrap();
    assert_eq!(read.into_inner(), out.rows + theirs.live_rows);
    assert!(scratch.clear().await.unwrap() > 0);
    assert_eq!(scratch.clear().await.unwrap(), 0);
    out
}

#[tokio::test]
async fn the_same_commits_give_the_same_bucket() {
    let out = found(|_| {}).await;
    assert_eq!(out, Comparison { rows: 29, keys: 31, ..Comparison::default() });
}

#[tokio::test]
async fn a_lost_deletion_vector_is_rows_too_many() {
    let out = found(|s| s.deletion_vectors.clear()).await;
    // The deleted key and two old rows beside their newer ones, and the count of rows.
    assert!(out.faults.iter().any(|f| f.contains("\"k4\"") && f.ends_with("by Bronze there is none")), "{:?}", out.faults);
    assert!(out.faults.iter().any(|f| f.contains("have the key of another live row")), "{:?}", out.faults);
    assert!(out.faults.iter().any(|f| f.starts_with("the catalog says 29 live rows")), "{:?}", out.faults);
}

#[tokio::test]
async fn a_lost_file_is_told_for_twenty_keys_and_counted_for_all() {
    let lose_one = |s: &mut BucketState| drop(s.files.remove(0));
    let out = found(lose_one).await;
    assert!(out.fault_count > 1 && out.faults.iter().any(|f| f.ends_with("by Bronze there is one")), "{out:?}");
    let out = found(|s| s.files.clear()).await;
    assert_eq!((out.fault_count, out.faults.len()), (30, 20), "29 rows and their count");
}

#[tokio::test]
async fn a_lost_index_run_is_found_though_no_row_is_wrong() {
    let out = found(|s| s.index.clear()).await;
    assert_eq!(out.fault_count, 31, "{:?}", out.faults);
    assert!(out.faults.iter().all(|f| f.starts_with("key index, record ") && f.ends_with("it is missing")), "{:?}", out.faults);
}
