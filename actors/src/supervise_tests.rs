//! What becomes of a child that fails too often and is never given up.

use super::*;

#[test]
fn a_child_that_is_never_given_up_waits_and_its_failures_are_remembered() {
    let (mut children, policy) = (Children::<u8, ()>::default(), RestartPolicy::default());
    while !matches!(children.failed(&1, "again", false, &policy), Verdict::Broken) {
        children.wake(&1);
    }
    children.put_off(&1);
    assert!(children.contains(&1), "a look before its time does not start it");
    children.wake(&1);
    assert!(!children.contains(&1), "its time is there");
    assert!(matches!(children.failed(&1, "again", false, &policy), Verdict::Broken), "it waits longest again");
}
