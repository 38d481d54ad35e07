//! From YAML to a checked pack: every fault is told, with its file and line.

use std::fmt;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde_yaml_ng::Value;
use sha2::{Digest, Sha256};

use super::entity::*;
use super::lines::{Lines, HEAD};
use super::marts::{self, Mart};
use super::numbers::{day, scaled};
use super::path::Path;
use super::raw::{RawEntity, RawField, RawPack, RawRate, RawRule};

/// The file that every pack has.
const ENTITIES: &str = "entities.yaml";

/// Something wrong in a pack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackFault {
    /// The file.
    pub file: String,
    /// The line, from 1; 0: the file as a whole.
    pub line: u32,
    /// What is wrong.
    pub message: String,
}

/// Everything wrong in a pack; at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackFaults(pub Vec<PackFault>);

impl fmt::Display for PackFaults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let n = self.0.len();
        write!(f, "{n} fault{}", if n == 1 { "" } else { "s" })?;
        self.0.iter().try_for_each(|p| write!(f, "\n  {}:{}: {}", p.file, p.line, p.message))
    }
}

impl std::error::Error for PackFaults {}

/// A checked pack version.
#[derive(Clone, Debug)]
pub struct Pack {
    hash: String,
    name: String,
    entities: Vec<Entity>,
    marts: Vec<Mart>,
}

impl Pack {
    /// Reads a pack's files.
    pub fn parse(files: &[(String, Vec<u8>)]) -> Result<Self, PackFaults> {
        let fault = |line, message| PackFaults(vec![PackFault { file: ENTITIES.to_owned(), line, message }]);
        let Some((_, content)) = files.iter().find(|(path, _)| path == ENTITIES) else {
            return Err(fault(0, format!("the pack has no {ENTITIES}")));
        };
        let text = std::str::from_utf8(content).map_err(|e| fault(0, format!("it is not UTF-8: {e}")))?;
        let raw: RawPack = serde_yaml_ng::from_str(text).map_err(|e| fault(e.location().map_or(0, |l| l.line() as u32), e.to_string()))?;
        let mut check = Check { lines: Lines::new(text), at: (0, HEAD, 0), faults: Vec::new() };
        let entities = check.pack(&raw);
        if !check.faults.is_empty() {
            check.faults.sort_by_key(|f| f.line);
            return Err(PackFaults(check.faults));
        }
        let marts = marts::parse(files).map_err(PackFaults)?;
        Ok(Self { hash: hash(files), name: raw.pack, entities, marts })
    }

    /// SHA-256 of its content: its version.
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its entities.
    pub fn entities(&self) -> &[Entity] {
        &self.entities
    }

    /// Its Gold tables.
    pub fn marts(&self) -> &[Mart] {
        &self.marts
    }

    /// The entities that take a stream's records.
    pub fn entities_for<'a>(&'a self, stream: &'a str) -> impl Iterator<Item = &'a Entity> {
        self.entities.iter().filter(move |e| e.streams.iter().any(|s| s == stream))
    }
}

/// Names and contents, each with its length: no two packs have the same bytes here.
fn hash(files: &[(String, Vec<u8>)]) -> String {
    let mut sorted: Vec<_> = files.iter().collect();
    sorted.sort();
    let mut sha = Sha256::new();
    for (path, content) in sorted {
        for part in [path.as_bytes(), content] {
            sha.update((part.len() as u64).to_be_bytes());
            sha.update(part);
        }
    }
    hex::encode(sha.finalize())
}

/// Gathers faults while it looks at one entry after the other.
pub(super) struct Check<'a> {
    lines: Lines<'a>,
    /// The entry that is looked at: entity, section, number in it.
    pub(super) at: (usize, &'static str, usize),
    faults: Vec<PackFault>,
}

