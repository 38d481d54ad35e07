//! Checks of an entity's rules.

use regex::bytes::Regex;

use super::entity::*;
use super::fields::field_type;
use super::load::Check;
use super::numbers::{duration_us, scaled};
use super::raw::{RawField, RawRule};

impl Check<'_> {
    /// A rule on an entity with these columns.
    pub(super) fn rule(&mut self, r: &RawRule, fields: &[RawField]) -> Option<Rule> {
        let kind = match r.kind.as_str() {
            "schema" => RuleKind::Schema,
            "format" => RuleKind::Format,
            "business" => RuleKind::Business,
            "freshness" => RuleKind::Freshness,
            other => {
                self.fault("type:", format!("{other:?} is no kind of rule: schema, format, business, freshness"));
                return None;
            }
        };
        let mut index = |name: &str| {
            let found = fields.iter().position(|f| f.name == name);
            if found.is_none() {
                self.fault(name, format!("rule {:?} names {name:?}, which is no column of the entity", r.name));
            }
            if found.is_some_and(|i| fields[i].lookup.is_some()) {
                // A record is judged by itself: what is looked up changes without it.
                self.fault(name, format!("rule {:?} names {name:?}, which is looked up in another table", r.name));
            }
            found
        };
        let check = match (kind, &r.required, &r.matches, &r.field, &r.is, &r.max_age) {
            (RuleKind::Schema, Some(required), None, None, None, None) if r.path.is_none() => {
                // All of them are looked up first: each that is missing is a fault of its own.
                let found: Vec<Option<usize>> = required.iter().map(|n| index(n)).collect();
                RuleCheck::Required(found.into_iter().collect::<Option<_>>()?)
            }
            (RuleKind::Format, None, Some(pattern), None, None, None) => {
                let path = self.path(r.path.as_deref().unwrap_or_default())?;
                // Anchored: a rule speaks of the whole text.
                match Regex::new(&format!("^(?:{pattern})$")) {
                    Ok(regex) => RuleCheck::Matches(path, regex),
                    Err(e) => {
                        let why = e.to_string();
                        let why = why.lines().last().unwrap_or_default().trim_start_matches("error: ");
                        self.fault("matches:", format!("the pattern of rule {:?} does not compile: {why}", r.name));
                        return None;
                    }
                }
            }
            (RuleKind::Business, None, None, Some(field), Some(is), None) if r.path.is_none() => {
                let field = index(field)?;
                let scale = match field_type(&fields[field].kind) {
                    Some(FieldType::Decimal { scale, .. }) => scale,
                    Some(FieldType::Int) => 0,
                    _ if is == "not null" => 0,
                    _ => {
                        self.fault("field:", format!("rule {:?} compares {:?}, which is no number", r.name, fields[field].name));
                        return None;
                    }
                };
                let Some(comparison) = comparison(is, scale) else {
                    self.fault("is:", format!("{is:?} is no comparison: > n, >= n, < n, <= n, != n, not null"));
                    return None;
                };
                RuleCheck::Compare(field, comparison)
            }
            (RuleKind::Freshness, None, None, None, None, Some(age)) if r.path.is_none() => match duration_us(age) {
                Some(us) => RuleCheck::MaxAge(us),
                None => {
                    self.fault("max_age:", format!("{age:?} is no duration: 30m, 24h, 7d"));
                    return None;
                }
            },
            _ => {
                let kinds =
                    "schema has `required`, format has `path` and `matches`, business has `field` and `is`, freshness has `max_age`";
                self.fault("name:", format!("rule {:?} does not fit its kind: {kinds}", r.name));
                return None;
            }
        };
        Some(Rule { name: r.name.clone(), kind, check })
    }
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
