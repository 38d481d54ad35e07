//! Records that are no good: each is a dead letter with its reason, and the others go on.

use super::*;
use crate::connectors::OversizeRecord;

fn nested(levels: usize) -> Vec<u8> {
    let lists = levels - 1;
    [br#"{"id":"deep","v":1,"customer":{"name":"x"},"x":"#.as_slice(), &vec![b'['; lists], &vec![b']'; lists], b"}"].concat()
}

#[test]
fn each_with_its_reason() {
    let good = order(r#"{"id":"good"}"#).into_bytes();
    let bad: Vec<(Vec<u8>, &str)> = vec![
        (good[..good.len() - 5].to_vec(), "parse: -: a string is not closed"),
        (br#"{"id":"a","v":1"#.to_vec(), "parse: -: it is cut short"),
        (br#"{"id":"a","v":tru}"#.to_vec(), "parse: -: a value cannot be read"),
        (br#"{"id":"a","v":1.}"#.to_vec(), "parse: -: a value cannot be read"),
        (br#"{"id":"a","v":01}"#.to_vec(), "parse: -: a comma or the end was expected"),
        (br#"{"id":"a" "v":1}"#.to_vec(), "parse: -: a comma or the end was expected"),
        (br#"{"id":"a",,"v":1}"#.to_vec(), "parse: -: a key was expected"),
        (br#"{"id":"a",}"#.to_vec(), "parse: -: a key was expected"),
        (br#"{"id" "a"}"#.to_vec(), "parse: -: a colon was expected"),
        (br#"{"id":["a"}"#.to_vec(), "parse: -: a bracket closes another kind"),
        (br#"{"id":"a"} {"id":"b"}"#.to_vec(), "parse: -: something follows the object"),
        (b"[1,2]".to_vec(), "parse: -: it is not an object"),
        (b"17".to_vec(), "parse: -: it is not an object"),
        (b"null".to_vec(), "parse: -: it is not an object"),
        (b"   ".to_vec(), "parse: -: it is empty"),
        (b"".to_vec(), "parse: -: it is empty"),
        (b"}".to_vec(), "parse: -: it is not an object"),
        (br#"{"id":"\ud800","v":1}"#.to_vec(), "parse: -: "),
        (br#"{"id":"\q","v":1}"#.to_vec(), "parse: -: "),
        (b"{\"id\":\"\xff\xfe\"}".to_vec(), "invalid_utf8: -: its bytes are not UTF-8 from byte 7 on"),
        (nested(129), "too_deep: -: it is nested deeper than 128 levels"),
        (nested(100_000), "too_deep: -: it is nested deeper than 128 levels"),
    ];
    let mut records = vec![good.clone()];
    for (record, _) in &bad {
        records.push(record.clone());
        records.push(good.clone());
    }
    let output = run(&shop(), &records);
    consistent(&output);
    assert_eq!(output.counts.rejected as usize, bad.len());
    assert_eq!(output.entities[0].rows.num_rows(), bad.len() + 1);
    let letters = dead(&output);
    for (i, (record, reason)) in bad.iter().enumerate() {
        let expected = format!("{} {reason}", 101 + 2 * i);
        assert!(letters[i].starts_with(&expected), "{} is not {expected}", letters[i]);
        assert_eq!(output.dead_letters.column_by_name("payload").unwrap().as_binary::<i32>().value(i), record);
        // Alone it is refused in the same words.
        let alone = run(&shop(), &[record]);
        assert_eq!(dead(&alone)[0].split_once(' ').unwrap().1, letters[i].split_once(' ').unwrap().1);
    }
    // The good ones are all the same, wherever they stand.
    let hashes = &output.entities[0].content_hash;
    assert!(hashes.iter().all(|h| *h == run(&shop(), &[&good]).entities[0].content_hash[0]));
    let again = shop().normalise_bronze(&output.bronze).unwrap();
    assert_eq!((again.dead_letters, again.quality), (output.dead_letters, output.quality));
}

#[test]
fn as_deep_as_allowed_is_good() {
    let output = run(&shop(), &[nested(128)]);
    assert_eq!(output.counts.rejected, 0);
    assert!(cell(&output.entities[0].rows, "_extra", 0).starts_with("{\"x\":[[["));
}

#[test]
fn the_last_of_two_keys_counts() {
    let output = run(
        &shop(),
        &[
            r#"{"id":"a","v":1,"customer":{"name":"Ann","name":"Bea"},"total":1,"total":2}"#,
            r#"{"id":"a","v":1,"customer":{"name":"Ann"},"\u0069d":"b"}"#,
            r#"{"id":"a","v":1,"customer":{"notes":[1],"name":"Ann"},"customer":{"name":"Bea"}}"#,
            r#"{"id":"a","v":1,"customer":{"name":"Ann"},"other":[{"id":1},{"id":2}]}"#,
        ],
    );
    let rows = &output.entities[0].rows;
    assert_eq!([0, 1, 2, 3].map(|i| cell(rows, "_flags", i)), ["[duplicate_keys]", "[duplicate_keys]", "[duplicate_keys]", "-"]);
    assert_eq!((cell(rows, "customer", 0), cell(rows, "total", 0), cell(rows, "number", 1)), ("Bea".into(), "2.00".into(), "b".into()));
    assert_eq!((cell(rows, "customer", 2), cell(rows, "notes", 2)), ("Bea".into(), "-".into()));
}

#[test]
fn many_keys_are_no_trap() {
    let keys: Vec<String> = (0..200_000).map(|i| format!("\"k{i}\":1")).collect();
    let record = format!(r#"{{"id":"a","v":1,"customer":{{"name":"x"}},{},"k7":2}}"#, keys.join(","));
    let started = std::time::Instant::now();
    let output = run(&shop(), &[record]);
    assert_eq!(cell(&output.entities[0].rows, "_flags", 0), "[duplicate_keys]");
    // A quadratic look would take minutes.
    assert!(started.elapsed().as_secs() < 20);
}

#[test]
fn values_of_another_kind() {
    let output = run(
        &shop(),
        &[
            r#"{"id":"a","v":1,"customer":"Ann"}"#,
            r#"{"id":"a","v":1,"customer":{"name":{"first":"Ann"}}}"#,
            r#"{"id":"a","v":1,"customer":{"name":"x"},"tags":"t"}"#,
            r#"{"id":"a","v":1,"customer":{"name":"x"},"tags":["t",{"u":1}]}"#,
            r#"{"id":"a","v":1,"customer":{"name":"x"},"day":{"y":2026}}"#,
            r#"{"id":"a","v":1,"customer":{"name":"x"},"fee":[1]}"#,
            r#"{"id":["a"],"v":1,"customer":{"name":"x"}}"#,
            r#"{"id":5,"v":1,"customer":{"name":true},"tags":null,"day":null}"#,
        ],
    );
    consistent(&output);
    assert_eq!(
        dead(&output),
        [
            "100 schema: has_customer: customer has no value",
            "101 schema: has_customer: customer has no value",
            "104 schema: type:day: day is of another kind than expected at $.day",
            "106 schema: key: the key $.id has no value",
        ]
    );
    let rows = &output.entities[0].rows;
    assert_eq!(
        [0, 1, 2, 3].map(|i| cell(rows, "_flags", i)),
        ["[type_mismatch:$.tags]", "[type_mismatch:$.tags[*]]", "[type_mismatch:$.fee]", "-"]
    );
    assert_eq!([0, 1].map(|i| cell(rows, "tags", i)), ["-", "[t, -]"]);
    assert_eq!((cell(rows, "number", 3), cell(rows, "customer", 3)), ("5".into(), "true".into()));
}

#[test]
fn an_oversize_record_keeps_its_place() {
    let mut batch = raw(&[order(r#"{"id":"a"}"#), order(r#"{"id":"b"}"#)]);
    let large = |before_row| OversizeRecord {
        before_row,
        head: b"{\"id\":\"hu".to_vec(),
        length: 99_000_000,
        sha256: [7; 32],
        location: "f:2".into(),
    };
    batch.oversize = vec![large(1), large(2)];
    let output = shop().normalise(&batch, ShardId(5), 10, NOW).unwrap();
    consistent(&output);
    assert_eq!(output.bronze.num_rows(), 4);
    let rows = &output.entities[0].rows;
    assert_eq!(
        [0, 1].map(|i| (cell(rows, "number", i), cell(rows, "_address_offset", i))),
        [("a".into(), "10".into()), ("b".to_owned(), "12".to_owned())]
    );
    let d = &output.dead_letters;
    assert_eq!(
        (cell(d, "reason", 0), cell(d, "payload_bytes", 0), cell(d, "payload_sha256", 0), cell(d, "location", 0)),
        ("oversize".into(), "99000000".into(), "07".repeat(32), "f:2".into())
    );
    assert_eq!(cell(&output.bronze, "_operation", 1), "upsert");
    let again = shop().normalise_bronze(&output.bronze).unwrap();
    assert_eq!((again.dead_letters, again.entities[0].rows.clone()), (output.dead_letters.clone(), rows.clone()));
}
