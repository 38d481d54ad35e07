//! `SELECT *` leaves out the system columns of Silver, Gold and Platinum tables, and `?` becomes `$n`.
//! Both are done on the parsed statement, so that whatever is named explicitly still works.

use std::collections::{BTreeMap, HashMap};
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    ExcludeSelectItem, Ident, JoinConstraint, JoinOperator, ObjectName, Query, Select, SelectItem, SelectItemQualifiedWildcardKind,
    Statement, TableFactor, TableWithJoins, Value, ValueWithSpan, VisitMut, VisitorMut, WildcardAdditionalOptions,
};

/// System columns that `SELECT *` shows all the same: unknown fields, and what a change table is about.
const SHOWN: [&str; 4] = ["_extra", "_change", "_change_commit", "_changed_at"];

/// Whether `SELECT *` leaves the column out.
pub(super) fn is_hidden(column: &str) -> bool {
    column.starts_with('_') && !SHOWN.contains(&column)
}

/// Hidden columns by the table's name as the statement spells it.
pub(super) type Hidden = HashMap<String, Vec<String>>;

/// Rewrites the wildcards of a statement.
pub(super) fn omit_hidden(statement: &mut Statement, hidden: &Hidden) {
    let mut v = Omit { hidden, ctes: Vec::new() };
    let _: ControlFlow<()> = statement.visit(&mut v);
}

struct Omit<'a> {
    hidden: &'a Hidden,
    /// Names of common table expressions in scope, innermost query last.
    ctes: Vec<Vec<String>>,
}

impl VisitorMut for Omit<'_> {
    type Break = ();

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        let with = query.with.iter().flat_map(|w| &w.cte_tables);
        self.ctes.push(with.map(|c| c.alias.name.value.clone()).collect());
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &mut Query) -> ControlFlow<()> {
        self.ctes.pop();
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        let mut relations = Vec::new();
        for from in &select.from {
            self.relations(from, &mut relations);
        }
        let items = std::mem::take(&mut select.projection);
        select.projection = items.into_iter().flat_map(|item| rewrite(item, &relations)).collect();
        ControlFlow::Continue(())
    }
}

/// A relation of a FROM clause: how it is referred to, what it hides, and which of its columns
/// a USING join shows from the other side.
struct Relation {
    qualifier: Option<ObjectName>,
    hidden: Vec<String>,
    joined: Vec<String>,
}

impl Omit<'_> {
    fn relations(&self, from: &TableWithJoins, out: &mut Vec<Relation>) {
        self.factor(&from.relation, Vec::new(), out);
        for join in &from.joins {
            self.factor(&join.relation, using_columns(&join.join_operator), out);
        }
    }

    fn factor(&self, factor: &TableFactor, joined: Vec<String>, out: &mut Vec<Relation>) {
        match factor {
            TableFactor::Table { name, alias, .. } => {
                let shadowed =
                    matches!(name.0.as_slice(), [one] if one.as_ident().is_some_and(|i| self.ctes.iter().flatten().any(|c| *c == i.value)));
                let hidden = if shadowed { Vec::new() } else { self.hidden.get(&name.to_string()).cloned().unwrap_or_default() };
                let qualifier = alias.as_ref().map_or_else(|| name.clone(), |a| ObjectName::from(vec![a.name.clone()]));
                out.push(Relation { qualifier: Some(qualifier), hidden, joined });
            }
            TableFactor::NestedJoin { table_with_joins, alias: None, .. } => self.relations(table_with_joins, out),
            TableFactor::Derived { alias, .. } => {
                let qualifier = alias.as_ref().map(|a| ObjectName::from(vec![a.name.clone()]));
                out.push(Relation { qualifier, hidden: Vec::new(), joined });
            }
            _ => out.push(Relation { qualifier: None, hidden: Vec::new(), joined }),
        }
    }
}

fn using_columns(op: &JoinOperator) -> Vec<String> {
    let constraint = match op {
        JoinOperator::Join(c) | JoinOperator::Inner(c) | JoinOperator::Left(c) | JoinOperator::LeftOuter(c) => c,
        JoinOperator::Right(c) | JoinOperator::RightOuter(c) | JoinOperator::FullOuter(c) => c,
        _ => return Vec::new(),
    };
    match constraint {
        JoinConstraint::Using(names) => names.iter().map(last_name).collect(),
        _ => Vec::new(),
    }
}

fn last_name(n: &ObjectName) -> String {
    n.0.last().and_then(|p| p.as_ident()).map(|i| i.value.clone()).unwrap_or_default()
}

