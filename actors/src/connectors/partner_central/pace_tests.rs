//! Granted calls: spaced whatever the answers take, and not kept.
#![expect(clippy::unwrap_used, reason = "tests")]

use super::*;

const STEP: Duration = Duration::from_millis(500);

#[test]
fn slow_answers_make_no_burst() {
    let start = Instant::now();
    let mut block = Block::new(4, start, STEP);
    assert_eq!(block.next(start), Some(start));
    let late = start + STEP * 5;
    let (second, third) = (block.next(late).unwrap(), block.next(late).unwrap());
    assert_eq!((second, third), (late, late + STEP), "each call keeps its distance from the one before");
}

#[test]
fn calls_that_were_not_made_in_their_time_are_let_go() {
    let start = Instant::now();
    let mut block = Block::new(4, start, STEP);
    assert!(block.next(start).is_some());
    assert_eq!(block.next(start + STEP * 3 + SLACK + STEP), None);
    assert!(block.next(start + STEP * 3 + SLACK).is_some());
}
