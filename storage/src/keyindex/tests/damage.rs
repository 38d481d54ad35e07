//! A damaged run is an error and never a wrong answer.

use bytes::Bytes;

use super::*;

const ENTRIES: u32 = 700;

async fn answer(lake: &Lake, run: &IndexRun) -> crate::Result<Vec<Entry>> {
    // A cache of its own: what was read before the damage must not answer for it.
    let cache = Arc::new(BlockCache::new(1 << 20));
    let index = KeyIndex::open(&lake.store, std::slice::from_ref(run), &cache).await?;
    let keys: Vec<Key> = (0..ENTRIES + 5).map(key).collect();
    let mut out = Vec::new();
    index.lookup(&keys, |e| out.push(e)).await?;
    Ok(out)
}

#[tokio::test]
async fn any_flipped_byte_cut_or_wrong_footer_is_refused() {
    let mut lake = Lake::new();
    let all: Vec<Entry> = (0..ENTRIES).map(|n| if n % 3 == 0 { tombstone(n, 1) } else { entry(n, 1) }).collect();
    let run = lake.run(&all).await;
    assert_eq!(answer(&lake, &run).await.unwrap(), all);
    let bytes = lake.store.get(&run.path).await.unwrap().to_vec();
    let blocks_end = 5 + ENTRIES as usize * ENTRY_BYTES + 2 * 4;
    let damaged = |bytes: Vec<u8>| {
        let lake = &lake;
        let run = &run;
        async move {
            lake.store.put(&run.path, Bytes::from(bytes)).await.unwrap();
            answer(lake, run).await
        }
    };
    // Blocks by samples that meet every field, then each byte of block index, filter, counts and trailer.
    for at in (5..blocks_end).step_by(95).chain(blocks_end..bytes.len()) {
        let mut bad = bytes.clone();
        bad[at] ^= 1 << (at % 8);
        assert!(damaged(bad).await.is_err(), "byte {at} of {}", bytes.len());
    }
    // The head names the format; nothing is read from it.
    let mut bad = bytes.clone();
    bad[0] ^= 1;
    assert_eq!(damaged(bad).await.unwrap(), all);
    for keep in (0..bytes.len()).step_by(997).chain(bytes.len() - 40..bytes.len()) {
        assert!(damaged(bytes[..keep].to_vec()).await.is_err(), "cut to {keep}");
        let mut shifted = vec![0; bytes.len() - keep];
        shifted.extend_from_slice(&bytes[..keep]);
        assert!(damaged(shifted).await.is_err(), "moved by {}", bytes.len() - keep);
    }
    // A catalog that says other things of the run.
    damaged(bytes.clone()).await.unwrap();
    for other in
        [IndexRun { entries: 1, ..run.clone() }, IndexRun { size: run.size - 1, ..run.clone() }, IndexRun { size: 3, ..run.clone() }]
    {
        assert!(answer(&lake, &other).await.is_err(), "{other:?}");
    }
    assert!(answer(&lake, &IndexRun { path: "index/none.run".into(), ..run.clone() }).await.is_err());
}

#[tokio::test]
async fn counts_that_cannot_be_are_refused_though_their_checksum_is_right() {
    let mut lake = Lake::new();
    let run = lake.run(&[entry(1, 1)]).await;
    let bytes = lake.store.get(&run.path).await.unwrap().to_vec();
    let end = bytes.len() - 17;
    for (at, value) in [(end - 16, u64::MAX / 2), (end - 16, 0), (end - 8, u64::MAX), (end - 8, 0), (end - 24, 2)] {
        let mut bad = bytes.clone();
        bad[at..at + 8].copy_from_slice(&value.to_le_bytes());
        let start = 5 + ENTRY_BYTES + 4;
        let checksum = crc32fast::hash(&bad[start..end]);
        bad[end..end + 4].copy_from_slice(&checksum.to_le_bytes());
        lake.store.put(&run.path, bad.into()).await.unwrap();
        assert!(answer(&lake, &run).await.is_err(), "{value} at {at}");
    }
}

#[tokio::test]
async fn a_merge_of_a_damaged_run_fails_and_writes_nothing() {
    let mut lake = Lake::new();
    let run = lake.run(&[entry(1, 1), entry(2, 1)]).await;
    let mut bytes = lake.store.get(&run.path).await.unwrap().to_vec();
    bytes[20] ^= 1;
    lake.store.put(&run.path, bytes.into()).await.unwrap();
    let readers = lake.index(std::slice::from_ref(&run)).await.runs().to_vec();
    let writer = lake.writer(3);
    assert!(merge_runs(vec![entry(3, 1)], &readers, writer).await.is_err());
    assert!(lake.store.head(&format!("index/{}.run", FileId(Uuid::from_u128(2)))).await.is_err());
}
