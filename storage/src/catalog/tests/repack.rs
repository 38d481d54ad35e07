//! Bronze files replaced by one: what is refused, and what addresses lead to afterwards.

use super::world::*;
use crate::catalog::command::*;
use crate::catalog::keyspace::*;
use crate::catalog::records::*;
use crate::catalog::Read;
use crate::invariants;
use lakewright_proto::*;

/// Five commits of four records each; their files in order.
fn committed() -> (World, ShardId, Vec<FileId>) {
    let mut w = World::new();
    let (run, shard) = w.start_run();
    let epoch = w.claim(shard);
    let mut files = Vec::new();
    for i in 0..5 {
        let c = w.bronze(shard, epoch, run, i * 4, 4, 0);
        files.push(c.files[0].id);
        w.done(Command::CommitBronze(c));
    }
    (w, shard, files)
}

fn replace(w: &mut World, inputs: &[FileId], rows: u64) -> Command {
    let output = w.file(0x30, rows);
    Command::ReplaceBronze(ReplaceBronze { table: bronze(), inputs: inputs.to_vec(), output })
}

fn found(w: &World, shard: ShardId, first: u64, count: u64) -> Vec<(u64, u64)> {
    let view = w.store.view();
    let shard = view.get::<Shards>(&shard).unwrap().unwrap();
    let lookup = view.bronze_lookup(&shard, first, count).unwrap();
    assert!(lookup.folded.is_empty());
    let ranges = lookup.found.iter().map(|e| match e.range {
        FileRange::Offsets { first, count, .. } => (first, count),
        _ => panic!("{e:?}"),
    });
    ranges.collect()
}

#[test]
fn a_replacement_must_be_of_current_files_of_one_stretch() {
    let (mut w, _, files) = committed();
    let before = w.store.view().table(bronze()).unwrap();
    for (inputs, rows, code) in [
        (vec![files[0]], 4, ErrorCode::InvalidArgument),
        (vec![files[0], files[2]], 8, ErrorCode::InvalidArgument),
        (vec![files[1], files[0]], 8, ErrorCode::InvalidArgument),
        (vec![files[0], files[1]], 7, ErrorCode::InvalidArgument),
        (vec![files[0], files[0]], 8, ErrorCode::Conflict),
        (vec![files[0], FileId(id(0xdead))], 8, ErrorCode::Conflict),
    ] {
        let c = replace(&mut w, &inputs, rows);
        assert_eq!(w.refused(c), code, "{inputs:?} of {rows} rows");
    }
    let silver_file = w.file(0x31, 8);
    let c = ReplaceBronze { table: silver(), inputs: files[..2].to_vec(), output: silver_file };
    assert_eq!(w.refused(Command::ReplaceBronze(c)), ErrorCode::InvalidArgument);
    let mut c = ReplaceBronze { table: bronze(), inputs: files[..2].to_vec(), output: w.file(0x30, 8) };
    c.output.partition = "year=2026/month=11/day=24".into();
    assert_eq!(w.refused(Command::ReplaceBronze(c)), ErrorCode::InvalidArgument);
    assert_eq!(w.store.view().table(bronze()).unwrap(), before);
    // A second replacement of the same files comes too late.
    let (first, second) = (replace(&mut w, &files[..2], 8), replace(&mut w, &files[1..3], 8));
    w.done(first);
    assert_eq!(w.refused(second), ErrorCode::Conflict);
    invariants::check_all(&w.store.view()).unwrap();
}

#[test]
fn addresses_lead_to_the_file_that_holds_them_now() {
    let (mut w, shard, files) = committed();
    let pinned = w.store.view().version().unwrap();
    let before = w.store.view().table(bronze()).unwrap();
    let c = replace(&mut w, &files[1..4], 12);
    w.done(c);
    assert_eq!(found(&w, shard, 0, 20), [(0, 4), (4, 12), (16, 4)]);
    assert_eq!(found(&w, shard, 3, 2), [(0, 4), (4, 12)]);
    assert_eq!(found(&w, shard, 9, 1), [(4, 12)]);
    let packed = w.store.view().scan::<Packed>(&shard).unwrap()[0].1.file;
    let c = replace(&mut w, &[files[0], packed, files[4]], 20);
    w.done(c);
    for offset in 0..20 {
        assert_eq!(found(&w, shard, offset, 1), [(0, 20)]);
    }
    let view = w.store.view();
    let table = view.table(bronze()).unwrap();
    assert_eq!((table.rows, table.files, view.scan::<Packed>(&shard).unwrap().len()), (before.rows, 1, 1));
    let old = view.table_snapshot(&table, Some(pinned)).unwrap();
    let mut seen: Vec<FileId> = old.files.iter().map(|f| f.file.id).collect();
    seen.sort_unstable();
    assert_eq!(seen, files, "a pinned version sees the files of then");
    assert_eq!(view.table_snapshot(&table, None).unwrap().files.len(), 1);
    assert_eq!(view.all::<Dropped>().unwrap().len(), 6);
    let commit = view.commit_of(RecordAddress { shard, offset: 9 }).unwrap();
    assert!(
        matches!(&commit.source, BronzeSource::Read { files: made_with, .. } if *made_with == [files[2]]),
        "the record of the commit stays"
    );
    invariants::check_all(&view).unwrap();
}
