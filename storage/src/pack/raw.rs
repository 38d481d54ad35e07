//! `entities.yaml` as it is written; unknown keys are refused.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_yaml_ng::Value;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawPack {
    pub pack: String,
    #[serde(default)]
    pub rates: BTreeMap<String, Vec<RawRate>>,
    /// Read one by one, so that every fault is told.
    pub entities: Vec<Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawRate {
    pub from: String,
    pub rate: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawEntity {
    pub name: String,
    pub table: String,
    pub streams: Vec<String>,
    pub key: RawKey,
    pub version: Option<RawVersion>,
    pub partition: Option<String>,
    pub operation: Option<RawOperation>,
    pub only: Option<RawOnly>,
    pub fields: Vec<Value>,
    #[serde(default)]
    pub rules: Vec<Value>,
    #[serde(default)]
    pub known: Vec<String>,
    #[serde(default)]
    pub lookups: Vec<Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawLookup {
    pub name: String,
    pub steps: Vec<RawStep>,
    pub latest: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawStep {
    pub table: String,
    pub on: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawKey {
    pub path: String,
    pub scope: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawVersion {
    pub path: String,
    #[serde(rename = "type")]
    pub kind: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawOnly {
    pub path: String,
    pub is: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawOperation {
    pub path: String,
    #[serde(default)]
    pub delete: Vec<String>,
    #[serde(default)]
    pub absent: Vec<String>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawField {
    pub name: String,
    #[serde(rename = "type")]
    pub kind: String,
    pub from: Option<String>,
    pub first_of: Option<Vec<RawChoice>>,
    pub lookup: Option<String>,
    pub currency: Option<String>,
    pub rates_at: Option<String>,
    pub map: Option<BTreeMap<String, String>>,
    pub otherwise: Option<String>,
    #[serde(default)]
    pub flag_unknown: bool,
    #[serde(default)]
    pub only_mapped: bool,
    pub on_error: Option<String>,
    #[serde(default)]
    pub pii: bool,
    #[serde(default)]
    pub payload: bool,
    pub description: Option<String>,
    pub references: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawChoice {
    pub field: String,
    pub times: Option<String>,
    pub times_default: Option<i64>,
    pub currency: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawRule {
    pub name: String,
    #[serde(rename = "type")]
    pub kind: String,
    pub required: Option<Vec<String>>,
    pub path: Option<String>,
    pub matches: Option<String>,
    pub field: Option<String>,
    pub is: Option<String>,
    pub max_age: Option<String>,
}
