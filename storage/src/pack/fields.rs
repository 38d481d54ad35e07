//! Checks of an entity's columns.

use super::entity::*;
use super::load::Check;
use super::path::Segment;
use super::raw::RawField;

impl Check<'_> {
    /// A column; `all` are the entity's, itself at `at`.
    pub(super) fn field(&mut self, at: usize, f: &RawField, all: &[RawField]) -> Option<FieldDef> {
        let name_ok = f.name.starts_with(|c: char| c.is_ascii_lowercase())
            && f.name.len() <= 63
            && f.name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
        if !name_ok {
            self.fault(
                "name:",
                format!("column {:?} is not valid: lower-case letters, digits and '_', starting with a letter ('_' is ours)", f.name),
            );
        }
        if all[..at].iter().any(|o| o.name == f.name) {
            self.fault("name:", format!("column {:?} is there twice", f.name));
        }
        let Some(kind) = field_type(&f.kind) else {
            self.fault(
                "type:",
                format!("{:?} is no type: string, enum, uuid, jsonb, int64, bool, date, timestamp, decimal(p,s), list<string>", f.kind),
            );
            return None;
        };
        let on_error = match f.on_error.as_deref() {
            None | Some("reject") => OnError::Reject,
            Some("null_and_flag") => OnError::Flag,
            Some(other) => {
                self.fault("on_error:", format!("on_error is reject or null_and_flag, not {other:?}"));
                return None;
            }
        };
        let source = match (&f.from, &f.first_of) {
            (None, None) if f.lookup.is_some() => self.looks_up(f)?,
            _ if f.lookup.is_some() => {
                self.fault("lookup:", format!("column {:?} has `lookup`, and so neither `from` nor `first_of`", f.name));
                return None;
            }
            (Some(from), None) => self.source(from, kind, f)?,
            (None, Some(_)) if matches!(kind, FieldType::Decimal { .. }) => FieldSource::FirstOf(self.first_of(f, all)?),
            (None, Some(_)) => {
                self.fault("first_of:", format!("column {:?} picks sums of money: its type is a decimal, not {:?}", f.name, f.kind));
                return None;
            }
            _ => {
                self.fault("name:", format!("column {:?} needs one of `from`, `first_of` and `lookup`", f.name));
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
            enumerated: f.kind == "enum",
            description: f.description.clone().unwrap_or_default(),
            references: f.references.as_deref().and_then(|r| self.reference(r)),
        })
    }

    /// `table.column`; that both exist is checked when all entities are read.
    fn reference(&mut self, text: &str) -> Option<(String, String)> {
        let parts = text.split_once('.').filter(|(t, c)| crate::paths::validate_table(t).is_ok() && !c.is_empty() && !c.contains('.'));
        if parts.is_none() {
            self.fault("references:", format!("{text:?} is no TABLE.COLUMN of this pack"));
        }
        parts.map(|(t, c)| (t.to_owned(), c.to_owned()))
    }

    fn source(&mut self, from: &str, kind: FieldType, f: &RawField) -> Option<FieldSource> {
        let transform =
            Transform { map: f.map.clone(), otherwise: f.otherwise.clone(), only_mapped: f.only_mapped, flag_unknown: f.flag_unknown };
        let transformed = transform.map.is_some() || transform.otherwise.is_some();
        if (f.flag_unknown || f.only_mapped) && f.map.is_none() {
            self.fault("name:", format!("column {:?} has flag_unknown or only_mapped and no map", f.name));
        }
        if transformed && (matches!(kind, FieldType::TextList | FieldType::Json) || from.starts_with("$") && !from.starts_with("$.")) {
            self.fault("from:", format!("column {:?}: map and otherwise are for single values at a path", f.name));
        }
        let (source, fits) = match from {
            "$id" => (FieldSource::Id, kind == FieldType::Text),
            "$tenant_id" => (FieldSource::Tenant, kind == FieldType::Text),
            "$payload" => (FieldSource::Payload, matches!(kind, FieldType::Json | FieldType::Text)),
            path => {
                let path = self.path(path)?;
                let fits = match kind {
                    FieldType::Json => path.0.iter().all(|s| matches!(s, Segment::Field(_))),
                    FieldType::TextList => path.is_list(),
                    _ => !path.is_list(),
                };
                (FieldSource::Path(path, transform), fits)
            }
        };
        if !fits {
            let hint = match kind {
                FieldType::TextList => "a list<string> has a path with [*]",
                FieldType::Json => "a jsonb has $payload or a path of fields alone",
                _ => "a path with [*] is a list<string>; $id and $tenant_id are uuids, $payload is a jsonb",
            };
            self.fault("from:", format!("{from:?} and type {:?} do not fit: {hint}", f.kind));
            return None;
        }
        Some(source)
    }

    fn first_of(&mut self, f: &RawField, all: &[RawField]) -> Option<FirstOf> {
        let mut index = |name: &str, fits: fn(FieldType) -> bool, what: &str| {
            // Sums of sums are refused: columns are read in one round, sums in the next.
            let found = all.iter().position(|o| o.name == name && o.first_of.is_none() && o.lookup.is_none());
            let found = found.filter(|i| field_type(&all[*i].kind).is_some_and(fits));
            if found.is_none() {
                self.fault(name, format!("{name:?} of column {:?} is not {what} column of the entity with a path", f.name));
            }
            found
        };
        let text = |t| t == FieldType::Text;
        let mut choices = Vec::new();
        for c in f.first_of.iter().flatten() {
            let field = index(&c.field, |t| matches!(t, FieldType::Decimal { .. }), "a decimal")?;
            let times = match &c.times {
                Some(t) => Some(Times { field: index(t, |t| t == FieldType::Int, "an int64")?, default: c.times_default.unwrap_or(1) }),
                None => None,
            };
            let currency = match c.currency.as_ref().or(f.currency.as_ref()) {
                Some(name) => Some(index(name, text, "a text")?),
                None => None,
            };
            choices.push(Choice { field, times, currency });
        }
        let rates_at = match &f.rates_at {
            Some(d) => Some(index(d, |t| t == FieldType::Date, "a date")?),
            None => None,
        };
        let scale = |kind: &str| match field_type(kind) {
            Some(FieldType::Decimal { scale, .. }) => Some(scale),
            _ => None,
        };
        if choices.iter().any(|c| scale(&all[c.field].kind) != scale(&f.kind)) {
            self.fault("first_of:", format!("the columns that {:?} picks from have its own number of decimal places", f.name));
            return None;
        }
        Some(FirstOf { choices, rates_at })
    }
}

/// A type's name as packs write it.
pub(super) fn field_type(text: &str) -> Option<FieldType> {
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
