//! Columns over pack versions: ids stay, and are never given again.
#![expect(clippy::unwrap_used, reason = "tests")]

use proptest::prelude::*;

use super::super::schemas::silver_system_columns;
use super::*;

/// A pack's schema: names with types, ids by their place.
fn wanted(columns: &[(&str, DataType)]) -> Schema {
    let mut fields = silver_system_columns();
    for (i, (name, kind)) in columns.iter().enumerate() {
        let id = FIRST_FIELD_ID + i as i32;
        let kind = if matches!(kind, DataType::List(_)) { text_list(ELEMENT_ID + id) } else { kind.clone() };
        fields.push(column(id, name, kind, true));
    }
    Schema::new(fields)
}

fn ids(schema: &Schema) -> Vec<(String, i32)> {
    let own = schema.fields().iter().filter(|f| id_of(f) >= Some(FIRST_FIELD_ID));
    own.map(|f| (f.name().clone(), id_of(f).unwrap())).collect()
}

#[test]
fn columns_may_come_anywhere_and_keep_their_ids() {
    let old = wanted(&[("a", DataType::Utf8), ("b", DataType::Int64)]);
    let new = evolve(&old, 1001, &wanted(&[("c", DataType::Utf8), ("b", DataType::Int64), ("a", DataType::Utf8)]), false);
    assert_eq!(ids(&new.schema), [("c".into(), 1002), ("b".into(), 1001), ("a".into(), 1000)]);
    assert_eq!((new.added.as_slice(), new.left.len(), new.last_id), (["c".to_owned()].as_slice(), 0, 1002));
    assert_eq!(check(&old, 1001, &new.schema, false), Ok(1002));
}

#[test]
fn a_column_that_vanishes_stays_and_one_of_that_name_later_is_the_same() {
    let old = wanted(&[("a", DataType::Utf8), ("b", DataType::Int64)]);
    let less = evolve(&old, 1001, &wanted(&[("b", DataType::Int64)]), false);
    assert_eq!((ids(&less.schema), less.left), (vec![("b".into(), 1001), ("a".into(), 1000)], vec!["a".to_owned()]));
    let back = evolve(&less.schema, less.last_id, &wanted(&[("a", DataType::Utf8), ("b", DataType::Int64)]), false);
    assert_eq!(ids(&back.schema), ids(&old));
    assert!(back.is_nothing());
}

#[test]
fn another_type_is_refused_unless_nothing_is_written() {
    let old = wanted(&[("a", DataType::Utf8), ("l", text_list(1))]);
    let new = wanted(&[("a", DataType::Date32), ("l", text_list(2))]);
    let refused = evolve(&old, 1001, &new, false).refused;
    assert_eq!(refused, [Refused { column: "a".into(), is: DataType::Utf8, wanted: DataType::Date32 }]);
    let free = evolve(&old, 1001, &new, true);
    assert_eq!(ids(&free.schema), [("a".into(), 1002), ("l".into(), 1001)]);
    assert_eq!(check(&old, 1001, &free.schema, true), Ok(1002));
    assert!(check(&old, 1001, &free.schema, false).is_err());
}

#[test]
fn apply_refuses_what_breaks_ids() {
    let old = wanted(&[("a", DataType::Utf8), ("b", DataType::Int64)]);
    for bad in [
        wanted(&[("b", DataType::Int64), ("a", DataType::Utf8)]),
        wanted(&[("a", DataType::Utf8)]),
        wanted(&[("a", DataType::Date32), ("b", DataType::Int64)]),
        wanted(&[("a", DataType::Utf8), ("c", DataType::Int64)]),
    ] {
        assert!(check(&old, 1001, &bad, false).is_err(), "{bad:?}");
    }
    // An id that was given once, to a column that is not even there any more.
    assert!(check(&old, 1005, &wanted(&[("a", DataType::Utf8), ("b", DataType::Int64), ("c", DataType::Utf8)]), false).is_err());
}

fn kinds() -> impl Strategy<Value = DataType> {
    prop_oneof![Just(DataType::Utf8), Just(DataType::Int64), Just(text_list(0))]
}

proptest! {
    /// Over any history of packs no id ever means two columns, and every step passes `check`.
    #[test]
    fn ids_are_never_used_again(steps in prop::collection::vec((prop::collection::btree_map("[a-f]", kinds(), 1..6), any::<bool>()), 1..8)) {
        let mut table: Option<(Schema, i32)> = None;
        let mut given: std::collections::HashMap<i32, (String, bool)> = Default::default();
        for (columns, empty) in steps {
            let columns: Vec<(&str, DataType)> = columns.iter().map(|(n, t)| (n.as_str(), t.clone())).collect();
            let pack = wanted(&columns);
            let (schema, last) = match &table {
                None => (pack.clone(), largest_id(&pack)),
                Some((old, last)) => {
                    let new = evolve(old, *last, &pack, empty);
                    if !new.refused.is_empty() {
                        continue;
                    }
                    prop_assert_eq!(check(old, *last, &new.schema, empty), Ok(new.last_id));
                    (new.schema, new.last_id)
                }
            };
            for field in schema.fields() {
                let what = (field.name().clone(), matches!(field.data_type(), DataType::List(_)));
                let before = given.entry(id_of(field).unwrap()).or_insert(what.clone());
                prop_assert_eq!(&*before, &what);
            }
            table = Some((schema, last));
        }
    }
}

#[test]
fn a_wider_type_keeps_its_id_and_a_narrower_one_is_refused() {
    let decimal = DataType::Decimal128;
    let pairs = [
        (DataType::Int64, decimal(38, 2), true),
        (DataType::Int64, decimal(20, 2), false),
        (decimal(10, 2), decimal(12, 4), true),
        (decimal(12, 4), decimal(12, 2), false),
        (DataType::Int64, DataType::Utf8, true),
        (DataType::Utf8, DataType::Int64, false),
    ];
    for (is, wants, fits) in pairs {
        let old = wanted(&[("a", is.clone()), ("b", DataType::Utf8)]);
        let new = evolve(&old, 1001, &wanted(&[("a", wants.clone()), ("b", DataType::Utf8)]), false);
        assert_eq!((new.widened.len() == 1, new.refused.len() == 1), (fits, !fits), "{is} {wants}");
        assert_eq!(ids(&new.schema), ids(&old));
        assert_eq!(check(&old, 1001, &new.schema, false).is_ok(), fits);
    }
}
