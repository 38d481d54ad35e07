//! A check that panics refuses the record that it panicked on, and no other.

use std::cell::Cell;

use arrow_array::StringArray;

use super::*;

thread_local! {
    static ARMED: Cell<bool> = const { Cell::new(false) };
}

/// Stands for a fault in a check: panics on a record that says so, while the test wants it.
pub fn panic_on_poison(json: &StringArray) {
    if ARMED.get() {
        assert!(!json.iter().flatten().any(|text| text.contains("poison")), "a check met poison");
    }
}

fn armed<T>(f: impl FnOnce() -> T) -> T {
    ARMED.set(true);
    let out = f();
    ARMED.set(false);
    out
}

#[test]
fn a_check_that_panics_refuses_its_record_alone() {
    let good = |i: usize| format!("{{\"id\":\"g{i}\",\"v\":1,\"customer\":{{\"name\":\"n\"}}}}");
    let mut records: Vec<String> = (0..9).map(good).collect();
    for at in [0, 4, 9] {
        records.insert(at, format!("{{\"id\":\"poison{at}\",\"v\":1,\"customer\":{{\"name\":\"n\"}}}}"));
    }
    records.push("no json".to_owned());
    let output = armed(|| run(&shop(), &records));
    consistent(&output);
    let why = "a check failed on it: a check met poison";
    let internal = |at: usize| format!("{at} internal: -: {why}");
    let said = dead(&output);
    assert_eq!(said.len(), 4, "{said:?}");
    assert_eq!([&said[0], &said[1], &said[2]], [&internal(100), &internal(104), &internal(109)]);
    assert!(said[3].starts_with("112 "), "{said:?}");
    assert_eq!((output.counts.accepted, output.counts.rejected), (9, 4));
    // The bytes are kept, and recovery comes to the same.
    assert_eq!(cell(&output.dead_letters, "reason", 1), "internal");
    let again = armed(|| shop().normalise_bronze(&output.bronze).unwrap());
    assert_eq!(again.entities[0].rows, output.entities[0].rows);
    assert_eq!(again.dead_letters, output.dead_letters);
    // With the fault gone they are accepted: a replay brings them to Silver.
    let fixed = shop().normalise_bronze(&output.bronze).unwrap();
    assert_eq!((fixed.counts.accepted, fixed.counts.rejected), (12, 1));
}

#[test]
fn a_batch_of_nothing_but_poison_is_refused_whole() {
    let output = armed(|| run(&shop(), &["{\"id\":\"poison\"}"; 5]));
    consistent(&output);
    assert_eq!((output.counts.accepted, output.counts.rejected, output.bronze.num_rows()), (0, 5, 5));
}
