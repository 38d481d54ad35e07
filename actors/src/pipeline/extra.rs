//! Fields that no pack names: kept as JSON text in `_extra`, found by the shape of the record so
//! that known shapes skip the slow look.

use std::collections::{BTreeMap, HashMap};

use lakewright_storage::pack::{Entity, FieldSource, FieldType, Path, RuleCheck};
use serde_json::value::RawValue;

/// Shapes remembered; a source with more pays the slow look.
const SHAPES: usize = 4_096;

/// The fields that an entity names, as a tree: an empty node takes everything below it.
#[derive(Default)]
struct Known(HashMap<String, Known>);

impl Known {
    fn add<'a>(&mut self, mut names: impl Iterator<Item = &'a str>) {
        if let Some(name) = names.next() {
            self.0.entry(name.to_owned()).or_default().add(names);
        }
    }

    fn add_ways(&mut self, path: &Path) {
        path.ways().for_each(|way| self.add(way.field_names()));
    }

    fn add_whole<'a>(&mut self, names: impl Iterator<Item = &'a str>) {
        let mut node = self;
        for name in names {
            node = node.0.entry(name.to_owned()).or_default();
        }
        node.0.insert(WHOLE.to_owned(), Known::default());
    }
}

/// Stands for "everything below" in a node.
const WHOLE: &str = "*";

/// Finds unknown fields of one entity's records.
pub struct Extra {
    known: Known,
    /// Shape to whether it has a field that is not known.
    shapes: HashMap<u64, bool>,
}

impl Extra {
    /// For an entity.
    pub fn new(entity: &Entity) -> Self {
        let mut known = Known::default();
        known.add_ways(entity.key());
        let scope = match entity.scope() {
            lakewright_storage::pack::KeyScope::Path(p) => Some(p),
            lakewright_storage::pack::KeyScope::Connector => None,
        };
        for path in scope
            .into_iter()
            .chain(entity.version().map(|v| v.0))
            .chain(entity.partition())
            .chain(entity.operation().map(|o| &o.path))
            .chain(entity.only().map(|o| &o.path))
        {
            known.add_ways(path);
        }
        for field in entity.fields() {
            match &field.source {
                FieldSource::Path(path, _) if field.kind == FieldType::Json => known.add_whole(path.field_names()),
                FieldSource::Path(path, _) => known.add_ways(path),
                _ => {}
            }
        }
        for rule in entity.rules() {
            if let RuleCheck::Matches(path, _) = &rule.check {
                known.add(path.field_names());
            }
        }
        for path in entity.known() {
            known.add_whole(path.field_names());
        }
        Self { known, shapes: HashMap::new() }
    }

    /// The unknown fields of a record, as JSON text. `shape` tells the records that have none.
    pub fn of(&mut self, shape: u64, record: &str) -> Option<String> {
        if self.shapes.get(&shape) == Some(&false) {
            return None;
        }
        let unknown = unknown(record, &self.known);
        if self.shapes.len() < SHAPES {
            self.shapes.insert(shape, unknown.is_some());
        }
        unknown
    }
}

/// What of an object is not known, as an object in the order of its keys. The values are the
/// record's own text: a number keeps every digit.
fn unknown(object: &str, known: &Known) -> Option<String> {
    let fields: BTreeMap<String, &RawValue> = serde_json::from_str(object).ok()?;
    let mut out = String::new();
    let mut put = |name: &str, value: &str| {
        out.push(if out.is_empty() { '{' } else { ',' });
        out.push_str(&serde_json::Value::from(name).to_string());
        out.push(':');
        out.push_str(value);
    };
    for (name, value) in &fields {
        match known.0.get(name) {
            None => put(name, value.get()),
            // Below a scalar, a list or a field that is known as a whole nothing is looked for.
            Some(below) if value.get().starts_with('{') && !below.0.is_empty() && !below.0.contains_key(WHOLE) => {
                if let Some(inner) = unknown(value.get(), below) {
                    put(name, &inner);
                }
            }
            Some(_) => {}
        }
    }
    (!out.is_empty()).then(|| out + "}")
}
