//! Checks of what an entity looks up in other tables of its pack.

use super::entity::*;
use super::fields::field_type;
use super::load::Check;
use super::raw::{RawEntity, RawField, RawLookup, RawPack};

const SECTION: &str = "lookups";

impl Check<'_> {
    /// The lookups of an entity with these columns.
    pub(super) fn lookups(&mut self, at: usize, raw: &RawEntity, fields: &[RawField]) -> Vec<Lookup> {
        let mut out: Vec<Lookup> = Vec::new();
        for (j, value) in raw.lookups.iter().enumerate() {
            self.at = (at, SECTION, j);
            let Some(l) = self.read::<RawLookup>(value) else { continue };
            if l.name.is_empty() || l.name.contains('.') || out.iter().any(|o| o.name == l.name) {
                self.fault("name:", format!("lookup {:?} needs a name of its own, without a dot", l.name));
            }
            if l.steps.is_empty() || l.steps.iter().any(|s| s.on.is_empty()) {
                self.fault("name:", format!("lookup {:?} has no step, or a step that has no column in `on`", l.name));
                continue;
            }
            for ours in l.steps[0].on.values() {
                let text = |f: &&RawField| f.name == *ours && f.lookup.is_none() && field_type(&f.kind) == Some(FieldType::Text);
                if !fields.iter().any(|f| text(&f)) {
                    self.fault(ours, format!("lookup {:?} starts from {ours:?}, which is no text column of the entity", l.name));
                }
            }
            if l.steps.iter().any(|s| s.table == raw.table) {
                self.fault("table:", format!("lookup {:?} looks into the entity's own table", l.name));
            }
            let steps = l.steps.into_iter().map(|s| LookupStep { table: s.table, on: s.on.into_iter().collect() }).collect();
            out.push(Lookup { name: l.name, steps, latest: l.latest });
        }
        out
    }

    /// The source of a column with `lookup: NAME.COLUMN`.
    pub(super) fn looks_up(&mut self, f: &RawField) -> Option<FieldSource> {
        let text = f.lookup.as_deref().unwrap_or_default();
        if f.map.is_some() || f.otherwise.is_some() || f.payload {
            self.fault(
                "lookup:",
                format!("column {:?} is looked up as it is: `map`, `otherwise` and `payload` are for values of records", f.name),
            );
            return None;
        }
        match text.split_once('.').filter(|(l, c)| !l.is_empty() && !c.is_empty()) {
            Some((lookup, column)) => Some(FieldSource::Lookup(lookup.to_owned(), column.to_owned())),
            None => {
                self.fault("lookup:", format!("{text:?} is no LOOKUP.COLUMN"));
                None
            }
        }
    }

    /// What is looked up is there, of the right type, and looks nothing up itself.
    pub(super) fn looked_up(&mut self, raw: &RawPack, entities: &[Entity]) {
        if entities.len() < raw.entities.len() {
            // Another fault hides an entity: it is told first.
            return;
        }
        let column =
            |table: &str, name: &str| entities.iter().find(|e| e.table == table).and_then(|e| e.fields.iter().find(|f| f.name == name));
        for (i, entity) in entities.iter().enumerate() {
            for (j, lookup) in entity.lookups.iter().enumerate() {
                self.at = (i, SECTION, j);
                for (k, step) in lookup.steps.iter().enumerate() {
                    match entities.iter().find(|e| e.table == step.table) {
                        None => self.fault("table:", format!("the pack has no table {:?}", step.table)),
                        Some(e) if !e.lookups.is_empty() => {
                            self.fault(
                                "table:",
                                format!("{:?} looks things up itself: look into the tables that it looks into", step.table),
                            );
                        }
                        Some(_) => {}
                    }
                    let before = k.checked_sub(1).map(|k| &lookup.steps[k].table);
                    let theirs = step.on.iter().map(|(theirs, _)| (&step.table, theirs));
                    let ours = step.on.iter().filter_map(|(_, ours)| before.map(|table| (table, ours)));
                    for (table, name) in theirs.chain(ours) {
                        if column(table, name).is_none_or(|f| f.kind != FieldType::Text) {
                            self.fault(name, format!("{table}.{name} is no text column of the pack"));
                        }
                    }
                }
                let last = lookup.steps.last().map_or("", |s| s.table.as_str());
                let ordered = |kind| matches!(kind, FieldType::Timestamp | FieldType::Int | FieldType::Date);
                if let Some(latest) = &lookup.latest {
                    if column(last, latest).is_none_or(|f| !ordered(f.kind)) {
                        self.fault("latest:", format!("{last}.{latest} is no timestamp, date or int64 column of the pack"));
                    }
                }
            }
            for (j, field) in entity.fields.iter().enumerate() {
                let FieldSource::Lookup(name, theirs) = &field.source else { continue };
                self.at = (i, "fields", j);
                let Some(lookup) = entity.lookups.iter().find(|l| l.name == *name) else {
                    self.fault("lookup:", format!("the entity has no lookup {name:?}"));
                    continue;
                };
                let last = lookup.steps.last().map_or("", |s| s.table.as_str());
                match column(last, theirs) {
                    Some(f) if f.kind == field.kind && !f.payload && f.kind != FieldType::TextList => {}
                    _ => self
                        .fault("lookup:", format!("the pack has no column {last}.{theirs} of one value and the type of {:?}", field.name)),
                }
            }
        }
    }
}

#[cfg(test)]
#[path = "lookups_tests.rs"]
mod tests;
