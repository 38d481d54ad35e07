//! What a whole list says of keys.

use std::collections::HashMap;

use super::{compare, Differences};
use crate::connectors::Known;

fn listed(of: &[(&str, Option<i64>)]) -> HashMap<Box<str>, Option<i64>> {
    of.iter().map(|(id, at)| ((*id).into(), *at)).collect()
}

fn known(of: &[(&str, i64)]) -> Known {
    of.iter().map(|(id, at)| ((*id).into(), *at)).collect()
}

#[test]
fn missed_are_unknown_or_older_and_absent_are_known_and_not_listed() {
    let list = listed(&[("new", Some(5)), ("newer", Some(5)), ("same", Some(5)), ("undated", None), ("older", Some(3))]);
    let have = known(&[("newer", 4), ("same", 5), ("undated", 9), ("older", 4), ("gone", 2)]);
    let found = compare(&list, &have, true, 20);
    assert_eq!(found, Differences { missed: vec!["new".into(), "newer".into()], absent: vec![("gone".into(), 2)], refused: None });
    // Where rows have another version than the list tells, only unknown keys are missed.
    assert_eq!(compare(&list, &have, false, 20).missed, ["new"]);
}

#[test]
fn more_than_the_share_allowed_is_deleted_only_with_a_word() {
    let have = known(&[("a", 1), ("b", 1), ("c", 1), ("d", 1), ("e", 1)]);
    let list = listed(&[("a", Some(1)), ("b", Some(1)), ("c", Some(1))]);
    let found = compare(&list, &have, true, 20);
    assert!(found.absent.is_empty() && found.refused.is_some_and(|why| why.contains("2 of 5")));
    assert_eq!(compare(&list, &have, true, 40).absent.len(), 2);
    // An empty list is not the word of a source that has nothing.
    assert!(compare(&listed(&[]), &have, true, 99).refused.is_some());
    assert_eq!(compare(&listed(&[]), &known(&[]), true, 20), Differences::default());
}
