//! Snapshots are verified, kept in twos, replaced whole, and a damaged one is put aside.
#![expect(clippy::unwrap_used, reason = "tests")]

use openraft::CommittedLeaderId;
use proptest::prelude::*;

use super::*;
use crate::raft::codec;
use crate::raft::memory_state::MemoryState;
use crate::raft::state::ApplyMark;
use crate::raft::types::Proposal;

fn id(index: u64) -> LogId {
    LogId::new(CommittedLeaderId::new(1, 1), index)
}

fn apply(state: &MemoryState, index: u64) {
    let log_id = codec::encode_log_id(&id(index));
    let proposal = Proposal { commands: vec![format!("c{index}").into_bytes()], proposed_at_us: 1 };
    state.apply(&ApplyMark { log_id: &log_id, membership: None, index, term: 1 }, Some(&proposal)).unwrap();
}

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<_> = std::fs::read_dir(dir).unwrap().map(|f| f.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn two_are_kept_and_the_newest_is_loaded() {
    let dir = tempfile::tempdir().unwrap();
    let snapshots = SnapshotDir::open(dir.path()).unwrap();
    let state = MemoryState::default();
    assert!(snapshots.load_newest(&state).unwrap().is_none());
    for index in 1..=12 {
        apply(&state, index);
        if index % 4 == 0 {
            snapshots.create(&state).unwrap();
        }
    }
    assert_eq!(names(dir.path()), ["snap-1-12.snap", "snap-1-8.snap"]);
    assert_eq!(*snapshots.durable().borrow(), Durable { newest: Some(id(12)), oldest: Some(id(8)) });

    let loaded = MemoryState::default();
    let again = SnapshotDir::open(dir.path()).unwrap();
    assert_eq!(again.load_newest(&loaded).unwrap().unwrap().last_log_id, Some(id(12)));
    assert_eq!(*loaded.content.lock(), *state.content.lock());
}

#[test]
fn one_snapshot_alone_lets_nothing_be_purged() {
    let dir = tempfile::tempdir().unwrap();
    let snapshots = SnapshotDir::open(dir.path()).unwrap();
    let state = MemoryState::default();
    apply(&state, 3);
    snapshots.create(&state).unwrap();
    snapshots.create(&state).unwrap();
    assert_eq!(*snapshots.durable().borrow(), Durable { newest: Some(id(3)), oldest: None });
}

#[test]
fn leftovers_go_and_an_installed_snapshot_replaces_all() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("new.snap.tmp"), b"half").unwrap();
    let snapshots = SnapshotDir::open(dir.path()).unwrap();
    let state = MemoryState::default();
    apply(&state, 1);
    snapshots.create(&state).unwrap();

    let leader_dir = tempfile::tempdir().unwrap();
    let leader = SnapshotDir::open(leader_dir.path()).unwrap();
    let theirs = MemoryState::default();
    (1..=9).for_each(|i| apply(&theirs, i));
    let meta = leader.create(&theirs).unwrap();
    let mut received = snapshots.receive().unwrap();
    io::copy(&mut File::open(leader.newest().unwrap().0).unwrap(), &mut received).unwrap();
    snapshots.install(&mut received, &meta, &state).unwrap();
    assert_eq!(*state.content.lock(), *theirs.content.lock());
    assert_eq!(names(dir.path()), ["snap-1-9.snap"]);
    assert_eq!(*snapshots.durable().borrow(), Durable { newest: Some(id(9)), oldest: Some(id(9)) });

    // Cut short on the way: refused, and what was there stays.
    let mut cut = snapshots.receive().unwrap();
    io::copy(&mut io::Read::take(File::open(leader.newest().unwrap().0).unwrap(), 40), &mut cut).unwrap();
    assert!(snapshots.install(&mut cut, &meta, &state).is_err());
    assert_eq!(snapshots.newest().unwrap().1.last_log_id, Some(id(9)));
}

#[test]
fn a_snapshot_of_this_format_is_read_forever() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("snap-1-2.snap"), hex::decode(FROZEN).unwrap()).unwrap();
    let state = MemoryState::default();
    let meta = SnapshotDir::open(dir.path()).unwrap().load_newest(&state).unwrap().unwrap();
    assert_eq!(meta.last_log_id, Some(id(2)));
    assert_eq!(state.commands(), [b"c1".to_vec(), b"c2".to_vec()]);
}

/// Written by the first build of this format: two entries in the memory state.
const FROZEN: &str = "4c4b57534e41503128b52ffd0048e50000a094dc0019010001000100029092926331926332020314000318170183ab6c6173\
    745f6c6f675f696482a96c65616465725f696482a47465726d01a76e6f64655f696401a5696e64657802af6c6173745f6d65\
    6d6265727368697082a66c6f675f6964c0aa6d656d6265727368697082a7636f6e6669677390a56e6f64657380ab736e6170\
    73686f745f6964a5312d312d32000000000000002500000076d5522ef67644cc5c9fdb3ab783096d38a7a956d4140c6a94fe\
    cd89849da45e3c4c4b57534e415045";

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever byte rots or wherever the file is cut, the older snapshot is used.
    #[test]
    fn damage_anywhere_is_seen(at in 0.0f64..1.0, flip in 0u8..=255) {
        let dir = tempfile::tempdir().unwrap();
        let state = MemoryState::default();
        {
            let snapshots = SnapshotDir::open(dir.path()).unwrap();
            apply(&state, 1);
            snapshots.create(&state).unwrap();
            apply(&state, 2);
            snapshots.create(&state).unwrap();
        }
        let newest = dir.path().join("snap-1-2.snap");
        let mut bytes = std::fs::read(&newest).unwrap();
        let at = (bytes.len() as f64 * at) as usize;
        if flip == 0 { bytes.truncate(at) } else { bytes[at] ^= flip }
        std::fs::write(&newest, bytes).unwrap();

        let snapshots = SnapshotDir::open(dir.path()).unwrap();
        let loaded = MemoryState::default();
        prop_assert_eq!(snapshots.load_newest(&loaded).unwrap().unwrap().last_log_id, Some(id(1)));
        prop_assert_eq!(loaded.commands(), vec![b"c1".to_vec()]);
        prop_assert!(dir.path().join("snap-1-2.snap.damaged").exists());
    }
}
