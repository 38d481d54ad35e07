//! What batches look like to those who compare runs.

use super::*;

const SHOP: &str = "\
pack: shop
entities:
  - name: Order
    table: order
    streams: [opportunity]
    key: {path: $.id}
    operation: {path: $.op, delete: [gone]}
    fields:
      - {name: id, type: uuid, from: $id}
      - {name: order_id, type: string, from: $.id}
      - {name: stage, type: enum, from: $.stage}
      - {name: owner, type: enum, from: $.owner, pii: true}
      - {name: note, type: string, from: $.note}
      - {name: total, type: 'decimal(38,2)', from: $.total}
";

fn profile(records: &[&str]) -> lakewright_storage::catalog::records::EntityProfile {
    run(&pipeline_of(SHOP, "opportunity"), records).entities[0].profile.clone()
}

#[test]
fn nulls_are_of_accepted_upserts_and_values_of_enums_that_tell_of_nobody() {
    let p = profile(&[
        r#"{"id":"1","stage":"won","owner":"ann","note":"n","total":1}"#,
        r#"{"id":"2","stage":"won","owner":"bob","total":null}"#,
        r#"{"id":"3","note":"m","total":3}"#,
        r#"{"id":"4","stage":"lost","total":"not a number"}"#,
        r#"{"id":"5","op":"gone"}"#,
    ]);
    assert_eq!(p.rows, 3, "one is rejected, one deletes");
    let nulls: Vec<(&str, u64)> = p.nulls.iter().map(|(c, n)| (c.as_str(), *n)).collect();
    assert_eq!(nulls, [("note", 1), ("order_id", 0), ("owner", 1), ("stage", 1), ("total", 1)]);
    let values: Vec<&str> = p.values["stage"].seen.iter().map(String::as_str).collect();
    assert_eq!((values, p.values.len()), (vec!["won"], 1));
}

#[test]
fn an_enum_with_many_values_is_none() {
    let records: Vec<String> = (0..40).map(|n| format!(r#"{{"id":"{n}","stage":"s{n}"}}"#)).collect();
    let p = profile(&records.iter().map(String::as_str).collect::<Vec<_>>());
    assert!(p.values["stage"].many && p.values["stage"].seen.is_empty());
}
