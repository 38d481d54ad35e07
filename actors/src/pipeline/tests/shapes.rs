//! Unknown fields, and values that stay JSON.

use super::*;

#[test]
fn unknown_fields_are_kept_as_they_stand() {
    let pipeline = shop();
    let records = [
        order(r#"{"zeta":1.10,"alpha":{"b":[1, 2]}}"#),
        r#"{"id":"a","v":1,"customer":{"name":"x","vip":true},"total":"1","count":1,"huge":12345678901234567890.123456789}"#.to_owned(),
        order("{}"),
    ];
    // Twice: what is remembered of a shape changes nothing.
    for _ in 0..2 {
        let rows = run(&pipeline, &records).entities[0].rows.clone();
        assert_eq!(
            [0, 1, 2].map(|i| cell(&rows, "_extra", i)),
            [r#"{"alpha":{"b":[1, 2]},"zeta":1.10}"#, r#"{"customer":{"vip":true},"huge":12345678901234567890.123456789}"#, "-"]
        );
    }
}

#[test]
fn one_shape_with_other_values_is_looked_at_again() {
    let pipeline = shop();
    for n in 0..3 {
        let rows = run(&pipeline, &[order(&format!(r#"{{"new":{n}}}"#))]).entities[0].rows.clone();
        assert_eq!(cell(&rows, "_extra", 0), format!("{{\"new\":{n}}}"));
    }
}

#[test]
fn json_columns_hold_the_records_own_text() {
    let record = |notes: &str| format!(r#"{{"id":"a","v":1,"customer":{{"notes":{notes},"name":"x"}}}}"#);
    let records = [
        record(r#"[ {"a" : 1.50, "b":"c  \" d"} , null ]"#),
        record(r#"{"n":123456789012345678901234567890.10}"#),
        record("\"text\""),
        record("12"),
        record("null"),
        record("[]"),
        r#"{"id":"a","v":1,"customer":{"name":"x"}}"#.to_owned(),
    ];
    let output = run(&shop(), &records);
    let rows = &output.entities[0].rows;
    let notes: Vec<String> = (0..records.len()).map(|i| cell(rows, "notes", i)).collect();
    assert_eq!(
        notes,
        [r#"[{"a":1.50,"b":"c  \" d"},null]"#, r#"{"n":123456789012345678901234567890.10}"#, "\"text\"", "12", "-", "[]", "-"]
    );
    assert_eq!(cell(rows, "_extra", 0), "-");
}
