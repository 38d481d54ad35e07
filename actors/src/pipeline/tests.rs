//! Tests of the pipeline, and what they share.
#![expect(clippy::unwrap_used, reason = "tests")]

mod bad;
mod batches;
mod fixtures;
mod poison;
mod profiles;
mod rules;
mod shapes;

use arrow::util::display::{ArrayFormatter, FormatOptions};
use arrow_array::cast::AsArray;
use arrow_array::{BinaryViewArray, StringArray};
use lakewright_proto::SourcePosition;
use uuid::Uuid;

use super::*;
use crate::connectors::PayloadFormat;

pub use poison::panic_on_poison;

/// 2026-01-01T00:00:00Z.
pub const NOW: i64 = 1_767_225_600_000_000;
const AWS: &str = include_str!("../../../packs/aws-partner/entities.yaml");

/// A pack for what the shipped one has no use for.
pub const SHOP: &str = "\
pack: shop
rates:
  USD: [{from: '2000-01-01', rate: '1'}]
  EUR: [{from: '2024-01-01', rate: '1.10'}, {from: '2025-01-01', rate: '1.125'}]
entities:
  - name: Order
    table: order
    streams: [orders]
    key: {path: $.id}
    version: {path: $.v, type: int64}
    operation: {path: $.op, delete: [delete]}
    fields:
      - {name: id, type: uuid, from: $id}
      - {name: number, type: string, from: $.id}
      - {name: customer, type: string, from: $.customer.name}
      - {name: total, type: 'decimal(38,2)', from: $.total}
      - {name: fee, type: 'decimal(10,2)', from: $.fee, on_error: null_and_flag}
      - {name: count, type: int64, from: $.count}
      - {name: paid, type: bool, from: $.paid}
      - {name: day, type: date, from: $.day}
      - {name: at, type: timestamp, from: $.at}
      - {name: tags, type: list<string>, from: '$.tags[*]'}
      - {name: notes, type: jsonb, from: $.customer.notes}
      - {name: currency, type: string, from: $.currency}
      - {name: usd, type: 'decimal(38,2)', first_of: [{field: total, times: count, times_default: 2, currency: currency}], rates_at: day}
      - {name: raw, type: jsonb, from: $payload, payload: true}
    rules:
      - {name: has_customer, type: schema, required: [customer]}
      - {name: code, type: format, path: $.code, matches: '[A-Z]{3}'}
      - {name: mails, type: format, path: '$.mails[*]', matches: '.+@.+'}
      - {name: positive, type: business, field: total, is: '> 0'}
      - {name: counted, type: business, field: count, is: not null}
      - {name: fresh, type: freshness, max_age: 1h}
";

fn pipeline_of(text: &str, stream: &str) -> Pipeline {
    let pack = Pack::parse(&[("entities.yaml".to_owned(), text.as_bytes().to_vec())]).unwrap();
    let context = Context {
        tenant: TenantId(Uuid::from_u128(1)),
        connector: ConnectorId(Uuid::from_u128(2)),
        run: RunId(Uuid::from_u128(3)),
        key_scope: "scope".into(),
        key_scope_told: false,
        scan: 7,
    };
    Pipeline::new(&pack, stream, context).unwrap()
}

pub fn aws() -> Pipeline {
    pipeline_of(AWS, "opportunity")
}

pub fn shop() -> Pipeline {
    pipeline_of(SHOP, "orders")
}

/// A source's batch of JSON records.
pub fn raw<T: AsRef<[u8]>>(records: &[T]) -> RawBatch {
    RawBatch {
        format: PayloadFormat::Json,
        csv_header: None,
        payload: BinaryViewArray::from_iter_values(records),
        location: None,
        key: None,
        version: None,
        event_time: None,
        operation: None,
        request_id: None,
        oversize: Vec::new(),
        notices: Vec::new(),
        position: SourcePosition("p".into()),
    }
}

pub fn run<T: AsRef<[u8]>>(pipeline: &Pipeline, records: &[T]) -> PipelineOutput {
    pipeline.normalise(&raw(records), ShardId(5), 100, NOW).unwrap()
}

