//! Older file entries leave the catalog for manifests, and every reader still finds its files.

use object_store::memory::InMemory;
use object_store::{ObjectStore, ObjectStoreExt};

use super::world::*;
use crate::catalog::command::*;
use crate::catalog::keyspace::*;
use crate::catalog::manifests::{self, decode, encode, fold_due, ManifestCache, RECENT};
use crate::catalog::records::*;
use crate::catalog::Read;
use crate::invariants;
use lakewright_proto::*;

fn path(id: FileId) -> String {
    format!("_lakewright/manifests/tenant_id={}/table=t/{id}.manifest", tenant())
}

fn entries(n: u64) -> Vec<FileEntry> {
    let mut w = World::empty();
    let range = |i| FileRange::Offsets { shard: ShardId(1), first: i * 10, count: 10 };
    (0..n).map(|i| FileEntry { file: w.file(0x30, 10), range: range(i), added: i + 1, removed: None }).collect()
}

#[tokio::test]
async fn folded_files_are_found_by_every_reader() {
    let mut w = World::new();
    let (run, shard) = w.start_run();
    let epoch = w.claim(shard);
    for i in 0..RECENT as u64 + 10 {
        let c = w.bronze(shard, epoch, run, i * 2, 2, 0);
        w.done(Command::CommitBronze(c));
    }
    let store = InMemory::new();
    let (table, before) = {
        let view = w.store.view();
        let table = view.table(bronze()).unwrap();
        (table.clone(), view.table_snapshot(&table, None).unwrap())
    };
    let plans = fold_due(&w.store.view(), 10).unwrap();
    let mine = plans.iter().find(|p| p.table == bronze()).unwrap();
    assert_eq!((plans.len(), mine.entries.len()), (2, 138), "Bronze and quality results; not Silver");
    let id = FileId(w.fresh());
    let manifest = manifests::write(&store, id, path(id), mine).await.unwrap();
    let files: Vec<FileId> = mine.entries.iter().map(|e| e.file.id).collect();
    let fold = |manifest: &Manifest, files: &[FileId]| Command::FoldFiles {
        table: bronze(),
        bucket: 0,
        manifest: manifest.clone(),
        files: files.to_vec(),
    };
    assert_eq!(w.refused(fold(&manifest, &files[1..])), ErrorCode::Conflict);
    let elsewhere = Manifest { path: "_lakewright/manifests/tenant_id=other/m".into(), ..manifest.clone() };
    assert_eq!(w.refused(fold(&elsewhere, &files)), ErrorCode::InvalidArgument);
    let silver_fold = Command::FoldFiles { table: silver(), bucket: 0, manifest: manifest.clone(), files: files.clone() };
    assert_eq!(w.refused(silver_fold), ErrorCode::InvalidArgument);
    w.done(fold(&manifest, &files));
    assert_eq!(w.refused(fold(&manifest, &files)), ErrorCode::AlreadyExists);
    let again = Manifest { id: FileId(w.fresh()), ..manifest.clone() };
    assert_eq!(w.refused(fold(&again, &files)), ErrorCode::Conflict);

    let cache = ManifestCache::new(1_000);
    let (now, then, lookup, mut named) = {
        let view = w.store.view();
        invariants::check_all(&view).unwrap();
        let shard = view.get::<Shards>(&shard).unwrap().unwrap();
        assert!(view.scan::<Files>(&bronze()).unwrap().len() <= RECENT);
        assert!(fold_due(&view, 10).unwrap().iter().all(|p| p.table != bronze()));
        let then = view.table_snapshot(&table, Some(mine.entries[99].added)).unwrap();
        let now = view.table_snapshot(&table, None).unwrap();
        (now, then, view.bronze_lookup(&shard, 271, 8).unwrap(), view.named_files(bronze()).unwrap())
    };
    let mut all: Vec<FileId> = now.files.iter().map(|f| f.file.id).collect();
    let resolved = now.resolve_files(&store, &cache).await.unwrap();
    all.extend(resolved.iter().map(|e| e.file.id));
    all.sort_unstable();
    let mut expected: Vec<FileId> = before.files.iter().map(|f| f.file.id).collect();
    expected.sort_unstable();
    assert_eq!(all, expected);
    assert_eq!((then.files.len(), then.resolve_files(&store, &cache).await.unwrap().len()), (0, 100));
    assert_eq!(lookup.folded.len(), 3, "offsets 271 to 275 of 276 folded");
    let found = lookup.resolve(&store, &cache).await.unwrap();
    let firsts: Vec<FileRange> = found.into_iter().map(|e| e.range).collect();
    let range = |first| FileRange::Offsets { shard, first, count: 2 };
    assert_eq!(firsts, [270, 272, 274, 276, 278].map(range));
    assert!(named.contains(&manifest.path) && !named.contains(&mine.entries[0].file.path));
    for m in named.manifests.clone() {
        named.add(&cache.load(&store, &m).await.unwrap());
    }
    assert!(named.contains(&mine.entries[0].file.path));
}

#[tokio::test]
async fn damage_is_refused_and_the_cache_is_bounded() {
    let store = InMemory::new();
    let (manifest, bytes) = encode(FileId(id(1)), "m/1".into(), bronze(), 0, &entries(20)).unwrap();
    assert_eq!(decode("m", &bytes).unwrap(), entries(20));
    for cut in 0..bytes.len() {
        assert!(decode("m", &bytes[..cut]).is_err());
    }
    for at in 0..13 {
        let mut bad = bytes.clone();
        bad[at] ^= 0x10;
        assert!(decode("m", &bad).is_err(), "byte {at}");
    }
    let mut bad = bytes.clone();
    let last = bad.len() - 1;
    bad[last] ^= 1;
    let dyn_store: &dyn ObjectStore = &store;
    dyn_store.put(&"m/1".into(), bad.into()).await.unwrap();
    assert!(manifests::load(&store, &manifest).await.is_err());
    let cache = ManifestCache::new(50);
    for n in 1..6u128 {
        let (m, bytes) = encode(FileId(id(n)), format!("m/{n}"), bronze(), 0, &entries(20)).unwrap();
        dyn_store.put(&m.path.as_str().into(), bytes.into()).await.unwrap();
        assert_eq!(cache.load(&store, &m).await.unwrap().len(), 20);
    }
    assert_eq!(cache.entries(), 40);
}
