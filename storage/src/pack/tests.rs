//! Packs: the one we ship, every kind of fault with its line, versions, ids, differences.
#![expect(clippy::unwrap_used, reason = "tests")]

use arrow_schema::{DataType, Schema};
use insta::assert_snapshot;

use super::*;
use crate::table::schemas::FIELD_ID;

const AWS: &str = include_str!("../../../packs/aws-partner/entities.yaml");

fn parse(text: &str) -> Result<Pack, PackFaults> {
    Pack::parse(&[("entities.yaml".to_owned(), text.as_bytes().to_vec())])
}

fn faults(text: &str) -> String {
    parse(text).unwrap_err().to_string()
}

const SMALL: &str = "\
pack: shop
entities:
  - name: Order
    table: order
    streams: [orders]
    key: {path: $.id}
    fields:
      - {name: id, type: uuid, from: $id}
      - {name: total, type: 'decimal(38,2)', from: $.total}
      - {name: tags, type: list<string>, from: '$.tags[*]'}
    rules:
      - {name: has_total, type: schema, required: [total]}
";

#[test]
fn the_pack_we_ship_is_good() {
    let pack = parse(AWS).unwrap();
    assert_eq!(pack.name(), "aws-partner");
    let entity = pack.entities_for("opportunity").next().unwrap();
    assert_eq!((entity.name(), entity.table()), ("PartnerCentralOpportunity", "partner_central_opportunity"));
    assert_eq!(pack.entities_for("leads").count(), 0);
    assert_eq!(entity.freshness().collect::<Vec<_>>(), [("updated_within_a_day", 86_400_000_000)]);
    let schema = entity.silver_schema();
    // The ten columns of the user's document come first, in its order and with its types.
    let document: Vec<String> = schema.fields()[13..23].iter().map(|f| format!("{}: {}", f.name(), f.data_type())).collect();
    assert_snapshot!(document.join("\n"), @r#"
    id: Utf8
    tenant_id: Utf8
    pc_opportunity_id: Utf8
    lifecycle_stage: Utf8
    customer_company_name: Utf8
    expected_revenue_usd: Decimal128(38, 2)
    close_date: Date32
    partner_solution_id: Utf8
    engagement_status: Utf8
    payload_json: Utf8
    "#);
}

fn ids(schema: &Schema) -> Vec<i32> {
    let id = |f: &arrow_schema::Field| f.metadata()[FIELD_ID].parse().unwrap();
    let mut out = Vec::new();
    for field in schema.fields() {
        out.push(id(field));
        if let DataType::List(item) = field.data_type() {
            out.push(id(item));
        }
    }
    out
}

#[test]
fn every_column_has_its_own_id_and_payloads_stay_out_of_changes() {
    let pack = parse(AWS).unwrap();
    for schema in [pack.entities()[0].silver_schema(), pack.entities()[0].changes_schema()] {
        let mut all = ids(&schema);
        let n = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), n);
    }
    let silver = pack.entities()[0].silver_schema();
    assert_eq!(silver.field_with_name("id").unwrap().metadata()[FIELD_ID], "1000");
    assert_eq!(silver.field_with_name("customer_company_name").unwrap().metadata()["lakewright.pii"], "true");
    assert!(silver.field_with_name("payload_json").is_ok());
    assert!(pack.entities()[0].changes_schema().field_with_name("payload_json").is_err());
}

#[test]
fn a_version_is_the_hash_of_the_content() {
    let hash = |text: &str| parse(text).unwrap().hash().to_owned();
    assert_eq!(hash(SMALL), hash(SMALL));
    assert_ne!(hash(SMALL), hash(&format!("{SMALL}\n")));
    // Frozen: a pack stored by one version of the program is found by the next.
    assert_snapshot!(hash(SMALL), @"2c230ed2e3232d95cf685d76386e80d9764a38e281726e035a079a6afd81c01c");
    let files = [("marts/a.sql".to_owned(), b"x".to_vec()), ("entities.yaml".to_owned(), SMALL.as_bytes().to_vec())];
    let swapped = [files[1].clone(), files[0].clone()];
    assert_eq!(Pack::parse(&files).unwrap().hash(), Pack::parse(&swapped).unwrap().hash());
    assert_ne!(Pack::parse(&files).unwrap().hash(), hash(SMALL));
}