impl Check<'_> {
    /// A fault of the entry at hand, at the line that holds `near`.
    pub(super) fn fault(&mut self, near: &str, message: impl Into<String>) {
        let line = self.lines.find(self.at.0, self.at.1, self.at.2, near);
        self.faults.push(PackFault { file: ENTITIES.to_owned(), line, message: message.into() });
    }

    /// A path of the entry at hand.
    pub(super) fn path(&mut self, text: &str) -> Option<Path> {
        Path::parse(text).map_err(|e| self.fault(text, e)).ok()
    }

    /// One entry by itself, so that a fault of one hides none of the others.
    pub(super) fn read<T: DeserializeOwned>(&mut self, value: &Value) -> Option<T> {
        match serde_yaml_ng::from_value(value.clone()) {
            Ok(entry) => Some(entry),
            Err(e) => {
                let message = e.to_string();
                // An unknown key is named in backquotes first.
                let near = message.split('`').nth(1).unwrap_or_default().to_owned();
                self.fault(&near, message);
                None
            }
        }
    }

    fn pack(&mut self, raw: &RawPack) -> Vec<Entity> {
        let rates = Arc::new(self.rates(raw));
        let mut heads: Vec<(String, String)> = Vec::new();
        let mut entities = Vec::new();
        for (i, value) in raw.entities.iter().enumerate() {
            self.at = (i, HEAD, 0);
            let Some(e) = self.read::<RawEntity>(value) else { continue };
            if heads.iter().any(|(name, table)| *name == e.name || *table == e.table) {
                self.fault("name:", format!("entity {:?} or its table {:?} is there twice", e.name, e.table));
            }
            heads.push((e.name.clone(), e.table.clone()));
            entities.extend(self.entity(i, &e, &rates));
        }
        self.references(raw, &entities);
        self.looked_up(raw, &entities);
        if raw.entities.is_empty() {
            let line = self.lines.anywhere("entities");
            self.faults.push(PackFault { file: ENTITIES.to_owned(), line, message: "the pack names no entity".into() });
        }
        entities
    }

    /// What columns refer to is in the pack.
    fn references(&mut self, raw: &RawPack, entities: &[Entity]) {
        if entities.len() < raw.entities.len() {
            // Another fault hides an entity: it is told first.
            return;
        }
        for (i, entity) in entities.iter().enumerate() {
            for (j, field) in entity.fields.iter().enumerate() {
                let Some((table, column)) = &field.references else { continue };
                let known = entities.iter().any(|e| e.table == *table && e.fields.iter().any(|f| f.name == *column));
                if !known {
                    self.at = (i, "fields", j);
                    self.fault("references:", format!("the pack has no column {table}.{column}"));
                }
            }
        }
    }

    fn rates(&mut self, raw: &RawPack) -> CurrencyRates {
        let mut rates = CurrencyRates::new();
        for (currency, list) in &raw.rates {
            let mut dated = Vec::new();
            for RawRate { from, rate } in list {
                match (day(from), scaled(rate, 8)) {
                    (Some(day), Some(rate)) if rate > 0 => dated.push((day, rate)),
                    _ => {
                        let line = self.lines.anywhere(&format!("{rate:?}")).max(self.lines.anywhere(currency));
                        let message = format!("rate {rate:?} from {from:?} of {currency} is not a positive number from a day");
                        self.faults.push(PackFault { file: ENTITIES.to_owned(), line, message });
                    }
                }
            }
            dated.sort_unstable();
            rates.insert(currency.clone(), dated);
        }
        rates
    }

    fn entity(&mut self, at: usize, raw: &RawEntity, rates: &Arc<CurrencyRates>) -> Option<Entity> {
        let before = self.faults.len();
        if raw.name.is_empty() || !raw.name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') || raw.name.starts_with('_') {
            self.fault("name:", format!("entity {:?} is not valid: letters, digits and '_', not starting with '_'", raw.name));
        }
        if let Err(e) = crate::paths::validate_table(&raw.table) {
            self.fault("table:", e.message);
        }
        if raw.streams.is_empty() {
            self.fault("streams:", format!("entity {:?} takes no stream", raw.name));
        }
        let key = self.one(&raw.key.path, "a key");
        let scope = match &raw.key.scope {
            Some(p) => self.one(p, "a key's scope").map(KeyScope::Path),
            None => Some(KeyScope::Connector),
        };
        let version = raw.version.as_ref().and_then(|v| {
            let kind = match v.kind.as_str() {
                "timestamp" => Some(VersionType::Timestamp),
                "int64" => Some(VersionType::Int),
                other => {
                    self.fault("version:", format!("a version is a timestamp or an int64, not {other:?}"));
                    None
                }
            };
            self.one(&v.path, "a version").zip(kind)
        });
        let partition = raw.partition.as_ref().and_then(|p| self.one(p, "a partition"));
        let operation = raw
            .operation
            .as_ref()
            .and_then(|o| Some(Operation { path: self.one(&o.path, "an operation")?, delete: o.delete.clone(), absent: o.absent.clone() }));
        let only = raw.only.as_ref().and_then(|o| {
            if o.is.is_empty() {
                self.fault("only:", "`only` names no value in `is`");
            }
            Some(Only { path: self.one(&o.path, "`only`")?, is: o.is.clone() })
        });

        let mut raw_fields: Vec<RawField> = Vec::new();
        for (j, value) in raw.fields.iter().enumerate() {
            self.at = (at, "fields", j);
            // What cannot be read keeps its place: others are told apart by their numbers.
            raw_fields.push(self.read(value).unwrap_or_default());
        }
        if raw_fields.is_empty() {
            self.fault("table:", format!("entity {:?} has no fields", raw.name));
        }
        let mut fields = Vec::new();
        for (j, f) in raw_fields.iter().enumerate().filter(|(_, f)| !f.name.is_empty()) {
            self.at = (at, "fields", j);
            fields.extend(self.field(j, f, &raw_fields));
        }
        let mut rules: Vec<Rule> = Vec::new();
        for (j, value) in raw.rules.iter().enumerate() {
            self.at = (at, "rules", j);
            let Some(r) = self.read::<RawRule>(value) else { continue };
            if rules.iter().any(|o| o.name == r.name) {
                self.fault("name:", format!("rule {:?} is there twice", r.name));
            }
            rules.extend(self.rule(&r, &raw_fields));
        }
        let mut known = Vec::new();
        for (j, path) in raw.known.iter().enumerate() {
            self.at = (at, "known", j);
            known.extend(self.path(path));
        }
        let lookups = self.lookups(at, raw, &raw_fields);
        if self.faults.len() > before {
            return None;
        }
        Some(Entity {
            name: raw.name.clone(),
            table: raw.table.clone(),
            streams: raw.streams.clone(),
            key: key?,
            scope: scope?,
            version,
            partition,
            operation,
            only,
            fields,
            rules,
            known,
            lookups,
            rates: Arc::clone(rates),
        })
    }

    fn one(&mut self, text: &str, what: &str) -> Option<Path> {
        let path = self.path(text)?;
        if path.is_list() {
            self.fault(text, format!("{what} is one value, not a list: {text:?}"));
            return None;
        }
        Some(path)
    }
}
