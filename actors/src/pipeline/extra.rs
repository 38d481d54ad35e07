//! Fields that no pack names: kept as JSON text in `_extra`, found by the shape of the record so
//! that known shapes skip the slow look.

use std::collections::HashMap;

use lakewright_storage::pack::{Entity, FieldSource, RuleCheck};
use serde_json::{Map, Value};

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

    fn add_whole<'a>(&mut self, names: impl Iterator<Item = &'a str>) {
        let mut node = self;
        for name in names {
            node = node.0.entry(name.to_owned()).or_default();
        }
        node.0.clear();
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
        known.add(entity.key().field_names());
        let scope = match entity.scope() {
            lakewright_storage::pack::KeyScope::Path(p) => Some(p),
            lakewright_storage::pack::KeyScope::Connector => None,
        };
        for path in
            scope.into_iter().chain(entity.version().map(|v| v.0)).chain(entity.partition()).chain(entity.operation().map(|o| &o.path))
        {
            known.add(path.field_names());
        }
        for field in entity.fields() {
            if let FieldSource::Path(path, _) = &field.source {
                known.add(path.field_names());
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
    pub fn of(&mut self, shape: u64, record: &[u8]) -> Option<String> {
        if self.shapes.get(&shape) == Some(&false) {
            return None;
        }
        let value: Value = serde_json::from_slice(record).ok()?;
        let Value::Object(object) = value else { return None };
        let unknown = unknown(object, &self.known);
        if self.shapes.len() < SHAPES {
            self.shapes.insert(shape, unknown.is_some());
        }
        unknown.map(|u| Value::Object(u).to_string())
    }
}

fn unknown(object: Map<String, Value>, known: &Known) -> Option<Map<String, Value>> {
    let mut out = Map::new();
    for (name, value) in object {
        match (known.0.get(&name), value) {
            (None, value) => {
                out.insert(name, value);
            }
            // Below a scalar, a list or a field that is known as a whole nothing is looked for.
            (Some(below), Value::Object(inner)) if !below.0.is_empty() && !below.0.contains_key(WHOLE) => {
                if let Some(inner) = unknown(inner, below) {
                    out.insert(name, Value::Object(inner));
                }
            }
            _ => {}
        }
    }
    (!out.is_empty()).then_some(out)
}
