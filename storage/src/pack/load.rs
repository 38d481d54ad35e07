//! From YAML to a checked pack: every fault is told, with its file and line.

use std::fmt;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::entity::*;
use super::path::Path;
use super::raw::{RawEntity, RawField, RawPack, RawRule};

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
}

impl Pack {
    /// Reads a pack's files.
    pub fn parse(files: &[(String, Vec<u8>)]) -> Result<Self, PackFaults> {
        let mut check = Check { file: ENTITIES.to_owned(), text: String::new(), faults: Vec::new() };
        let parsed = check.pack(files);
        match parsed {
            Some((name, entities)) if check.faults.is_empty() => Ok(Self { hash: hash(files), name, entities }),
            _ => Err(PackFaults(check.faults)),
        }
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

struct Check {
    file: String,
    text: String,
    faults: Vec<PackFault>,
}

impl Check {
    /// A fault at the first line that holds `near` (after `from`, where several could).
    fn fault(&mut self, near: &str, message: impl Into<String>) {
        let line = self.text.lines().position(|l| l.contains(near)).map_or(0, |i| i as u32 + 1);
        self.faults.push(PackFault { file: self.file.clone(), line, message: message.into() });
    }

    fn pack(&mut self, files: &[(String, Vec<u8>)]) -> Option<(String, Vec<Entity>)> {
        let Some((_, content)) = files.iter().find(|(path, _)| path == ENTITIES) else {
            self.fault("", format!("the pack has no {ENTITIES}"));
            return None;
        };
        self.text = match std::str::from_utf8(content) {
            Ok(text) => text.to_owned(),
            Err(e) => {
                self.fault("", format!("it is not UTF-8: {e}"));
                return None;
            }
        };
        let raw: RawPack = match serde_yaml_ng::from_str(&self.text) {
            Ok(raw) => raw,
            Err(e) => {
                let line = e.location().map_or(0, |l| l.line() as u32);
                self.faults.push(PackFault { file: self.file.clone(), line, message: e.to_string() });
                return None;
            }
        };
        let rates = Arc::new(self.rates(&raw));
        let mut entities: Vec<Entity> = Vec::new();
        for e in &raw.entities {
            if entities.iter().any(|o| o.name == e.name || o.table == e.table) {
                self.fault(&format!("name: {}", e.name), format!("entity {:?} or its table {:?} is there twice", e.name, e.table));
            }
            entities.extend(self.entity(e, &rates));
        }
        if raw.entities.is_empty() {
            self.fault("entities", "the pack names no entity");
        }
        Some((raw.pack, entities))
    }

    fn rates(&mut self, raw: &RawPack) -> CurrencyRates {
        let mut rates = CurrencyRates::new();
        for (currency, list) in &raw.rates {
            let mut dated = Vec::new();
            for r in list {
                match (day(&r.from), scaled(&r.rate, 8)) {
                    (Some(day), Some(rate)) if rate > 0 => dated.push((day, rate)),
                    _ => self
                        .fault(currency, format!("rate {:?} from {:?} of {currency} is not a positive number from a day", r.rate, r.from)),
                }
            }
            dated.sort_unstable();
            rates.insert(currency.clone(), dated);
        }
        rates
    }

    fn path(&mut self, text: &str) -> Option<Path> {
        Path::parse(text).map_err(|e| self.fault(text, e)).ok()
    }

    fn entity(&mut self, raw: &RawEntity, rates: &Arc<CurrencyRates>) -> Option<Entity> {
        let near = format!("table: {}", raw.table);
        if let Err(e) = crate::paths::validate_table(&raw.table) {
            self.fault(&near, e.message);
        }
        if raw.streams.is_empty() {
            self.fault(&near, format!("entity {:?} takes no stream", raw.name));
        }
        let key = self.path(&raw.key.path);
        if key.as_ref().is_some_and(Path::is_list) {
            self.fault(&raw.key.path, "a key is one value, not a list");
        }
        let scope = match &raw.key.scope {
            Some(p) => self.path(p).map(KeyScope::Path),
            None => Some(KeyScope::Connector),
        };
        let version = match &raw.version {
            None => None,
            Some(v) => {
                let kind = match v.kind.as_str() {
                    "timestamp" => Some(VersionType::Timestamp),
                    "int64" => Some(VersionType::Int),
                    other => {
                        self.fault(&v.path, format!("a version is a timestamp or an int64, not {other:?}"));
                        None
                    }
                };
                Some((self.path(&v.path), kind))
            }
        };
        let version = match version {
            None => None,
            Some((Some(path), Some(kind))) => Some((path, kind)),
            Some(_) => return None,
        };
        let partition = raw.partition.as_ref().and_then(|p| self.path(p));
        let operation = raw.operation.as_ref().and_then(|o| Some(Operation { path: self.path(&o.path)?, delete: o.delete.clone() }));
        let names: Vec<&str> = raw.fields.iter().map(|f| f.name.as_str()).collect();
        let fields: Vec<FieldDef> = raw.fields.iter().enumerate().filter_map(|(i, f)| self.field(i, f, raw, &names)).collect();
        let rules: Vec<Rule> = raw.rules.iter().filter_map(|r| self.rule(r, raw, &names, &fields)).collect();
        let known: Vec<Path> = raw.known.iter().filter_map(|p| self.path(p)).collect();
        if fields.len() != raw.fields.len() || rules.len() != raw.rules.len() {
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
            fields,
            rules,
            known,
            rates: Arc::clone(rates),
        })
    }

    fn field(&mut self, at: usize, f: &RawField, entity: &RawEntity, names: &[&str]) -> Option<FieldDef> {
        let near = format!("name: {}", f.name);
        let name_ok = f.name.starts_with(|c: char| c.is_ascii_lowercase())
            && f.name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
        if !name_ok {
            self.fault(
                &near,
                format!("column {:?} is not valid: lower-case letters, digits and '_', starting with a letter ('_' is ours)", f.name),
            );
        }
        if names[..at].contains(&f.name.as_str()) {
            self.fault(&near, format!("column {:?} is there twice", f.name));
        }
        let Some(kind) = field_type(&f.kind) else {
            self.fault(
                &near,
                format!("{:?} is no type: string, enum, uuid, jsonb, int64, bool, date, timestamp, decimal(p,s), list<string>", f.kind),
            );
            return None;
        };
        let on_error = match f.on_error.as_deref() {
            None | Some("reject") => OnError::Reject,
            Some("null_and_flag") => OnError::Flag,
            Some(other) => {
                self.fault(&near, format!("on_error is reject or null_and_flag, not {other:?}"));
                return None;
            }
        };
        let transform =
            || Transform { map: f.map.clone(), otherwise: f.otherwise.clone(), only_mapped: f.only_mapped, flag_unknown: f.flag_unknown };
        let source = match (&f.from, &f.first_of) {
            (Some(from), None) => match from.as_str() {
                "$id" => FieldSource::Id,
                "$tenant_id" => FieldSource::Tenant,
                "$payload" => FieldSource::Payload,
                path => {
                    let path = self.path(path)?;
                    if path.is_list() != (kind == FieldType::TextList) {
                        self.fault(&near, format!("{path} and type {:?} do not fit: a path with [*] is a list<string>", f.kind));
                        return None;
                    }
                    FieldSource::Path(path, transform())
                }
            },
            (None, Some(_)) => FieldSource::FirstOf(self.first_of(f, entity, names)?),
            _ => {
                self.fault(&near, format!("column {:?} needs either `from` or `first_of`", f.name));
                return None;
            }
        };
        Some(FieldDef {
            name: f.name.clone(),
            kind,
            source,
            on_error,
            payload: f.payload,
            pii: f.pii,
            description: f.description.clone().unwrap_or_default(),
        })
    }

    fn first_of(&mut self, f: &RawField, entity: &RawEntity, names: &[&str]) -> Option<FirstOf> {
        let near = format!("name: {}", f.name);
        let mut index = |name: &str, kind: fn(FieldType) -> bool, what: &str| {
            let found = names.iter().position(|n| *n == name);
            let fits = found.and_then(|i| field_type(&entity.fields[i].kind)).is_some_and(kind);
            if !fits {
                self.fault(&near, format!("{:?} of column {:?} is not {what} column of the entity", name, f.name));
            }
            found.filter(|_| fits)
        };
        let mut choices = Vec::new();
        for c in f.first_of.iter().flatten() {
            let field = index(&c.field, |t| matches!(t, FieldType::Decimal { .. }), "a decimal")?;
            let times = match &c.times {
                Some(t) => Some(Times { field: index(t, |t| t == FieldType::Int, "an int64")?, default: c.times_default.unwrap_or(1) }),
                None => None,
            };
            choices.push((field, times));
        }
        let currency = match &f.currency {
            Some(c) => Some(index(c, |t| t == FieldType::Text, "a text")?),
            None => None,
        };
        let rates_at = match &f.rates_at {
            Some(d) => Some(index(d, |t| t == FieldType::Date, "a date")?),
            None => None,
        };
        Some(FirstOf { choices, currency, rates_at })
    }

    fn rule(&mut self, r: &RawRule, entity: &RawEntity, names: &[&str], fields: &[FieldDef]) -> Option<Rule> {
        let near = format!("name: {}", r.name);
        let kind = match r.kind.as_str() {
            "schema" => RuleKind::Schema,
            "format" => RuleKind::Format,
            "business" => RuleKind::Business,
            "freshness" => RuleKind::Freshness,
            other => {
                self.fault(&near, format!("{other:?} is no kind of rule: schema, format, business, freshness"));
                return None;
            }
        };
        let mut index = |name: &str| {
            let found = names.iter().position(|n| *n == name);
            if found.is_none() {
                self.fault(&near, format!("rule {:?} names {name:?}, which is no column of {:?}", r.name, entity.name));
            }
            found
        };
        let check = match (kind, &r.required, &r.matches, &r.field, &r.is, &r.max_age) {
            (RuleKind::Schema, Some(required), None, None, None, None) => {
                RuleCheck::Required(required.iter().map(|n| index(n)).collect::<Option<_>>()?)
            }
            (RuleKind::Format, None, Some(pattern), None, None, None) => {
                let path = self.path(r.path.as_deref().unwrap_or_default())?;
                // Anchored: a rule speaks of the whole text.
                match regex::bytes::Regex::new(&format!("^(?:{pattern})$")) {
                    Ok(regex) => RuleCheck::Matches(path, regex),
                    Err(e) => {
                        self.fault(&near, format!("the pattern of rule {:?} does not compile: {e}", r.name));
                        return None;
                    }
                }
            }
            (RuleKind::Business, None, None, Some(field), Some(is), None) => {
                let field = index(field)?;
                let scale = match fields.iter().find(|f| f.name == names[field]).map(|f| f.kind) {
                    Some(FieldType::Decimal { scale, .. }) => scale,
                    Some(FieldType::Int) => 0,
                    _ if is == "not null" => 0,
                    _ => {
                        self.fault(&near, format!("rule {:?} compares {:?}, which is no number", r.name, names[field]));
                        return None;
                    }
                };
                let Some(comparison) = comparison(is, scale) else {
                    self.fault(&near, format!("{is:?} is no comparison: > n, >= n, < n, <= n, != n, not null"));
                    return None;
                };
                RuleCheck::Compare(field, comparison)
            }
            (RuleKind::Freshness, None, None, None, None, Some(age)) => match duration_us(age) {
                Some(us) => RuleCheck::MaxAge(us),
                None => {
                    self.fault(&near, format!("{age:?} is no duration: 30m, 24h, 7d"));
                    return None;
                }
            },
            _ => {
                self.fault(
                    &near,
                    format!(
                        "rule {:?} does not fit its kind: schema has `required`, format has `path` and `matches`, business has `field` and `is`, freshness has `max_age`",
                        r.name
                    ),
                );
                return None;
            }
        };
        Some(Rule { name: r.name.clone(), kind, check })
    }
}

fn field_type(text: &str) -> Option<FieldType> {
    Some(match text {
        "string" | "enum" | "uuid" => FieldType::Text,
        "jsonb" => FieldType::Json,
        "int64" => FieldType::Int,
        "bool" => FieldType::Bool,
        "date" => FieldType::Date,
        "timestamp" => FieldType::Timestamp,
        "list<string>" => FieldType::TextList,
        other => {
            let (p, s) = other.strip_prefix("decimal(")?.strip_suffix(')')?.split_once(',')?;
            let (precision, scale) = (p.trim().parse().ok()?, s.trim().parse().ok()?);
            if !(1..=38).contains(&precision) || scale < 0 || scale as u8 > precision {
                return None;
            }
            FieldType::Decimal { precision, scale }
        }
    })
}

fn comparison(text: &str, scale: i8) -> Option<Comparison> {
    if text == "not null" {
        return Some(Comparison::Present);
    }
    let (op, number) = text.split_once(' ')?;
    let n = scaled(number.trim(), scale as u32)?;
    Some(match op {
        ">" => Comparison::Above(n),
        ">=" => Comparison::AtLeast(n),
        "<" => Comparison::Below(n),
        "<=" => Comparison::AtMost(n),
        "!=" => Comparison::Not(n),
        _ => return None,
    })
}

/// A number's text times 10^scale, exact or not at all.
fn scaled(text: &str, scale: u32) -> Option<i128> {
    let (negative, digits) = text.strip_prefix('-').map_or((false, text), |d| (true, d));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if (whole.is_empty() && fraction.is_empty()) || fraction.len() > scale as usize {
        return None;
    }
    let padded = format!("{whole}{fraction:0<width$}", width = scale as usize);
    if !padded.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let n: i128 = padded.parse().ok()?;
    Some(if negative { -n } else { n })
}

fn day(text: &str) -> Option<i32> {
    let date = chrono::NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
    Some(date.signed_duration_since(chrono::NaiveDate::from_ymd_opt(1970, 1, 1)?).num_days() as i32)
}

fn duration_us(text: &str) -> Option<i64> {
    let unit = text.chars().last()?;
    let n: i64 = text[..text.len() - unit.len_utf8()].parse().ok()?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        _ => return None,
    };
    n.checked_mul(seconds)?.checked_mul(1_000_000)
}
