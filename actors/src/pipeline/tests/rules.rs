//! Every kind of rule and its one action; types, money, deletes.

use super::*;

fn quality(output: &PipelineOutput, row: usize) -> (String, String, String) {
    let q = &output.quality;
    (cell(q, "is_valid", row), cell(q, "failed_rules", row), cell(q, "warnings", row))
}

#[test]
fn schema_rejects() {
    let output = run(
        &shop(),
        &[order("{}"), order(r#"{"customer":{"name":null}}"#), order(r#"{"id":null}"#), order(r#"{"v":null}"#), order(r#"{"v":"x"}"#)],
    );
    consistent(&output);
    assert_eq!(
        dead(&output),
        [
            "101 schema: has_customer: customer has no value",
            "102 schema: key: the key $.id has no value",
            "103 schema: version: the version $.v has no value",
            "104 schema: version: the version $.v is not a whole number: \"x\"",
        ]
    );
    assert_eq!(quality(&output, 0), ("true".into(), "[]".into(), "[]".into()));
    assert_eq!(quality(&output, 1), ("false".into(), "[has_customer]".into(), "[]".into()));
    assert_eq!(cell(&output.dead_letters, "source_key", 0), "a");
}

#[test]
fn format_flags_and_goes_on() {
    let output =
        run(&shop(), &[order(r#"{"code":"abc"}"#), order(r#"{"code":"ABC","mails":["a@b",null]}"#), order(r#"{"mails":["a@b","x"]}"#)]);
    consistent(&output);
    assert_eq!((output.counts.accepted, output.counts.flagged, output.counts.rejected), (3, 2, 0));
    assert_eq!(quality(&output, 0).0, "false");
    assert_eq!(quality(&output, 1).0, "true");
    let rows = &output.entities[0].rows;
    assert_eq!([0, 1, 2].map(|i| cell(rows, "_flags", i)), ["[code]", "-", "[mails]"]);
}

#[test]
fn business_warns() {
    let output =
        run(&shop(), &[order(r#"{"total":"-1"}"#), order(r#"{"total":0}"#), order(r#"{"count":null}"#), order(r#"{"total":null}"#)]);
    consistent(&output);
    assert_eq!((output.counts.accepted, output.counts.warned), (4, 3));
    assert_eq!([0, 1, 2, 3].map(|i| quality(&output, i).2), ["[positive]", "[positive]", "[counted]", "[]"]);
    assert_eq!(quality(&output, 0).0, "true");
}

#[test]
fn values_that_cannot_be_read() {
    let odd = [
        r#"{"total":"12."}"#,
        r#"{"total":""}"#,
        r#"{"total":12345678901234567890123456789012345.67}"#,
        r#"{"total":"1234567890123456789012345678901234567"}"#,
        r#"{"total":"abc"}"#,
        r#"{"total":1e999}"#,
        r#"{"fee":"100000000.00"}"#,
        r#"{"fee":"x"}"#,
        r#"{"day":"2026-02-30"}"#,
        r#"{"at":"yesterday"}"#,
        r#"{"paid":"perhaps"}"#,
        r#"{"count":9223372036854775808}"#,
        r#"{"total":0.1}"#,
    ]
    .map(order);
    let output = run(&shop(), &odd);
    consistent(&output);
    let dead = dead(&output);
    // Without the value that is shown at the end.
    let reasons: Vec<&str> = dead.iter().map(|d| d.rsplit_once(": \"").map_or(d.as_str(), |x| x.0)).collect();
    assert_eq!(
        reasons,
        [
            "103 out_of_range: type:total: total does not fit its decimal type",
            "104 schema: type:total: total is not a decimal number",
            "105 out_of_range: type:total: total does not fit its decimal type",
            "108 schema: type:day: day is not a date (YYYY-MM-DD)",
            "109 schema: type:at: at is not an instant (RFC 3339)",
            "110 schema: type:paid: paid is neither true nor false",
            "111 out_of_range: type:count: count does not fit 64 bits",
        ]
    );
    let rows = &output.entities[0].rows;
    let totals: Vec<String> = (0..rows.num_rows()).map(|i| cell(rows, "total", i)).collect();
    assert_eq!(totals, ["12.00", "-", "12345678901234567890123456789012345.67", "10.50", "10.50", "0.10"]);
    assert_eq!(
        [3, 4].map(|i| (cell(rows, "fee", i), cell(rows, "_flags", i))),
        [("-".to_owned(), "[unreadable:fee]".to_owned()), ("-".to_owned(), "[unreadable:fee]".to_owned())]
    );
}

#[test]
fn sums_are_converted_by_the_rate_of_their_day() {
    let rows = [
        r#"{}"#,
        r#"{"count":null}"#,
        r#"{"currency":"EUR","day":"2024-06-30"}"#,
        r#"{"currency":"EUR","day":"2025-06-30","count":1,"total":"0.02"}"#,
        r#"{"currency":"EUR","day":"2023-12-31"}"#,
        r#"{"currency":"JPY"}"#,
        r#"{"currency":null}"#,
        r#"{"total":null}"#,
        r#"{"currency":"EUR","count":1,"total":"-0.02"}"#,
    ]
    .map(order);
    let output = run(&shop(), &rows);
    let batch = &output.entities[0].rows;
    let usd: Vec<String> = (0..rows.len()).map(|i| cell(batch, "usd", i)).collect();
    // 10.50 x 3; x 2 by default; x 1.10; x 1.125, to the nearest cent; no rate yet; none at all.
    assert_eq!(usd, ["31.50", "21.00", "34.65", "0.02", "-", "-", "-", "-", "-0.02"]);
    assert_eq!(
        [4, 5, 6, 7].map(|i| cell(&output.quality, "warnings", i)),
        ["[not_converted:usd]", "[not_converted:usd]", "[not_converted:usd]", "[]"]
    );
}

#[test]
fn the_sum_that_is_picked_brings_its_own_currency() {
    let opportunity = |spend: &str, more: &str| {
        format!(
            r#"{{"Id":"O1","Catalog":"AWS","LastModifiedDate":"2025-01-01T00:00:00Z","Customer":{{"Account":{{"CompanyName":"x"}}}},"Project":{{"ExpectedCustomerSpend":[{spend}]{more}}}}}"#
        )
    };
    let entry =
        |who: &str, amount: &str, currency: &str| format!(r#"{{"Amount":{amount},"CurrencyCode":"{currency}","TargetCompany":"{who}"}}"#);
    let both = format!("{},{}", entry("AWS", "\"10\"", "EUR"), entry("Self", "\"5000\"", "USD"));
    let output = run(
        &aws(),
        &[
            opportunity(&both, ""),
            opportunity(&entry("AWS", "\"10\"", "USD"), r#","ExpectedContractDuration":{"Term":"Months","Value":"24"}"#),
            opportunity(&entry("AWS", "\"10\"", "EUR"), ""),
            opportunity(&entry("Partner", "\"-3\"", "USD"), ""),
            opportunity(&entry("AWS", "\"\"", "USD"), ""),
        ],
    );
    let rows = &output.entities[0].rows;
    assert_eq!([0, 1, 2, 3, 4].map(|i| cell(rows, "expected_revenue_usd", i)), ["5000.00", "240.00", "-", "-", "-"]);
    assert_eq!([0, 1].map(|i| cell(rows, "contract_months", i)), ["-", "24"]);
    assert_eq!(
        [2, 3, 4].map(|i| cell(&output.quality, "warnings", i)),
        ["[not_converted:expected_revenue_usd]", "[spend_not_negative]", "[]"]
    );
    assert_eq!(cell(rows, "expected_spend_amount", 3), "-3.00");
}

#[test]
fn deletes_need_a_key_and_a_version_only() {
    let mut batch = raw(&[
        r#"{"id":"a","v":2,"op":"delete","day":"never"}"#,
        r#"{"id":"b","v":1}"#,
        r#"{"op":"delete","v":1}"#,
        r#"{"id":"d","v":4,"customer":{"name":"D"}}"#,
    ]);
    let output = shop().normalise(&batch, ShardId(5), 100, NOW).unwrap();
    consistent(&output);
    assert_eq!(output.entities[0].operations, [1, 0]);
    assert_eq!(dead(&output), ["101 schema: has_customer: customer has no value", "102 schema: key: the key $.id has no value"]);
    // The source's own word counts as well as the record's.
    batch.operation = Some(vec![0, 1, 0, 0]);
    let output = shop().normalise(&batch, ShardId(5), 100, NOW).unwrap();
    assert_eq!(output.entities[0].operations, [1, 1, 0]);
    let again = shop().normalise_bronze(&output.bronze).unwrap();
    assert_eq!(again.entities[0].operations, [1, 1, 0]);
}

#[test]
fn a_source_may_tell_some_keys_and_versions() {
    let mut batch = raw(&[order(r#"{"id":null,"v":null}"#), order(r#"{"id":"own","v":9}"#)]);
    batch.key = Some(StringArray::from(vec![Some("told"), None]));
    batch.version = Some(arrow_array::Int64Array::from(vec![Some(3), None]));
    let output = shop().normalise(&batch, ShardId(5), 100, NOW).unwrap();
    let rows = &output.entities[0].rows;
    assert_eq!(
        [0, 1].map(|i| (cell(rows, "_source_key", i), cell(rows, "_version", i))),
        [("told".into(), "3".into()), ("own".to_owned(), "9".to_owned())]
    );
    // One by one out of Bronze it is the same.
    for i in 0..2 {
        let one = shop().normalise_bronze(&output.bronze.slice(i, 1)).unwrap();
        assert_eq!(one.entities[0].rows, rows.slice(i, 1));
    }
}

#[test]
fn no_version_is_the_scans_number() {
    let pipeline = pipeline_of(&SHOP.replace("    version: {path: $.v, type: int64}\n", ""), "orders");
    assert_eq!(run(&pipeline, &[order("{}")]).entities[0].versions.value(0), 7);
}
