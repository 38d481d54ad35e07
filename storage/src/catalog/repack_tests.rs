//! Which files are chosen to become one.

use uuid::Uuid;

use super::*;
use crate::table::DataFile;
use lakewright_proto::FileId;

const KB: u64 = 1 << 10;
const NOON: i64 = 1_760_000_000_000_000;

/// Files of these sizes, one after the other, of ten records each.
fn files(shard: u64, first: u64, day: &str, sizes: &[u64]) -> Vec<FileEntry> {
    let at = |i: usize| first + 10 * i as u64;
    let file = |i: usize, size: u64| DataFile {
        id: FileId(Uuid::from_u128(u128::from(shard) << 64 | u128::from(at(i)))),
        path: String::new(),
        size,
        rows: 10,
        partition: day.into(),
        time_range: (0, 0),
        created_at: NOON,
    };
    let range = |i| FileRange::Offsets { shard: ShardId(shard), first: at(i), count: 10 };
    sizes.iter().enumerate().map(|(i, size)| FileEntry { file: file(i, *size), range: range(i), added: 1, removed: None }).collect()
}

fn chosen(entries: Vec<FileEntry>, now: i64) -> Vec<(u64, u64, usize)> {
    due(entries, now).into_iter().map(|(shard, first, inputs)| (shard.0, first, inputs.len())).collect()
}

#[test]
fn many_small_files_wait_for_an_hour_or_for_a_crowd() {
    let some = files(1, 0, "d1", &[KB; 16]);
    assert_eq!(chosen(some.clone(), NOON + CLOSED), []);
    assert_eq!(chosen(some, NOON + CLOSED + 1), [(1, 0, 16)]);
    assert_eq!(chosen(files(1, 0, "d1", &[KB; 15]), NOON + 2 * CLOSED), []);
    assert_eq!(chosen(files(1, 0, "d1", &[KB; PRESSURE + 1]), NOON), [(1, 0, PRESSURE + 1)]);
}

#[test]
fn a_group_is_one_shard_one_day_and_without_a_gap() {
    let later = NOON + 2 * CLOSED;
    let mut all = files(1, 0, "d1", &[KB; 20]);
    all.extend(files(1, 200, "d2", &[KB; 17]));
    all.extend(files(2, 0, "d1", &[KB; 16]));
    all.extend(files(2, 170, "d1", &[KB; 15]));
    all.reverse();
    assert_eq!(chosen(all, later), [(1, 0, 20), (1, 200, 17), (2, 0, 16)]);
    // A large file ends a group on both sides.
    let mut sizes = [KB; 33];
    sizes[16] = LARGE;
    assert_eq!(chosen(files(1, 0, "d1", &sizes), later), [(1, 0, 16), (1, 170, 16)]);
}

#[test]
fn a_full_group_waits_for_nothing_and_is_bounded() {
    let quarter = LARGE / 4;
    assert_eq!(chosen(files(1, 0, "d1", &[quarter; 9]), NOON), [(1, 0, 4), (1, 40, 4)]);
    let n = MAX_INPUTS + 20;
    assert_eq!(chosen(files(1, 0, "d1", &vec![KB; n]), NOON), [(1, 0, MAX_INPUTS), (1, 10 * MAX_INPUTS as u64, 20)]);
    for (_, _, inputs) in due(files(1, 0, "d1", &[LARGE - 1; 7]), NOON) {
        assert!(inputs.iter().map(|e| e.file.size).sum::<u64>() < 2 * LARGE);
    }
}

#[test]
fn a_file_larger_than_what_follows_is_not_written_again() {
    let later = NOON + 2 * CLOSED;
    let mut sizes = [KB; 17];
    sizes[0] = 40 << 20;
    assert_eq!(chosen(files(1, 0, "d1", &sizes), later), [(1, 10, 16)]);
    assert_eq!(chosen(files(1, 0, "d1", &sizes[..16]), later), []);
}
