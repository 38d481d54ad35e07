//! Re-packed Bronze holds the same records at the same addresses, for every reader.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

use arrow_array::cast::AsArray as _;
use lakewright_proto::{CommitSeq, RecordAddress};
use lakewright_storage::catalog::keyspace::{Dropped, Files, Manifests, Packed};
use lakewright_storage::catalog::{LineageNode, ORPHAN_AGE_US};
use lakewright_storage::invariants;
use proptest::prelude::*;

use super::*;
use crate::fixture::{Lake, Stream};
use crate::folder::fold_once;
use crate::orphans;
use crate::recover::{bronze_files, from_bronze, rows};
use crate::services::now_us;
use crate::sweeper::sweep_once;

const HOUR: i64 = 3_600 * 1_000_000;
const DAY: i64 = 24 * HOUR;

/// Every column of Bronze in the order of addresses, at a version.
async fn contents(lake: &Lake, s: &Stream, version: Option<u64>) -> RecordBatch {
    let sql = "SELECT * FROM bronze.files_notes ORDER BY _shard, _offset";
    let batches = lake.engine().session(s.tenant, version).unwrap().collect(sql).await.unwrap();
    arrow::compute::concat_batches(&batches[0].schema(), &batches).unwrap()
}

async fn by_address(lake: &Lake, s: &Stream, offset: u64) -> (FileId, Vec<u8>) {
    let files = bronze_files(&lake.services, &s.shard, &[(offset, 1)]).await.unwrap();
    let [file] = &files[..] else { panic!("{files:?}") };
    let found = rows(&lake.services, file, &[(offset, 1)]).await.unwrap();
    assert_eq!(found.iter().map(RecordBatch::num_rows).sum::<usize>(), 1);
    (file.id, found[0].column_by_name("payload").unwrap().as_binary::<i32>().value(0).to_vec())
}

/// Commits of these sizes; those after the break belong to the next day.
async fn lake_of(sizes: &[u64], break_at: usize) -> (Lake, Stream) {
    let lake = Lake::new().await;
    let mut s = lake.stream("acme").await;
    let noon = now_us() - now_us().rem_euclid(DAY) + DAY / 2;
    for (i, size) in sizes.iter().enumerate() {
        let day = if i < break_at { 0 } else { DAY };
        lake.commit(&mut s, *size, noon + day + i as i64).await;
    }
    (lake, s)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]
    #[test]
    fn contents_and_addresses_are_those_of_before(
        sizes in proptest::collection::vec(1u64..6, 16..40),
        break_at in 0usize..40,
        more in 0u64..20,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (lake, mut s) = lake_of(&sizes, break_at).await;
            let before = contents(&lake, &s, None).await;
            let pinned = lake.version();
            let files = lake.bronze_in_catalog(&s).len();
            let groups = [break_at.min(sizes.len()), sizes.len().saturating_sub(break_at)];
            let expected: usize = groups.iter().filter(|n| **n >= 16).sum();
            assert_eq!(repack_once(&lake.services, now_us() + 2 * HOUR).await.unwrap(), expected as u64);
            let made = groups.iter().filter(|n| **n >= 16).count();
            assert_eq!(lake.bronze_in_catalog(&s).len(), files - expected + made);
            assert_eq!(&contents(&lake, &s, None).await, &before);
            assert_eq!(&contents(&lake, &s, Some(pinned)).await, &before, "a pinned version reads the old files");
            let table = lake.services.catalog.view().table(s.shard.bronze_table).unwrap();
            assert_eq!((table.rows, table.files), (before.num_rows() as u64, (files - expected + made) as u64));
            let payloads = before.column_by_name("payload").unwrap().as_binary::<i32>().clone();
            for offset in 0..before.num_rows() as u64 {
                assert_eq!(by_address(&lake, &s, offset).await.1, payloads.value(offset as usize));
            }
            // More commits come, and the packed file is packed again with them.
            for _ in 0..more {
                lake.commit(&mut s, 2, now_us() + 2 * DAY).await;
            }
            repack_once(&lake.services, now_us() + 2 * HOUR).await.unwrap();
            assert_eq!(contents(&lake, &s, None).await.num_rows() as u64, before.num_rows() as u64 + 2 * more);
            invariants::check_all(&lake.services.catalog.view()).unwrap();
        });
    }
}

