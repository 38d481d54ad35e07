//! What may be looked up, and the faults of what may not.
#![expect(clippy::unwrap_used, reason = "tests")]

use insta::assert_snapshot;

use crate::pack::{FieldSource, LookupStep, Pack, PackFaults};

const ORDERS: &str = r#"
pack: shop
entities:
  - name: Customer
    table: customer
    streams: [customers]
    key: {path: $.id}
    fields:
      - {name: customer_no, type: string, from: $.id}
      - {name: region_no, type: string, from: $.region}
      - {name: since, type: date, from: $.since}
      - {name: tags, type: list<string>, from: '$.tags[*]'}
  - name: Region
    table: region
    streams: [regions]
    key: {path: $.id}
    fields:
      - {name: region_no, type: string, from: $.id}
      - {name: name, type: string, from: $.name}
      - {name: opened, type: date, from: $.opened}
  - name: Order
    table: shop_order
    streams: [orders]
    key: {path: $.id}
    fields:
      - {name: order_no, type: string, from: $.id}
      - {name: customer, type: string, from: $.customer}
      - {name: region, type: string, lookup: region.name}
    lookups:
      - name: region
        steps:
          - {table: customer, on: {customer_no: customer}}
          - {table: region, on: {region_no: region_no}}
        latest: opened
"#;

fn parse(text: &str) -> Result<Pack, PackFaults> {
    Pack::parse(&[("entities.yaml".to_owned(), text.as_bytes().to_vec())])
}

fn faults(replace: &[(&str, &str)]) -> String {
    let text = replace.iter().fold(ORDERS.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "{from}");
        text.replace(from, to)
    });
    parse(&text).unwrap_err().to_string()
}

#[test]
fn a_lookup_goes_over_steps_to_a_column() {
    let pack = parse(ORDERS).unwrap();
    let order = &pack.entities()[2];
    assert!(matches!(&order.fields()[2].source, FieldSource::Lookup(l, c) if (l.as_str(), c.as_str()) == ("region", "name")));
    let first = LookupStep { table: "customer".into(), on: vec![("customer_no".into(), "customer".into())] };
    assert_eq!((&order.lookups()[0].steps[0], order.lookups()[0].latest.as_deref()), (&first, Some("opened")));
}

#[test]
fn what_cannot_be_looked_up_is_told_with_its_line() {
    assert_snapshot!(faults(&[("customer_no: customer}", "customer_no: buyer}")]), @r#"
    1 fault
      entities.yaml:32: lookup "region" starts from "buyer", which is no text column of the entity
    "#);
    assert_snapshot!(faults(&[("{table: region, on: {region_no: region_no}}", "{table: regions, on: {region_no: regio}}")]), @r#"
    5 faults
      entities.yaml:28: the pack has no column regions.name of one value and the type of "region"
      entities.yaml:30: customer.regio is no text column of the pack
      entities.yaml:32: the pack has no table "regions"
      entities.yaml:33: regions.region_no is no text column of the pack
      entities.yaml:34: regions.opened is no timestamp, date or int64 column of the pack
    "#);
    assert_snapshot!(faults(&[("latest: opened", "latest: name"), ("lookup: region.name", "lookup: region.opened")]), @r#"
    2 faults
      entities.yaml:28: the pack has no column region.opened of one value and the type of "region"
      entities.yaml:34: region.name is no timestamp, date or int64 column of the pack
    "#);
    assert_snapshot!(faults(&[("lookup: region.name", "lookup: area.name")]), @r#"
    1 fault
      entities.yaml:28: the entity has no lookup "area"
    "#);
    assert_snapshot!(faults(&[("lookup: region.name", "lookup: region")]), @r#"
    1 fault
      entities.yaml:28: "region" is no LOOKUP.COLUMN
    "#);
    assert_snapshot!(faults(&[("lookup: region.name", "lookup: region.name, from: $.region")]), @r#"
    1 fault
      entities.yaml:28: column "region" has `lookup`, and so neither `from` nor `first_of`
    "#);
    assert_snapshot!(faults(&[("    lookups:\n", "    rules:\n      - {name: known, type: schema, required: [region]}\n    lookups:\n")]), @r#"
    1 fault
      entities.yaml:30: rule "known" names "region", which is looked up in another table
    "#);
    assert_snapshot!(faults(&[("{table: customer, on: {customer_no: customer}}", "{table: shop_order, on: {order_no: customer}}")]), @r#"
    1 fault
      entities.yaml:32: lookup "region" looks into the entity's own table
    "#);
}
