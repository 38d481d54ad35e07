//! Positions: small, ordered by change, kept over restarts.
#![expect(clippy::unwrap_used, reason = "tests")]

use proptest::prelude::*;

use super::{Position, SEEN};

const OVERLAP: i64 = 1_000;

#[test]
fn what_is_near_the_newest_change_is_remembered_and_the_rest_is_not() {
    let mut p = Position::default();
    p.advance("a", Some(5_000), OVERLAP);
    p.advance("b", Some(5_500), OVERLAP);
    p.advance("a", Some(5_600), OVERLAP);
    assert!(p.has_seen("b", Some(5_500)) && p.has_seen("a", Some(5_600)) && !p.has_seen("a", Some(5_000)));
    p.advance("c", Some(9_000), OVERLAP);
    assert_eq!((p.list_from(OVERLAP), p.seen.len()), (Some(8_000), 1));
    // One that came late does not move the position back.
    p.advance("late", Some(8_500), OVERLAP);
    assert_eq!(p.after, Some(9_000));
    assert_eq!(Position::decode(Some(&p.encode().unwrap())).unwrap(), p);
    assert_eq!(Position::decode(None).unwrap(), Position::default());
    let newer = lakewright_proto::SourcePosition(p.encode().unwrap().0.replace("\"format\":1", "\"format\":9"));
    assert!(Position::decode(Some(&newer)).unwrap_err().to_string().contains("connector reset"));
}

proptest! {
    #[test]
    fn a_position_is_bounded_and_never_goes_back(changes in proptest::collection::vec((0u32..500, 0i64..5_000), 0..900)) {
        let mut p = Position::default();
        let mut newest = i64::MIN;
        for (id, at) in changes {
            p.advance(&format!("O{id:019}"), Some(at), OVERLAP);
            newest = newest.max(at);
            prop_assert_eq!(p.after, Some(newest));
            prop_assert!(p.seen.len() <= SEEN && p.seen.iter().all(|(_, at)| *at >= newest - OVERLAP));
            prop_assert!(p.encode().unwrap().0.len() < 24 << 10);
        }
    }
}
