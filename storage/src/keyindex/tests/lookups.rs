//! What is found, over one run and several, and after merges of them.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

#[tokio::test]
async fn the_newest_run_wins_and_tombstones_and_absent_keys_are_told_apart() {
    let mut lake = Lake::new();
    let old = lake.run(&[entry(1, 1), entry(2, 1), entry(3, 1)]).await;
    let middle = lake.run(&[entry(2, 2), tombstone(3, 2)]).await;
    let new = lake.run(&[entry(3, 3), tombstone(4, 3)]).await;
    let runs = [old, middle, new];
    assert_eq!(lake.found(&runs, &[1, 2, 3, 4, 5]).await, [entry(1, 1), entry(2, 2), entry(3, 3), tombstone(4, 3)]);
    assert_eq!(lake.found(&runs[..2], &[2, 3, 4]).await, [entry(2, 2), tombstone(3, 2)]);
    assert_eq!(lake.found(&[], &[1]).await, []);
    assert_eq!(lake.found(&runs, &[]).await, []);
}

#[tokio::test]
async fn keys_at_the_edges_of_blocks_are_found_and_their_neighbours_are_not() {
    let block = BLOCK_ENTRIES as u32;
    for n in [1, block - 1, block, block + 1, 3 * block, 3 * block + 1] {
        let mut lake = Lake::new();
        // Odd keys are there, even ones are not.
        let all: Vec<Entry> = (0..n).map(|i| entry(2 * i + 1, 7)).collect();
        let run = lake.run(&all).await;
        let blocks = lake.index(std::slice::from_ref(&run)).await.runs()[0].blocks();
        assert_eq!(blocks as u32, n.div_ceil(block));
        let mut edges: Vec<u32> = (0..=n).step_by(block as usize).flat_map(|e| e.saturating_sub(2)..e + 2).chain([n - 1]).collect();
        edges.sort_unstable();
        edges.dedup();
        let asked: Vec<u32> = edges.iter().flat_map(|e| [2 * e, 2 * e + 1]).collect();
        let want: Vec<Entry> = edges.iter().filter(|e| **e < n).map(|e| entry(2 * e + 1, 7)).collect();
        assert_eq!(lake.found(&[run], &asked).await, want, "{n} entries");
    }
}

#[tokio::test]
async fn a_run_refuses_keys_that_do_not_ascend() {
    let mut lake = Lake::new();
    let mut writer = lake.writer(3);
    writer.add(&entry(2, 1)).await.unwrap();
    assert!(writer.add(&entry(2, 2)).await.is_err());
    assert!(writer.add(&entry(1, 1)).await.is_err());
}

#[tokio::test]
async fn more_blocks_than_one_request_takes_are_all_read() {
    let mut lake = Lake::new();
    let n = 300 * BLOCK_ENTRIES as u32;
    let mut writer = lake.writer(u64::from(n));
    for i in 0..n {
        writer.add(&entry(i, 1)).await.unwrap();
    }
    let run = writer.finish().await.unwrap();
    assert!(run.size > 16 << 20, "it was sent in parts");
    let every: Vec<u32> = (0..n).step_by(BLOCK_ENTRIES / 2).collect();
    let want: Vec<Entry> = every.iter().map(|i| entry(*i, 1)).collect();
    assert_eq!(lake.found(&[run], &every).await, want);
    assert!(lake.cache.bytes() <= 8 << 20);
}

#[test]
fn runs_are_merged_so_that_they_grow_geometrically() {
    let run = |entries: u64| IndexRun { id: FileId(Uuid::nil()), path: String::new(), size: 0, entries, level_order: 0 };
    let plan = |sizes: &[u64], new: u64| merge_plan(&sizes.iter().map(|n| run(*n)).collect::<Vec<_>>(), new);
    assert_eq!(plan(&[], 5), 0);
    assert_eq!(plan(&[100], 5), 0);
    assert_eq!(plan(&[10], 5), 1);
    assert_eq!(plan(&[100, 10], 5), 1);
    assert_eq!(plan(&[30, 10], 5), 2);
    assert_eq!(plan(&[u64::MAX, 1], u64::MAX), 2);
}

#[test]
fn the_cache_keeps_to_its_budget_and_prefers_what_is_used() {
    let cache = BlockCache::new(1_000);
    let run = |n: u128| FileId(Uuid::from_u128(n));
    let bytes = |n: usize| Arc::new(vec![1u8; n]);
    cache.put(run(1), 0, bytes(501));
    assert_eq!((cache.bytes(), cache.get(run(1), 0)), (0, None), "what would be half of it is not kept");
    for n in 0..100 {
        cache.put(run(n), 0, bytes(90));
        assert!(cache.bytes() <= 1_000);
        assert!(cache.get(run(0), 0).is_some(), "what is asked for each time stays");
    }
    cache.put(run(0), 0, bytes(10));
    assert_eq!(cache.get(run(0), 0), Some(bytes(10)));
    let held: usize = (0..100).filter_map(|n| cache.get(run(n), 0)).map(|b| b.len()).sum();
    assert_eq!(cache.bytes(), held);
}

/// Runs as they come, merged as they are in a bucket.
async fn against_a_map(batches: Vec<BTreeMap<u32, (i64, bool)>>, block_cache: usize) {
    let mut lake = Lake::new();
    lake.cache = Arc::new(BlockCache::new(block_cache));
    let (mut runs, mut map) = (Vec::<IndexRun>::new(), BTreeMap::new());
    for batch in batches {
        let fresh: Vec<Entry> = batch.iter().map(|(n, (v, live))| if *live { entry(*n, *v) } else { tombstone(*n, *v) }).collect();
        map.extend(fresh.iter().map(|e| (e.key, *e)));
        if fresh.is_empty() {
            continue;
        }
        let n = merge_plan(&runs, fresh.len() as u64);
        let index = lake.index(&runs).await;
        let merged = &index.runs()[..n];
        let expected = fresh.len() as u64 + merged.iter().map(|r| r.run().entries).sum::<u64>();
        let run = merge_runs(fresh, merged, lake.writer(expected)).await.unwrap();
        runs.truncate(runs.len() - n);
        runs.push(run);
        let asked: Vec<u32> = (0..70).collect();
        let want: Vec<Entry> = map.values().copied().collect();
        assert_eq!(lake.found(&runs, &asked).await, want);
        let mut all = Vec::new();
        let index = lake.index(&runs).await;
        let scanned = scan_all(index.runs(), |e| {
            all.push(e);
            Ok(())
        });
        scanned.await.unwrap();
        assert_eq!(all, want);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_runs_and_merges_are_a_map(
        batches in prop::collection::vec(prop::collection::btree_map(0u32..64, (0i64..9, any::<bool>()), 0..30), 1..8),
        block_cache in prop::sample::select(vec![0usize, 4 << 10, 1 << 20]),
    ) {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(against_a_map(batches, block_cache));
    }
}
