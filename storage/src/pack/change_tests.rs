//! What another version changes, told by the entity alone.
#![expect(clippy::unwrap_used, reason = "tests")]

use super::EntityChange;
use crate::pack::Pack;

const AWS: &str = include_str!("../../../packs/aws-partner/entities.yaml");

fn pack(text: &str) -> Pack {
    Pack::parse(&[("entities.yaml".to_owned(), text.as_bytes().to_vec())]).unwrap()
}

fn change(edit: impl Fn(String) -> String) -> EntityChange {
    EntityChange::between(&pack(AWS).entities()[0], &pack(&edit(AWS.to_owned())).entities()[0])
}

fn replace(from: &'static str, to: &'static str) -> impl Fn(String) -> String {
    move |text| {
        assert!(text.contains(from), "{from}");
        text.replacen(from, to, 1)
    }
}

const REGION: &str = "      - {name: duns,";

#[test]
fn words_about_columns_and_their_order_change_nothing() {
    assert_eq!(change(|t| t), EntityChange::default());
    assert_eq!(change(replace("the id in the partner's CRM", "another text")), EntityChange::default());
    // A column before others moves the places that sums refer to.
    let added = change(replace(
        "      - {name: id, type: uuid",
        "      - {name: first, type: string, from: $.First}\n      - {name: id, type: uuid",
    ));
    assert_eq!((added.added, added.changed), (vec!["first".to_owned()], vec![]));
}

#[test]
fn new_and_otherwise_made_columns_are_told_apart() {
    let new = change(replace(REGION, "      - {name: fax, type: string, from: $.Customer.Fax}\n      - {name: duns,"));
    assert_eq!(new.reason().unwrap(), "new: fax");
    let other = change(replace("from: $.Customer.Account.Duns", "from: $.Customer.Duns"));
    assert_eq!(other.reason().unwrap(), "made otherwise: duns");
    // A sum is made otherwise where what it is made of has another rate.
    let rate = change(replace("rate: \"1\"", "rate: \"2\""));
    assert_eq!(rate.changed, ["expected_revenue_usd"]);
}

#[test]
fn another_key_is_another_entity_and_rules_judge_from_now_on() {
    let key = change(replace("key: {path: $.Id, scope: $.Catalog}", "key: {path: $.Arn, scope: $.Catalog}"));
    assert!(key.refused[0].contains("another name and table"), "{:?}", key.refused);
    let rule = change(replace(
        "      - {name: spend_not_negative,",
        "      - {name: cheap, type: business, field: contract_months, is: \"< 99\"}\n      - {name: spend_not_negative,",
    ));
    assert_eq!((rule.reason(), rule.rules), (None, vec!["+cheap".to_owned()]));
    let changed = change(replace("field: expected_spend_amount, is: \">= 0\"", "field: expected_spend_amount, is: \"> 0\""));
    assert_eq!(changed.rules, ["~spend_not_negative"]);
    let scope = change(replace("key: {path: $.Id, scope: $.Catalog}", "key: {path: $.Id}"));
    assert!(scope.refused[0].contains("$.Id within $.Catalog and would be $.Id:"), "{:?}", scope.refused);
    assert_eq!(change(replace("partition: $.CreatedDate", "partition: $.LastModifiedDate")).other, ["partition"]);
    assert_eq!(change(replace("absent: [absent]", "absent: [missing]")).other, ["operation"]);
}
