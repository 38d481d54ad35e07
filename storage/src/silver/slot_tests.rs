//! Entities without versions of their own: a later scan that sees the same is no news.

use lakewright_proto::{CommitSeq, FileId, RecordAddress, ShardId};

use super::{Incoming, Slot};
use crate::keyindex::{Entry, State};
use crate::table::OutcomeCounts;

fn entry(scan: i64, hash: u128) -> Entry {
    let address = RecordAddress { shard: ShardId(1), offset: scan as u64 };
    let state = State::Live { file: FileId(uuid::Uuid::nil()), row: 3 };
    Entry { key: [1; 16], version: scan, commit: CommitSeq(scan as u64), address, hash, partition_at: 0, state }
}

fn take(slot: &mut Slot, scan: i64, hash: u128, by_content: bool) -> OutcomeCounts {
    let mut counts = OutcomeCounts::default();
    slot.apply(Incoming { entry: entry(scan, hash), delete: false, absent: false, row: 0, by_content }, &mut counts);
    counts
}

#[test]
fn the_same_content_in_a_later_scan_is_unchanged_and_an_older_scan_stays_behind_it() {
    let mut slot = Slot::of(Some(entry(1, 7)));
    assert_eq!(take(&mut slot, 5, 7, true).unchanged, 1);
    assert!(slot.seen && !slot.dirty && slot.place.is_some());
    // A slow backfill of before must not bring its older content.
    assert_eq!(take(&mut slot, 3, 8, true).stale, 1);
    assert_eq!(take(&mut slot, 6, 8, true).updated, 1);
    assert!(slot.dirty);
}

#[test]
fn where_the_source_tells_versions_a_newer_one_is_an_update() {
    let mut slot = Slot::of(Some(entry(1, 7)));
    assert_eq!(take(&mut slot, 5, 7, false).updated, 1);
}

/// What becomes of one record after the other: version, operation (0 upsert, 1 delete, 2 absent), whether it lives then.
fn story(records: &[(i64, i8, bool)]) {
    let mut slot = Slot::of(None);
    let mut counts = OutcomeCounts::default();
    for (i, (version, operation, lives)) in records.iter().enumerate() {
        let entry = Entry { commit: CommitSeq(i as u64 + 1), ..entry(*version, i as u128) };
        let record = Incoming { entry, delete: *operation != 0, absent: *operation == 2, row: 0, by_content: false };
        slot.apply(record, &mut counts);
        assert_eq!(slot.place.is_some(), *lives, "record {i} of {records:?}");
    }
}

#[test]
fn what_a_list_missed_lives_again_when_it_is_seen_in_whatever_version() {
    story(&[(5, 0, true), (5, 2, false), (5, 0, true)]);
    story(&[(5, 0, true), (7, 2, false), (5, 0, true), (4, 0, true)]);
    // A newer version than the one that a list missed is not ended by it.
    story(&[(5, 0, true), (6, 0, true), (5, 2, true)]);
    // A delete of the source stays one, also when a list misses the key later.
    story(&[(5, 0, true), (6, 1, false), (5, 0, false), (7, 2, false), (6, 0, false), (7, 0, true)]);
}