#[test]
fn every_fault_is_told_with_its_line() {
    let text = "\
pack: shop
rates:
  EUR:
    - {from: 2026-02-30, rate: '1.1'}
entities:
  - name: Order
    table: Order
    streams: []
    key: {path: '$.ids[*]'}
    version: {path: $.v, type: float}
    fields:
      - {name: _id, type: uuid, from: $id}
      - {name: total, type: money, from: $.total}
      - name: total
        type: decimal(38,2)
        from: total
      - {name: tags, type: string, from: '$.tags[*]'}
      - {name: colour, type: string, from: $.colour, maps: {a: b}}
      - {name: nothing, type: string}
      - {name: count, type: int64, from: $.count}
      - {name: inner, type: jsonb, from: '$.list[0]'}
      - {name: usd, type: 'decimal(38,2)', first_of: [{field: tags}]}
      - {name: when, type: date, from: $.when, on_error: ignore}
      - {name: stage, type: enum, from: $.stage, flag_unknown: true}
    rules:
      - {name: all, type: schema, required: [total, amount, price]}
      - {name: mail, type: format, path: $.mail, matches: '(['}
      - {name: mail, type: business, field: tags, is: '> 0'}
      - {name: small, type: business, field: count, is: 'less than 5'}
      - {name: fresh, type: freshness, max_age: soon}
      - {name: odd, type: hunch}
      - {name: mixed, type: schema, path: $.a, required: [total]}
    known:
      - $.fine
      - $.bad[
  - name: Order
    table: orders
    streams: [orders]
    key: {path: $.id}
    fields: [{name: id, type: uuid, from: $id}]
";
    assert_snapshot!(faults(text), @r#"
    26 faults
      entities.yaml:3: rate "1.1" from "2026-02-30" of EUR is not a positive number from a day
      entities.yaml:7: table name "Order" is not valid: use lower-case letters, digits and single '_', starting with a letter, at most 63
      entities.yaml:8: entity "Order" takes no stream
      entities.yaml:9: a key is one value, not a list: "$.ids[*]"
      entities.yaml:10: a version is a timestamp or an int64, not "float"
      entities.yaml:12: column "_id" is not valid: lower-case letters, digits and '_', starting with a letter ('_' is ours)
      entities.yaml:13: "money" is no type: string, enum, uuid, jsonb, int64, bool, date, timestamp, decimal(p,s), list<string>
      entities.yaml:14: column "total" is there twice
      entities.yaml:14: "total" is not a path: it begins with `$`
      entities.yaml:17: "$.tags[*]" and type "string" do not fit: a path with [*] is a list<string>; $id and $tenant_id are uuids, $payload is a jsonb
      entities.yaml:18: unknown field `maps`, expected one of `name`, `type`, `from`, `first_of`, `lookup`, `currency`, `rates_at`, `map`, `otherwise`, `flag_unknown`, `only_mapped`, `on_error`, `pii`, `payload`, `description`, `references`
      entities.yaml:19: column "nothing" needs one of `from`, `first_of` and `lookup`
      entities.yaml:21: "$.list[0]" and type "jsonb" do not fit: a jsonb has $payload or a path of fields alone
      entities.yaml:22: "tags" of column "usd" is not a decimal column of the entity with a path
      entities.yaml:23: on_error is reject or null_and_flag, not "ignore"
      entities.yaml:24: column "stage" has flag_unknown or only_mapped and no map
      entities.yaml:26: rule "all" names "amount", which is no column of the entity
      entities.yaml:26: rule "all" names "price", which is no column of the entity
      entities.yaml:27: the pattern of rule "mail" does not compile: unclosed character class
      entities.yaml:28: rule "mail" compares "tags", which is no number
      entities.yaml:29: "less than 5" is no comparison: > n, >= n, < n, <= n, != n, not null
      entities.yaml:30: "soon" is no duration: 30m, 24h, 7d
      entities.yaml:31: "hunch" is no kind of rule: schema, format, business, freshness
      entities.yaml:32: rule "mixed" does not fit its kind: schema has `required`, format has `path` and `matches`, business has `field` and `is`, freshness has `max_age`
      entities.yaml:35: "$.bad[" is not a path: a `[` is not closed
      entities.yaml:36: entity "Order" or its table "orders" is there twice
    "#);
}

#[test]
fn what_is_no_pack_at_all_is_told_too() {
    assert_snapshot!(Pack::parse(&[]).unwrap_err(), @r#"
    1 fault
      entities.yaml:0: the pack has no entities.yaml
    "#);
    assert_snapshot!(Pack::parse(&[("entities.yaml".to_owned(), vec![0xff])]).unwrap_err(), @r#"
    1 fault
      entities.yaml:0: it is not UTF-8: invalid utf-8 sequence of 1 bytes from index 0
    "#);
    assert_snapshot!(faults("pack: a\nentities:\n  - {name: x\n"), @r#"
    1 fault
      entities.yaml:4: did not find expected ',' or '}' at line 4 column 1, while parsing a flow mapping at line 3 column 5
    "#);
    assert_snapshot!(faults("pack: a\nentity: []\nentities: []\n"), @r#"
    1 fault
      entities.yaml:2: unknown field `entity`, expected one of `pack`, `rates`, `entities` at line 2 column 1
    "#);
    assert_snapshot!(faults("pack: a\nentities: []\n"), @r#"
    1 fault
      entities.yaml:2: the pack names no entity
    "#);
}

#[test]
fn paths_read_back_as_they_are_written() {
    for good in ["$.A", "$.A.B[0].C", "$.A[*].B", "$.A[K=v w].B", "$.a-b.c d", "$.A.B | $.C[K=v].D"] {
        assert_eq!(Path::parse(good).unwrap().to_string(), good);
    }
    for bad in [
        "",
        "$",
        "A",
        "$A",
        "$.",
        "$..A",
        "$[0]",
        "$.A[",
        "$.A[-1]",
        "$.A[x]",
        "$.A[*].B[*]",
        "$.A[0]B",
        "$.A[=v]",
        "$.A | B",
        "$.A[*] | $.B",
    ] {
        assert!(Path::parse(bad).is_err(), "{bad:?}");
    }
}

const REFERS: &str = r#"
pack: shop
entities:
  - name: Customer
    table: customer
    streams: [customers]
    key: {path: $.id}
    fields:
      - {name: id, type: uuid, from: $id}
      - {name: customer_no, type: string, from: $.id}
  - name: Order
    table: shop_order
    streams: [orders]
    key: {path: $.id}
    fields:
      - {name: order_no, type: string, from: $.id}
      - {name: customer, type: string, from: $.customer, references: customer.customer_no}
"#;

#[test]
fn keys_are_told_and_what_a_column_refers_to_is_in_the_pack() {
    let pack = parse(REFERS).unwrap();
    assert_eq!(pack.entities()[0].primary_key(), ["id"]);
    assert_eq!(pack.entities()[1].primary_key(), ["_key_scope", "_source_key"]);
    assert_eq!(pack.entities()[1].fields()[1].references, Some(("customer".into(), "customer_no".into())));
    let e = parse(&REFERS.replace("customer.customer_no", "customer.nope")).unwrap_err().to_string();
    assert!(e.contains("no column customer.nope"), "{e}");
    let e = parse(&REFERS.replace("customer.customer_no", "customer")).unwrap_err().to_string();
    assert!(e.contains("no TABLE.COLUMN"), "{e}");
}
