//! Against arrow-json, which decodes the same values on another way.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

use arrow_array::Array;
use arrow_json::ReaderBuilder;
use lakewright_storage::pack::Path;
use proptest::prelude::*;

use super::super::projection::projection;
use super::super::scan::Scanner;
use super::*;

fn schema() -> SchemaRef {
    let paths = ["$.a", "$.o.b", "$.o.p.c", "$.l[*]", "$.m[k=x].v", "$.m[0].w", "$.m[0].n[*]"].map(|p| Path::parse(p).unwrap());
    projection(&paths)
}

/// What arrow-json makes of them.
fn expected(schema: &SchemaRef, records: &[String]) -> RecordBatch {
    let mut decoder = ReaderBuilder::new(Arc::clone(schema))
        .with_batch_size(records.len() + 1)
        .with_coerce_primitive(true)
        .with_ignore_type_conflicts(true)
        .build_decoder()
        .unwrap();
    for record in records {
        assert_eq!(decoder.decode(record.as_bytes()).unwrap(), record.len(), "{record}");
    }
    decoder.flush().unwrap().unwrap_or_else(|| RecordBatch::new_empty(Arc::clone(schema)))
}

fn gathered(schema: &SchemaRef, records: &[String]) -> RecordBatch {
    let layout = Layout::new(schema, []);
    let mut scanner = Scanner::new(&layout);
    for (row, record) in records.iter().enumerate() {
        scanner.scan(row, record.as_bytes()).unwrap_or_else(|e| panic!("{record}: {e:?}"));
    }
    scanner.gather.finish(schema, records.len()).unwrap()
}

/// Values without regard to whether a struct around them is null: children tell.
fn shown(array: &dyn Array, out: &mut Vec<String>, at: usize) {
    match array.data_type() {
        DataType::Struct(_) => {
            let s = array.as_any().downcast_ref::<StructArray>().unwrap();
            s.columns().iter().for_each(|c| shown(c, out, at));
        }
        DataType::List(_) => {
            let list = array.as_any().downcast_ref::<ListArray>().unwrap();
            if list.is_null(at) {
                out.push("-".into());
                return;
            }
            out.push("[".into());
            let (from, to) = (list.value_offsets()[at] as usize, list.value_offsets()[at + 1] as usize);
            (from..to).for_each(|i| shown(list.values(), out, i));
            out.push("]".into());
        }
        _ => {
            let texts = array.as_any().downcast_ref::<StringArray>().unwrap();
            out.push(if texts.is_null(at) { "-".into() } else { format!("{:?}", texts.value(at)) });
        }
    }
}

fn same(records: &[String]) -> Result<(), TestCaseError> {
    let schema = schema();
    let (ours, theirs) = (gathered(&schema, records), expected(&schema, records));
    prop_assert_eq!(ours.num_rows(), records.len());
    for (row, record) in records.iter().enumerate() {
        let [a, b] = [&ours, &theirs].map(|batch| {
            let mut out = Vec::new();
            batch.columns().iter().for_each(|c| shown(c, &mut out, row));
            out
        });
        prop_assert_eq!(a, b, "{}", record);
    }
    Ok(())
}

/// JSON over the keys that the schema knows, and some that it does not, of any kind anywhere.
fn value() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        Just("-1.50e3".to_owned()),
        Just("\"x\"".to_owned()),
        Just("\"\"".to_owned()),
        Just(r#""a\n\"\u00e9\ud83d\ude00\\/b""#.to_owned()),
        "[0-9]{1,20}".prop_filter("no leading zero", |n| n == "0" || !n.starts_with('0')),
    ];
    leaf.prop_recursive(4, 40, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(|v| format!("[{}]", v.join(" , "))),
            prop::collection::btree_map("[abcklmnopvwz]", inner, 0..6).prop_map(object),
        ]
    })
}

fn object(fields: std::collections::BTreeMap<String, String>) -> String {
    let fields: Vec<String> = fields.into_iter().map(|(k, v)| format!("\"{k}\":{v}")).collect();
    format!("{{{}}}", fields.join(","))
}

fn record() -> impl Strategy<Value = String> {
    prop::collection::btree_map("[abcklmnopvwz]", value(), 0..8).prop_map(object)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn columns_are_those_of_arrow_json(records in prop::collection::vec(record(), 0..6)) {
        same(&records)?;
    }

    /// Records that are refused in the middle leave no trace in the columns.
    #[test]
    fn refused_records_are_null(records in prop::collection::vec(record(), 1..6), bad in 0usize..6, cut in 1usize..60) {
        let bad = bad % records.len();
        let schema = schema();
        let layout = Layout::new(&schema, []);
        let mut scanner = Scanner::new(&layout);
        for (row, record) in records.iter().enumerate() {
            // The last bracket at least is missing.
            let cut = (0..record.len().min(cut)).rev().find(|i| record.is_char_boundary(*i)).unwrap_or(0);
            let text = if row == bad { &record[..cut] } else { record };
            prop_assert_eq!(scanner.scan(row, text.as_bytes()).is_err(), row == bad);
        }
        let ours = scanner.gather.finish(&schema, records.len()).unwrap();
        let mut records = records;
        records[bad] = "{}".to_owned();
        prop_assert_eq!(ours, gathered(&schema, &records));
    }
}

#[test]
fn of_keys_that_are_there_twice_the_last_counts_at_every_depth() {
    let twice = r#"{"a":1,"a":2,"o":{"b":1,"p":{"c":1}},"o":{"b":2},"l":["x"],"l":["y","z"],"m":[{"w":1,"w":"\u0041"}]}"#;
    let once = r#"{"a":2,"o":{"b":2},"l":["y","z"],"m":[{"w":"A"}]}"#;
    let schema = schema();
    let around = r#"{"a":"before","l":["q"]}"#;
    let [ours, wanted] = [twice, once].map(|r| gathered(&schema, &[around.to_owned(), r.to_owned(), around.to_owned()]));
    assert_eq!(ours, wanted);
}

#[test]
fn broken_strings_are_refused_wherever_they_stand() {
    let schema = schema();
    let layout = Layout::new(&schema, []);
    for bad in [r#"{"a":"\ud800"}"#, r#"{"a":"\udc00\ud800"}"#, r#"{"a":"\x"}"#, r#"{"unknown":"\x"}"#, r#"{"unknown":"\u12g4"}"#] {
        assert!(Scanner::new(&layout).scan(0, bad.as_bytes()).is_err(), "{bad}");
    }
}
