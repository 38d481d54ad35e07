//! A checked entity: types that cannot say anything wrong.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema, SchemaRef};
use regex::bytes::Regex;

use super::path::Path;
use crate::table::schemas::{change_columns, column, instant, silver_system_columns, text_list, ELEMENT_ID, FIRST_FIELD_ID};

/// A field's type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldType {
    /// Text; enums and uuids too.
    Text,
    /// JSON as text.
    Json,
    /// 64-bit integer.
    Int,
    /// True or false.
    Bool,
    /// A day without zone.
    Date,
    /// An instant.
    Timestamp,
    /// An exact number.
    Decimal {
        /// Digits in all.
        precision: u8,
        /// Digits after the point.
        scale: i8,
    },
    /// A list of text.
    TextList,
}

/// Which records of its streams an entity takes: those with one of these values at the path, and deletes.
#[derive(Clone, Debug)]
pub struct Only {
    /// Where it stands.
    pub path: Path,
    /// The values.
    pub is: Vec<String>,
}

/// Values of other Silver tables of the pack, found for a row over one step or more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lookup {
    /// Its name within the entity.
    pub name: String,
    /// From the row to the table that is looked into.
    pub steps: Vec<LookupStep>,
    /// The column of the last table by which the newest of several rows is told; none: the one that came last.
    pub latest: Option<String>,
}

/// One step: the rows of a table that hold what the row before holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LookupStep {
    /// The Silver table.
    pub table: String,
    /// Its column, and the column of the table before (first: of the entity) that it equals.
    pub on: Vec<(String, String)>,
}

/// Where a field's value comes from.
#[derive(Clone, Debug)]
pub enum FieldSource {
    /// UUIDv5 of the key.
    Id,
    /// The tenant's id.
    Tenant,
    /// The whole record.
    Payload,
    /// A path into the record, then a transform.
    Path(Path, Transform),
    /// The first of some decimal fields that has a value, in one currency.
    FirstOf(FirstOf),
    /// A lookup's name, and the column that it finds.
    Lookup(String, String),
}

/// What is done to a value's text.
#[derive(Clone, Debug, Default)]
pub struct Transform {
    /// Replaced values.
    pub map: Option<BTreeMap<String, String>>,
    /// The value where the map names none or the source has none.
    pub otherwise: Option<String>,
    /// A value that the map does not name is null rather than kept.
    pub only_mapped: bool,
    /// A value that the map does not name flags the record.
    pub flag_unknown: bool,
}

/// A sum of money picked from several fields, converted by dated rates.
#[derive(Clone, Debug)]
pub struct FirstOf {
    /// In the order of preference.
    pub choices: Vec<Choice>,
    /// Index of the date field that picks the rate.
    pub rates_at: Option<usize>,
}

/// One sum that may be picked.
#[derive(Clone, Debug)]
pub struct Choice {
    /// Index of a decimal field.
    pub field: usize,
    /// What it is multiplied by.
    pub times: Option<Times>,
    /// Index of the field with its currency's code; none: it is in the pack's currency.
    pub currency: Option<usize>,
}

/// A multiplier: an integer field, or a default where it has no value.
#[derive(Clone, Debug)]
pub struct Times {
    /// Index of an integer field.
    pub field: usize,
    /// Where that is null.
    pub default: i64,
}

/// What happens to a value that cannot be read as its type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnError {
    /// The record is a dead letter.
    Reject,
    /// The value is null and the record is flagged.
    Flag,
}

/// One column of an entity.
#[derive(Clone, Debug)]
pub struct FieldDef {
    /// Its name.
    pub name: String,
    /// Its type.
    pub kind: FieldType,
    /// Where its value comes from.
    pub source: FieldSource,
    /// What happens to a value that cannot be read.
    pub on_error: OnError,
    /// It holds the raw payload: not in change rows, not in the content hash.
    pub payload: bool,
    /// It tells of persons.
    pub pii: bool,
    /// It has few values (`type: enum`): a new one is news.
    pub enumerated: bool,
    /// For people.
    pub description: String,
    /// The table and column whose values it holds; told to clients, not enforced.
    pub references: Option<(String, String)>,
}

/// Where the key's scope comes from.
#[derive(Clone, Debug)]
pub enum KeyScope {
    /// The connector's setting, or its id.
    Connector,
    /// A path into the record.
    Path(Path),
}

/// How a version's text is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VersionType {
    /// RFC 3339; microseconds since 1970.
    Timestamp,
    /// A number.
    Int,
}

/// What tells that a record deletes its key.
#[derive(Clone, Debug)]
pub struct Operation {
    /// Where it stands.
    pub path: Path,
    /// The values that delete.
    pub delete: Vec<String>,
    /// The values that say that the source lists the key no more: it ends, and lives again when it is seen again.
    pub absent: Vec<String>,
}

/// The four kinds of rules, each with its one action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RuleKind {
    /// Reject to the dead letters.
    Schema,
    /// Flag and continue.
    Format,
    /// Warn.
    Business,
    /// Alert, by the watch over all tables.
    Freshness,
}

/// A comparison of a typed field with a constant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// `> n`.
    Above(i128),
    /// `>= n`.
    AtLeast(i128),
    /// `< n`.
    Below(i128),
    /// `<= n`.
    AtMost(i128),
    /// `!= n`.
    Not(i128),
    /// `not null`.
    Present,
}