fn rewrite(item: SelectItem, relations: &[Relation]) -> Vec<SelectItem> {
    match item {
        SelectItem::Wildcard(options) if relations.iter().any(|r| !r.hidden.is_empty()) => everything(options, relations),
        SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(name), mut options) => {
            let spelt = name.to_string();
            let same = |r: &&Relation| {
                r.qualifier.as_ref().is_some_and(|q| q.to_string() == spelt || q.to_string().ends_with(&format!(".{spelt}")))
            };
            if let Some(r) = relations.iter().find(same) {
                exclude(&mut options, &r.hidden);
            }
            vec![SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(name), options)]
        }
        other => vec![other],
    }
}

fn everything(mut options: WildcardAdditionalOptions, relations: &[Relation]) -> Vec<SelectItem> {
    if let [one] = relations {
        exclude(&mut options, &one.hidden);
        return vec![SelectItem::Wildcard(options)];
    }
    // A name in two relations cannot be excluded without saying whose: one wildcard a relation.
    let nameless = relations.iter().any(|r| r.qualifier.is_none());
    let restricted = options.opt_exclude.is_some() || options.opt_except.is_some() || options.opt_replace.is_some();
    if nameless || restricted {
        return vec![SelectItem::Wildcard(options)];
    }
    let each = relations.iter().filter_map(|r| {
        let mut options = WildcardAdditionalOptions::default();
        let joined = r.joined.iter().filter(|c| !r.hidden.contains(c));
        exclude(&mut options, &r.hidden.iter().chain(joined).cloned().collect::<Vec<_>>());
        let kind = SelectItemQualifiedWildcardKind::ObjectName(r.qualifier.clone()?);
        Some(SelectItem::QualifiedWildcard(kind, options))
    });
    each.collect()
}

fn exclude(options: &mut WildcardAdditionalOptions, hidden: &[String]) {
    let mut names: Vec<ObjectName> = match options.opt_exclude.take() {
        Some(ExcludeSelectItem::Single(n)) => vec![n],
        Some(ExcludeSelectItem::Multiple(n)) => n,
        None => Vec::new(),
    };
    let excepted = options.opt_except.iter().flat_map(|e| std::iter::once(&e.first_element).chain(&e.additional_elements));
    let taken: Vec<String> = names.iter().map(last_name).chain(excepted.map(|i| i.value.clone())).collect();
    let new = hidden.iter().filter(|h| !taken.contains(h));
    names.extend(new.map(|h| ObjectName::from(vec![Ident::with_quote('"', h)])));
    if !names.is_empty() {
        options.opt_exclude = Some(ExcludeSelectItem::Multiple(names));
    }
}

/// `system.passport()` is the table `system.passport`.
pub(super) fn without_call(statement: &mut Statement) {
    let _: ControlFlow<()> = statement.visit(&mut Call);
}

struct Call;

impl VisitorMut for Call {
    type Break = ();
    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<()> {
        if let TableFactor::Table { name, args, .. } = factor {
            let called = args.as_ref().is_some_and(|a| a.args.is_empty()) && last_name(name).eq_ignore_ascii_case("passport");
            if called {
                *args = None;
            }
        }
        ControlFlow::Continue(())
    }
}

/// Numbers `?` placeholders in the order in which they stand in the text.
pub(super) fn number_placeholders(statement: &mut Statement) {
    let mut found = Placeholders(BTreeMap::new());
    let _: ControlFlow<()> = statement.visit(&mut found);
    let order = found.0.into_keys().enumerate().map(|(i, at)| (at, i + 1)).collect();
    let _: ControlFlow<()> = statement.visit(&mut Number(order));
}

type At = (u64, u64);

fn place(v: &ValueWithSpan) -> Option<At> {
    matches!(&v.value, Value::Placeholder(p) if p == "?").then_some((v.span.start.line, v.span.start.column))
}

struct Placeholders(BTreeMap<At, ()>);

impl VisitorMut for Placeholders {
    type Break = ();
    fn pre_visit_value(&mut self, v: &mut ValueWithSpan) -> ControlFlow<()> {
        if let Some(at) = place(v) {
            self.0.insert(at, ());
        }
        ControlFlow::Continue(())
    }
}

struct Number(HashMap<At, usize>);

impl VisitorMut for Number {
    type Break = ();
    fn pre_visit_value(&mut self, v: &mut ValueWithSpan) -> ControlFlow<()> {
        if let Some(n) = place(v).and_then(|at| self.0.get(&at)) {
            v.value = Value::Placeholder(format!("${n}"));
        }
        ControlFlow::Continue(())
    }
}
