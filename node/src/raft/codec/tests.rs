//! The bytes of entries are frozen, survive a round trip, and damage never panics.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::{BTreeMap, BTreeSet};

use openraft::CommittedLeaderId;
use proptest::prelude::*;

use super::*;
use crate::raft::types::{Membership, RaftNode};

fn membership() -> Membership {
    let node = RaftNode { rpc_addr: "h:1".into(), flight_addr: "h:2".into(), zone: "z".into() };
    Membership::new(vec![BTreeSet::from([1])], BTreeMap::from([(1, node)]))
}

#[test]
fn bytes_are_frozen() {
    let proposal = Proposal { commands: vec![b"ab".to_vec(), vec![]], proposed_at_us: 0x0102_0304 };
    assert_eq!(hex::encode(encode_payload(&EntryPayload::Blank).unwrap()), "0100");
    assert_eq!(
        hex::encode(encode_payload(&EntryPayload::Normal(proposal)).unwrap()),
        "0101000000000102030400000002000000026162".to_owned() + "00000000"
    );
    let id = LogId::new(CommittedLeaderId::new(3, 4), 5);
    assert_eq!(hex::encode(encode_log_id(&id)), "01000000000000000300000000000000040000000000000005");
    let stored = StoredMembership::new(Some(id), membership());
    assert_eq!(
        hex::encode(encode_membership(&stored).unwrap()),
        "0182a66c6f675f696482a96c65616465725f696482a47465726d03a76e6f64655f696404a5696e64657805aa6d656d6265727368697082a7636f6e66\
         696773919101a56e6f646573810183a87270635f61646472a3683a31ab666c696768745f61646472a3683a32a47a6f6e65a17a"
    );
    assert_eq!(
        hex::encode(encode_payload(&EntryPayload::Membership(membership())).unwrap()),
        "010282a7636f6e66696773919101a56e6f646573810183a87270635f61646472a3683a31ab666c696768745f61646472a3683a32a47a6f6e65a17a"
    );
}

#[test]
fn memberships_and_positions_round_trip() {
    let id = LogId::new(CommittedLeaderId::new(7, 1), 9);
    assert_eq!(decode_log_id(&encode_log_id(&id)).unwrap(), id);
    let stored = StoredMembership::new(Some(id), membership());
    assert_eq!(decode_membership(&encode_membership(&stored).unwrap()).unwrap(), stored);
    assert_eq!(decode_membership(&[]).unwrap(), StoredMembership::default());
    let payload = EntryPayload::Membership(membership());
    assert_eq!(decode_payload(&encode_payload(&payload).unwrap()).unwrap(), payload);
}

#[test]
fn other_versions_and_kinds_are_refused() {
    for bytes in [&[][..], &[2, 0], &[1], &[1, 9], &[1, 1, 0], &[1, 2, 0xc1]] {
        assert_eq!(decode_payload(bytes).unwrap_err().kind(), std::io::ErrorKind::InvalidData);
    }
    assert!(decode_log_id(&[0; LOG_ID_BYTES]).is_err());
    assert!(decode_membership(&[9, 1]).is_err());
}

proptest! {
    #[test]
    fn proposals_round_trip(commands in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..64), 0..20), at in any::<i64>()) {
        let payload = EntryPayload::Normal(Proposal { commands, proposed_at_us: at });
        prop_assert_eq!(decode_payload(&encode_payload(&payload).unwrap()).unwrap(), payload);
    }

    #[test]
    fn any_bytes_decode_or_err(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut framed = vec![1, 1];
        framed.extend(&bytes);
        drop(decode_payload(&framed));
        drop(decode_payload(&bytes));
        drop(decode_membership(&bytes));
    }
}