/// What a rule asks.
#[derive(Clone, Debug)]
pub enum RuleCheck {
    /// These fields (by index) have a value.
    Required(Vec<usize>),
    /// Every text at the path matches.
    Matches(Path, Regex),
    /// A field (by index) compares so; numbers are in the field's own scale.
    Compare(usize, Comparison),
    /// The entity's newest record is at most this old, microseconds.
    MaxAge(i64),
}

/// A rule.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Its name, as in quality results.
    pub name: String,
    /// Its kind.
    pub kind: RuleKind,
    /// What it asks.
    pub check: RuleCheck,
}

/// Dated rates to the pack's currency: currency -> (day since 1970, rate x 10^8), by day.
pub type CurrencyRates = BTreeMap<String, Vec<(i32, i128)>>;

/// What records of some streams become.
#[derive(Clone, Debug)]
pub struct Entity {
    pub(super) name: String,
    pub(super) table: String,
    pub(super) streams: Vec<String>,
    pub(super) key: Path,
    pub(super) scope: KeyScope,
    pub(super) version: Option<(Path, VersionType)>,
    pub(super) partition: Option<Path>,
    pub(super) operation: Option<Operation>,
    pub(super) only: Option<Only>,
    pub(super) fields: Vec<FieldDef>,
    pub(super) rules: Vec<Rule>,
    pub(super) known: Vec<Path>,
    pub(super) lookups: Vec<Lookup>,
    pub(super) rates: Arc<CurrencyRates>,
}

impl Entity {
    /// Its name: `PartnerCentralOpportunity`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its table in Silver.
    pub fn table(&self) -> &str {
        &self.table
    }

    /// The streams whose records it takes.
    pub fn streams(&self) -> &[String] {
        &self.streams
    }

    /// Where its key stands.
    pub fn key(&self) -> &Path {
        &self.key
    }

    /// Where its key's scope comes from.
    pub fn scope(&self) -> &KeyScope {
        &self.scope
    }

    /// Where its version stands; none: the scan's number is the version.
    pub fn version(&self) -> Option<(&Path, VersionType)> {
        self.version.as_ref().map(|(p, t)| (p, *t))
    }

    /// Where the instant stands that partitions it; none: the ingest time.
    pub fn partition(&self) -> Option<&Path> {
        self.partition.as_ref()
    }

    /// What tells that a record deletes.
    pub fn operation(&self) -> Option<&Operation> {
        self.operation.as_ref()
    }

    /// The records of its streams that it takes; none: all of them.
    pub fn only(&self) -> Option<&Only> {
        self.only.as_ref()
    }

    /// Its columns, in order.
    pub fn fields(&self) -> &[FieldDef] {
        &self.fields
    }

    /// Its rules.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// Fields of the source that it knows and leaves in the payload.
    pub fn known(&self) -> &[Path] {
        &self.known
    }

    /// What it looks up in other tables.
    pub fn lookups(&self) -> &[Lookup] {
        &self.lookups
    }

    /// The oldest that its newest record may be, in microseconds, by each freshness rule's name.
    pub fn freshness(&self) -> impl Iterator<Item = (&str, i64)> {
        self.rules.iter().filter_map(|r| match r.check {
            RuleCheck::MaxAge(us) => Some((r.name.as_str(), us)),
            _ => None,
        })
    }

    /// The columns that tell its live rows apart: the pack's `$id`, or else the scope and the key.
    pub fn primary_key(&self) -> Vec<String> {
        let id = self.fields.iter().find(|f| matches!(f.source, FieldSource::Id));
        id.map_or_else(|| vec!["_key_scope".to_owned(), "_source_key".to_owned()], |f| vec![f.name.clone()])
    }

    /// Rates of currencies.
    pub fn rates(&self) -> &CurrencyRates {
        &self.rates
    }

    /// The schema of its Silver table.
    pub fn silver_schema(&self) -> SchemaRef {
        let mut fields = silver_system_columns();
        fields.extend(self.columns().map(|(_, f)| f));
        Arc::new(Schema::new(fields))
    }

    /// The schema of its change table: everything but raw payloads, which the address leads to.
    pub fn changes_schema(&self) -> SchemaRef {
        let mut fields = change_columns();
        // The row that a delete ends may be of before a column was added: all may be null here.
        fields.extend(silver_system_columns().into_iter().map(|f| f.with_nullable(true)));
        fields.extend(self.columns().filter(|(d, _)| !d.payload).map(|(_, f)| f));
        Arc::new(Schema::new(fields))
    }

    fn columns(&self) -> impl Iterator<Item = (&FieldDef, Field)> {
        self.fields.iter().enumerate().map(|(i, d)| {
            let id = FIRST_FIELD_ID + i as i32;
            let mut field = column(id, &d.name, d.kind.arrow(ELEMENT_ID + id), true);
            let mut metadata = field.metadata().clone();
            if !d.description.is_empty() {
                metadata.insert("description".into(), d.description.clone());
            }
            if d.pii {
                metadata.insert("lakewright.pii".into(), "true".into());
            }
            if d.payload {
                metadata.insert("lakewright.payload".into(), "true".into());
            }
            field.set_metadata(metadata);
            (d, field)
        })
    }
}

impl FieldType {
    /// Its Arrow type; a list's element gets the given id.
    pub fn arrow(self, element_id: i32) -> DataType {
        match self {
            Self::Text | Self::Json => DataType::Utf8,
            Self::Int => DataType::Int64,
            Self::Bool => DataType::Boolean,
            Self::Date => DataType::Date32,
            Self::Timestamp => instant(),
            Self::Decimal { precision, scale } => DataType::Decimal128(precision, scale),
            Self::TextList => text_list(element_id),
        }
    }
}