#[tokio::test]
async fn recovery_lineage_and_footers_follow_the_records() {
    let (lake, s) = lake_of(&[3; 20], 20).await;
    lake.settle(&s).await;
    let commit = lake.services.catalog.view().bronze_commit(CommitSeq(7)).unwrap();
    let expected = from_bronze(&lake.services, &commit, s.silver).await.unwrap();
    let old = lake.bronze_in_catalog(&s);
    assert_eq!(repack_once(&lake.services, now_us() + 2 * HOUR).await.unwrap(), 20);
    let again = from_bronze(&lake.services, &commit, s.silver).await.unwrap();
    assert_eq!((&again[0].rows, &again[0].content_hash), (&expected[0].rows, &expected[0].content_hash));
    let [packed] = &lake.bronze_in_catalog(&s)[..] else { panic!("one file") };
    {
        let view = lake.services.catalog.view();
        let commit = view.commit_of(RecordAddress { shard: s.shard.id, offset: 40 }).unwrap();
        let LineageNode::Bronze { files, .. } = &view.bronze_inputs(&commit).unwrap()[0].to else { panic!("a Bronze commit") };
        assert_eq!(files, &[packed.id], "lineage names the file that holds the records now");
        assert_eq!(view.bronze_outputs(&commit).unwrap().len(), 1);
        assert_eq!(view.scan::<Packed>(&s.shard.id).unwrap().len(), 1);
        assert_eq!(view.all::<Dropped>().unwrap().len(), old.len());
    }
    let label = FileReader::open(&lake.services.store, &packed.path, packed.size).await.unwrap().footer().unwrap();
    assert_eq!(label.span, Span::Offsets { first: 0, end: 60 });
    assert_eq!((label.previous, label.next.unwrap().0.as_str(), label.run), (None, "line 60", Some(s.run)));
}

#[tokio::test]
async fn a_packed_file_may_be_folded_and_the_inputs_go_when_the_sweep_comes() {
    let (lake, mut s) = lake_of(&[3; 20], 20).await;
    assert_eq!(repack_once(&lake.services, now_us() + 2 * HOUR).await.unwrap(), 20);
    let packed = lake.bronze_in_catalog(&s).remove(0);
    // Commits of many days, so that nothing of them is packed before the fold.
    for day in 1..=260 {
        lake.commit(&mut s, 1, now_us() + day * DAY).await;
    }
    assert_eq!(repack_once(&lake.services, now_us()).await.unwrap(), 0);
    assert!(fold_once(&lake.services).await.unwrap() > 0);
    assert!(lake.bronze_in_catalog(&s).iter().all(|f| f.id != packed.id), "it stands in a manifest");
    assert_eq!(by_address(&lake, &s, 59).await, (packed.id, br#"{ "id": "note-59" }"#.to_vec()));
    let table = lake.services.catalog.view().table(s.shard.bronze_table).unwrap();
    assert_eq!(orphans::sweep_table(&lake.services, &table, now_us() + ORPHAN_AGE_US + HOUR).await.unwrap(), 0, "dropped is named still");
    assert_eq!(sweep_once(&lake.services, now_us()).await.unwrap(), 0, "dropped today");
    assert_eq!(sweep_once(&lake.services, now_us() + DAY + HOUR).await.unwrap(), 20);
    assert!(lake.services.catalog.view().all::<Dropped>().unwrap().is_empty());
    assert_eq!(by_address(&lake, &s, 3).await.0, packed.id);
    assert_eq!(lake.numbers(&s, None, "SELECT count(payload) FROM bronze.files_notes").await, [320]);
    invariants::check_all(&lake.services.catalog.view()).unwrap();
}

#[tokio::test]
async fn a_busy_day_leaves_few_entries_in_the_catalog_and_none_of_its_inputs_after_it() {
    let (lake, s) = lake_of(&[2; 300], 300).await;
    let (before, pinned) = (contents(&lake, &s, None).await, lake.version());
    assert_eq!(repack_once(&lake.services, now_us()).await.unwrap(), 300, "a crowd does not wait for an hour");
    assert_eq!(lake.bronze_in_catalog(&s).len(), 2);
    fold_once(&lake.services).await.unwrap();
    let table = {
        let view = lake.services.catalog.view();
        assert_eq!(view.scan::<Files>(&s.shard.bronze_table).unwrap().len(), 2, "replaced files have left the catalog");
        let table = view.table(s.shard.bronze_table).unwrap();
        assert!(view.table_snapshot(&table, None).unwrap().manifests.is_empty(), "and readers of today do not look for them");
        table
    };
    assert_eq!(contents(&lake, &s, Some(pinned)).await, before);
    assert_eq!(contents(&lake, &s, None).await, before);
    let later = now_us() + DAY + HOUR;
    assert_eq!(orphans::sweep_table(&lake.services, &table, later).await.unwrap(), 0, "dropped is named still");
    assert_eq!(sweep_once(&lake.services, later).await.unwrap(), 301, "the inputs and their manifest");
    assert!(lake.services.catalog.view().scan::<Manifests>(&s.shard.bronze_table).unwrap().is_empty());
    assert_eq!(orphans::sweep_table(&lake.services, &table, later).await.unwrap(), 0);
    assert_eq!(contents(&lake, &s, None).await, before);
    invariants::check_all(&lake.services.catalog.view()).unwrap();
}

#[tokio::test]
async fn a_file_that_is_not_what_the_catalog_says_is_left_alone() {
    let (lake, s) = lake_of(&[3; 20], 20).await;
    let files = lake.bronze_in_catalog(&s);
    let other = lake.services.store.get(&files[3].path).await.unwrap();
    lake.services.store.put(&files[4].path, other).await.unwrap();
    let objects = || async { futures::StreamExt::count(lake.services.store.inner().list(None)).await };
    let before = objects().await;
    assert_eq!(repack_once(&lake.services, now_us() + 2 * HOUR).await.unwrap(), 0);
    assert_eq!((lake.bronze_in_catalog(&s), objects().await), (files, before));
}
