//! What another version of a pack changes in an entity: pure.

use super::entity::{Entity, FieldDef, FieldSource, KeyScope, Rule, RuleCheck};

/// What changes between two versions of an entity.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EntityChange {
    /// Columns that are new and made from records.
    pub added: Vec<String>,
    /// Columns that are made otherwise.
    pub changed: Vec<String>,
    /// What else makes other rows of the same records.
    pub other: Vec<String>,
    /// Rules that come (`+`), go (`-`) or change (`~`): they judge records from now on.
    pub rules: Vec<String>,
    /// Why it cannot be.
    pub refused: Vec<String>,
}

impl EntityChange {
    /// From one version to another.
    pub fn between(old: &Entity, new: &Entity) -> Self {
        let mut me = Self::default();
        for field in new.fields().iter().filter(|f| !matches!(f.source, FieldSource::Lookup(..))) {
            match old.fields().iter().find(|f| f.name == field.name) {
                None => me.added.push(field.name.clone()),
                Some(was) if made(old, was) != made(new, field) => me.changed.push(field.name.clone()),
                Some(_) => {}
            }
        }
        if identity(old) != identity(new) {
            me.refused.push(format!(
                "its key is {} and would be {}: every row would be another one; give the entity another name and table",
                identity(old),
                identity(new)
            ));
        }
        let mut other = |what: &str, same: bool| {
            if !same {
                me.other.push(what.to_owned());
            }
        };
        other("version", format!("{:?}", old.version()) == format!("{:?}", new.version()));
        other("operation", format!("{:?}", old.operation()) == format!("{:?}", new.operation()));
        other("only", format!("{:?}", old.only()) == format!("{:?}", new.only()));
        other("streams", new.streams().iter().all(|s| old.streams().contains(s)));
        other("partition", old.partition() == new.partition());
        let find = |e: &Entity, name: &str| e.rules().iter().find(|r| r.name == name).map(|r| judged(e, r));
        for rule in new.rules() {
            match find(old, &rule.name) {
                None => me.rules.push(format!("+{}", rule.name)),
                Some(was) if was != judged(new, rule) => me.rules.push(format!("~{}", rule.name)),
                Some(_) => {}
            }
        }
        me.rules.extend(old.rules().iter().filter(|r| find(new, &r.name).is_none()).map(|r| format!("-{}", r.name)));
        me
    }

    /// Why rows are to be made again from Bronze; none: they are not.
    pub fn reason(&self) -> Option<String> {
        let part = |what: &str, list: &[String]| (!list.is_empty()).then(|| format!("{what} {}", list.join(", ")));
        let parts = [part("new:", &self.added), part("made otherwise:", &self.changed), part("other", &self.other)];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        (!parts.is_empty()).then(|| parts.join("; "))
    }
}

/// What makes rows one and the same.
fn identity(entity: &Entity) -> String {
    match entity.scope() {
        KeyScope::Path(scope) => format!("{} within {scope}", entity.key()),
        KeyScope::Connector => entity.key().to_string(),
    }
}

/// What a rule holds records to, in words that do not depend on where columns stand.
fn judged(entity: &Entity, rule: &Rule) -> String {
    let name = |i: usize| entity.fields().get(i).map_or("?", |f| f.name.as_str());
    let check = match &rule.check {
        RuleCheck::Required(columns) => format!("{:?}", columns.iter().map(|i| name(*i)).collect::<Vec<_>>()),
        RuleCheck::Compare(column, comparison) => format!("{} {comparison:?}", name(*column)),
        other => format!("{other:?}"),
    };
    format!("{:?} {check}", rule.kind)
}

/// How a column is made, in words that do not depend on where other columns stand.
fn made(entity: &Entity, field: &FieldDef) -> String {
    let source = match &field.source {
        FieldSource::FirstOf(sum) => {
            let name = |i: usize| entity.fields().get(i).map_or("?", |f| f.name.as_str());
            let choices: Vec<String> = sum
                .choices
                .iter()
                .map(|c| {
                    let times = c.times.as_ref().map(|t| format!("{} or {}", name(t.field), t.default));
                    format!("{} {:?} {:?}", name(c.field), times, c.currency.map(name))
                })
                .collect();
            format!("{choices:?} {:?} {:?}", sum.rates_at.map(name), entity.rates())
        }
        other => format!("{other:?}"),
    };
    format!("{:?} {source} {:?} {}", field.kind, field.on_error, field.payload)
}

#[cfg(test)]
#[path = "change_tests.rs"]
mod tests;