/// An order that no rule minds, with some of its fields put in place of others.
pub fn order(change: &str) -> String {
    type Object = std::collections::BTreeMap<String, Box<serde_json::value::RawValue>>;
    let mut value: Object =
        serde_json::from_str(r#"{"id":"a","v":1,"customer":{"name":"Ann"},"total":"10.50","count":3,"currency":"USD"}"#).unwrap();
    value.extend(serde_json::from_str::<Object>(change).unwrap());
    serde_json::to_string(&value).unwrap()
}

/// A cell as text; "-" is null.
pub fn cell(batch: &RecordBatch, name: &str, row: usize) -> String {
    let options = FormatOptions::new().with_null("-");
    ArrayFormatter::try_new(batch.column_by_name(name).unwrap(), &options).unwrap().value(row).to_string()
}

/// The columns of a row that have a value, a line each.
pub fn shown(batch: &RecordBatch, row: usize) -> String {
    let names = batch.schema().fields().iter().map(|f| f.name().clone()).collect::<Vec<_>>();
    let lines = names.iter().map(|n| (n, cell(batch, n, row))).filter(|(n, v)| v != "-" && *n != "payload_json" && *n != "_pack");
    lines.map(|(n, v)| format!("{n} = {v}")).collect::<Vec<_>>().join("\n")
}

/// Reason, rule and detail of each dead letter.
pub fn dead(output: &PipelineOutput) -> Vec<String> {
    let d = &output.dead_letters;
    (0..d.num_rows())
        .map(|i| format!("{} {}: {}: {}", cell(d, "address_offset", i), cell(d, "reason", i), cell(d, "rule", i), cell(d, "detail", i)))
        .collect()
}

/// Every row has the outcome that the counts say.
pub fn consistent(output: &PipelineOutput) {
    let n = output.bronze.num_rows();
    let c = &output.counts;
    assert_eq!(c.read as usize, n);
    for e in &output.entities {
        assert_eq!((e.counts.accepted + e.counts.rejected) as usize, n);
        let rows = e.rows.num_rows();
        assert_eq!(e.counts.accepted as usize, rows);
        assert_eq!((e.keys.len(), e.versions.len(), e.operations.len(), e.content_hash.len()), (rows, rows, rows, rows));
    }
    assert_eq!(output.quality.num_rows(), n * output.entities.len());
    assert_eq!(output.dead_letters.num_rows() as u64, c.rejected);
    let offsets = output.bronze.column_by_name("_offset").unwrap().as_primitive::<arrow_array::types::Int64Type>();
    assert!(offsets.values().iter().enumerate().all(|(i, o)| *o == offsets.value(0) + i as i64));
}

#[test]
fn nobody_takes_the_stream() {
    let output = run(&pipeline_of(SHOP, "other"), &[r#"{"a":1}"#, "{", "{\"b\":2}"]);
    consistent_unmapped(&output);
}

fn consistent_unmapped(output: &PipelineOutput) {
    assert_eq!((output.counts.read, output.counts.unmapped, output.counts.rejected), (3, 2, 1));
    assert_eq!((output.entities.len(), output.quality.num_rows(), output.dead_letters.num_rows()), (0, 0, 1));
    assert!(output.dead_letters.column_by_name("entity").unwrap().is_null(0));
    assert_eq!(output.dead_letters.column_by_name("payload").unwrap().as_binary::<i32>().value(0), b"{");
}

#[test]
fn ids_are_frozen() {
    // Never edited: the same opportunity keeps its id for ever.
    let output = run(
        &aws(),
        &[r#"{"Id":"O1","Catalog":"AWS","LastModifiedDate":"2025-01-01T00:00:00Z","Customer":{"Account":{"CompanyName":"x"}}}"#],
    );
    let rows = &output.entities[0].rows;
    assert_eq!(cell(rows, "id", 0), "6e6dc9d4-df94-5ea0-9269-19260ecb0fa1");
    assert_eq!(Uuid::from_slice(output.entities[0].keys.value(0)).unwrap().to_string(), cell(rows, "id", 0));
    // Length-prefixed: scope "AWS" and key "O1" are not scope "AWSO" and key "1".
    let other = run(
        &aws(),
        &[r#"{"Id":"1","Catalog":"AWSO","LastModifiedDate":"2025-01-01T00:00:00Z","Customer":{"Account":{"CompanyName":"x"}}}"#],
    );
    assert_ne!(cell(&other.entities[0].rows, "id", 0), cell(rows, "id", 0));
    // Without a catalog the connector's scope counts.
    let scoped = run(&shop(), &[order("{}")]);
    assert_eq!(cell(&scoped.entities[0].rows, "_key_scope", 0), "scope");
    assert_eq!(cell(&scoped.entities[0].rows, "id", 0), "677b834d-8130-53ed-89b2-5d6a00ff6a6d");
    assert_eq!(scoped.entities[0].content_hash[0], 147312142632855360535953804897195854808);
}

#[test]
fn a_pipeline_may_have_no_rows() {
    let output = run::<&str>(&aws(), &[]);
    assert_eq!((output.bronze.num_rows(), output.entities[0].rows.num_rows(), output.quality.num_rows()), (0, 0, 0));
    let again = aws().normalise_bronze(&output.bronze).unwrap();
    assert_eq!(again.entities[0].rows, output.entities[0].rows);
}

#[test]
fn csv_lines_and_source_keys() {
    let mut batch = raw(&[&b"a1,\"Ann, B\",10.5,2\r\n"[..], b"a2,Bob,,\n", b"a3,Cid\n", b"a4,\"say \"\"hi\"\"\",1,1", b"a5,\"open,1,1"]);
    batch.format = PayloadFormat::Csv { delimiter: ',' };
    batch.csv_header = Some(["v", "number", "total", "count"].map(str::to_owned).to_vec());
    batch.key = Some(StringArray::from(vec!["k1", "k2", "k3", "k4", "k5"]));
    let pipeline = pipeline_of(
        &SHOP.replace("$.customer.name", "$.number").replace("{path: $.v, type: int64}", "{path: $.count, type: int64}"),
        "orders",
    );
    batch.version = Some(arrow_array::Int64Array::from(vec![1, 2, 3, 4, 5]));
    let output = pipeline.normalise(&batch, ShardId(1), 0, NOW).unwrap();
    consistent(&output);
    let rows = &output.entities[0].rows;
    assert_eq!(
        shown(rows, 0).lines().filter(|l| l.starts_with("customer") || l.starts_with("total")).collect::<Vec<_>>(),
        ["customer = Ann, B", "total = 10.50"]
    );
    assert_eq!(
        (cell(rows, "customer", 2), cell(rows, "_source_key", 2), cell(rows, "_version", 2)),
        ("say \"hi\"".into(), "k4".into(), "4".into())
    );
    assert_eq!(dead(&output), ["2 parse: -: it has 2 cells and the header 4", "4 parse: -: a quoted cell is not closed"]);
    // Bronze keeps the line, and the header in its format.
    let again = pipeline.normalise_bronze(&output.bronze).unwrap();
    assert_eq!((again.entities[0].rows.clone(), &again.entities[0].content_hash), (rows.clone(), &output.entities[0].content_hash));
    assert_eq!(again.dead_letters, output.dead_letters);
}
