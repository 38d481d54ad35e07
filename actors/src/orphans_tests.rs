//! What the sweep of unnamed objects takes, and what it leaves alone.
#![expect(clippy::unwrap_used, reason = "tests")]

use futures::StreamExt as _;
use lakewright_storage::catalog::{fold_due, FoldPlan, ORPHAN_AGE_US};
use lakewright_storage::paths::{Day, Month, SilverPart};
use uuid::{NoContext, Timestamp, Uuid};

use super::*;
use crate::fixture::{Lake, Stream};
use crate::folder::fold_once;
use crate::services::now_us;

const HOUR: i64 = 3_600 * 1_000_000;

/// A file's id as it was given at this time.
fn id_at(micros: i64) -> FileId {
    let (seconds, rest) = (micros.div_euclid(1_000_000), micros.rem_euclid(1_000_000));
    FileId(Uuid::new_v7(Timestamp::from_unix(NoContext, seconds as u64, rest as u32 * 1_000)))
}

fn bronze(s: &Stream, file: FileId) -> String {
    let day = Day::of_micros(now_us());
    Key::Bronze { tenant: s.tenant, source: "files.notes".into(), day, file }.to_string()
}

fn table(lake: &Lake, s: &Stream) -> Table {
    lake.services.catalog.view().table(s.shard.bronze_table).unwrap()
}

async fn objects(lake: &Lake) -> usize {
    lake.services.store.inner().list(None).count().await
}

#[tokio::test]
async fn only_old_unnamed_objects_of_ours_are_deleted() {
    let lake = Lake::new().await;
    let mut s = lake.stream("acme").await;
    lake.commits(&mut s, 5).await;
    // Everything so far is a day and an hour old when the sweep comes.
    let then = now_us() + ORPHAN_AGE_US + HOUR;
    let table = table(&lake, &s);
    let orphan = bronze(&s, FileId::generate());
    let kept = [
        bronze(&s, id_at(then - HOUR)),
        bronze(&s, FileId(Uuid::from_u128(7))),
        bronze(&s, FileId(Uuid::new_v4())),
        bronze(&s, FileId::generate()).replace(".parquet", ".parquet.tmp"),
        bronze(&s, FileId::generate()).replace("/year=", "/archive/year="),
        format!("{}/README.txt", table.root),
        // Another source's, whose root begins alike.
        bronze(&s, FileId::generate()).replace("source=files.notes/", "source=files.notes2/"),
    ];
    for path in kept.iter().chain([&orphan]) {
        lake.put(path).await;
    }
    let before = objects(&lake).await;
    assert_eq!(sweep_table(&lake.services, &table, now_us()).await.unwrap(), 0, "too young today");
    assert_eq!(sweep_table(&lake.services, &table, then).await.unwrap(), 1);
    assert_eq!(objects(&lake).await, before - 1);
    assert!(!lake.exists(&orphan).await);
    for path in &kept {
        assert!(lake.exists(path).await, "{path}");
    }
    for file in lake.bronze_in_catalog(&s) {
        assert!(lake.exists(&file.path).await, "{}", file.path);
    }
}

#[tokio::test]
async fn a_file_that_a_manifest_alone_names_is_kept_and_an_unnamed_manifest_is_not() {
    let lake = Lake::new().await;
    let mut s = lake.stream("acme").await;
    lake.commits(&mut s, 300).await;
    // A crash after the manifest was written and before its command.
    let plans = fold_due(&lake.services.catalog.view(), 10).unwrap();
    let plan: &FoldPlan = plans.iter().find(|p| p.table == s.shard.bronze_table).unwrap();
    let file = FileId::generate();
    let unnamed = Key::Manifest { tenant: s.tenant, table: plan.table, file }.to_string();
    manifests::write(lake.services.store.inner().as_ref(), file, unnamed.clone(), plan).await.unwrap();

    assert!(fold_once(&lake.services).await.unwrap() > 0);
    let before = objects(&lake).await;
    let then = now_us() + ORPHAN_AGE_US + HOUR;
    assert_eq!(sweep_table(&lake.services, &table(&lake, &s), then).await.unwrap(), 1);
    assert_eq!(objects(&lake).await, before - 1);
    assert!(!lake.exists(&unnamed).await);
    assert_eq!(lake.numbers(&s, None, "SELECT count(payload) FROM bronze.files_notes").await, [900]);
}

#[tokio::test]
async fn a_manifest_that_cannot_be_read_keeps_everything() {
    let lake = Lake::new().await;
    let mut s = lake.stream("acme").await;
    lake.commits(&mut s, 300).await;
    assert!(fold_once(&lake.services).await.unwrap() > 0);
    let table = table(&lake, &s);
    let manifest = lake.services.catalog.view().named_files(table.id).unwrap().manifests.remove(0);
    let orphan = bronze(&s, FileId::generate());
    lake.put(&orphan).await;
    lake.put(&manifest.path).await;
    let then = now_us() + ORPHAN_AGE_US + HOUR;
    assert!(sweep_table(&lake.services, &table, then).await.is_err());
    assert!(lake.exists(&orphan).await);
}

#[tokio::test]
async fn tenants_are_swept_apart_and_every_kind_of_object_is() {
    let lake = Lake::new().await;
    let (mut a, mut b) = (lake.stream("acme").await, lake.stream("other").await);
    lake.commits(&mut a, 3).await;
    lake.commits(&mut b, 3).await;
    let old = now_us() - ORPHAN_AGE_US - HOUR;
    let month = Month::of_micros(old);
    let mut orphans = Vec::new();
    for s in [&a, &b] {
        let silver = |part| Key::Silver { tenant: s.tenant, entity: "note".into(), part, file: id_at(old) }.to_string();
        orphans.push(bronze(s, id_at(old)));
        orphans.extend([SilverPart::Rows(month), SilverPart::Changes(month), SilverPart::Index, SilverPart::DeletionVector].map(silver));
        let table = "dead_letters".to_owned();
        orphans.push(Key::System { tenant: s.tenant, table, month, file: id_at(old) }.to_string());
        orphans.push(Key::Manifest { tenant: s.tenant, table: s.shard.bronze_table, file: id_at(old) }.to_string());
    }
    for path in &orphans {
        lake.put(path).await;
    }
    let before = objects(&lake).await;
    let now = lake.services.catalog.view().store().clock().unwrap().0;
    assert_eq!(sweep_table(&lake.services, &table(&lake, &a), now).await.unwrap(), 2, "one in Bronze, one manifest");
    assert!(lake.exists(&orphans[7]).await, "the other tenant's");
    assert_eq!(sweep_all(&lake.services, Duration::ZERO).await.unwrap(), orphans.len() as u64 - 2);
    assert_eq!(objects(&lake).await, before - orphans.len());
    for s in [&a, &b] {
        assert_eq!(lake.numbers(s, None, "SELECT count(payload) FROM bronze.files_notes").await, [9]);
    }
}

#[tokio::test]
async fn many_orphans_are_taken_a_batch_at_a_time() {
    let lake = Lake::new().await;
    let mut s = lake.stream("acme").await;
    lake.commits(&mut s, 3).await;
    let old = now_us() - ORPHAN_AGE_US - HOUR;
    for _ in 0..BATCH + 10 {
        lake.put(&bronze(&s, id_at(old))).await;
    }
    assert_eq!(sweep_table(&lake.services, &table(&lake, &s), now_us()).await.unwrap(), BATCH as u64 + 10);
    assert_eq!(objects(&lake).await, 6, "three Bronze files and their quality results");
}
