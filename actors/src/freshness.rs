//! Freshness rules, evaluated on time: a Silver table whose source has been silent for longer than its pack allows is told
//! once, and once more when records come again.
//!
//! What is asked is in the catalog alone: when accepted records last came ([`Arrivals`]), and what was told
//! ([`Conditions`]). Nothing is remembered here, so a restart tells nothing twice. A table that never had a record is not
//! stale: nobody has connected its source.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use lakewright_proto::TenantId;
use lakewright_storage::catalog::command::Command;
use lakewright_storage::catalog::keyspace::{Arrivals, Conditions, PackPins, Tenants};
use lakewright_storage::catalog::records::{Alert, Status};
use lakewright_storage::catalog::{Catalog, Read as _};

use crate::error::WorkError;
use crate::pack_cache::PackCache;
use crate::services::Services;

/// How often it is looked.
const EVERY: Duration = Duration::from_secs(60);
/// Tenants looked at between two chances for other work.
const AT_ONCE: usize = 64;

/// A rule of a pack: a table's newest record may be this old.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgeRule {
    /// The Silver table.
    pub table: String,
    /// The rule's name.
    pub name: String,
    /// Microseconds.
    pub max_age: i64,
}

/// What is known of one table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known<'a> {
    /// The table.
    pub table: &'a str,
    /// Its strictest rule, if it has one.
    pub rule: Option<&'a AgeRule>,
    /// When accepted records last came, microseconds since 1970.
    pub arrived: Option<i64>,
    /// It was told to be stale, and not yet to be fresh.
    pub told: bool,
}

/// The age of a table that has a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Age {
    /// Its tenant.
    pub tenant: TenantId,
    /// Its name.
    pub table: String,
    /// Microseconds since accepted records last came.
    pub us: i64,
}

/// Pack versions' rules, by hash: packs are parsed once, not each minute.
pub type Rules = HashMap<String, Arc<Vec<AgeRule>>>;

/// Watches until the node stops. `clock` tells microseconds since 1970.
pub async fn watch(services: Arc<Services>, clock: fn() -> i64) {
    let mut rules = Rules::new();
    loop {
        match look(&services.catalog, &services.packs, clock(), &mut rules).await {
            Ok(ages) => ages.iter().for_each(|a| crate::metrics::age(&services, a)),
            Err(e) => tracing::warn!(error = %e, "freshness could not be looked at and will be again"),
        }
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            () = services.stop_fetching.cancelled() => return,
        }
    }
}

/// One look at every active tenant: raises what is due, and answers the ages of the tables that have a rule.
pub async fn look(catalog: &Catalog, packs: &PackCache, clock: i64, rules: &mut Rules) -> Result<Vec<Age>, WorkError> {
    let tenants: Vec<TenantId> =
        catalog.view().all::<Tenants>()?.into_iter().filter(|(_, t)| t.status == Status::Active).map(|(id, _)| id).collect();
    let (mut ages, mut used) = (Vec::new(), HashSet::new());
    for (n, tenant) in tenants.into_iter().enumerate() {
        if n % AT_ONCE == AT_ONCE - 1 {
            tokio::task::yield_now().await;
        }
        let asked = ask(catalog, packs, tenant, rules, &mut used);
        // One tenant's bad pack does not hide the others.
        let asked = match asked {
            Ok(asked) => asked,
            Err(e) => {
                tracing::warn!(%tenant, error = %e, "freshness of the tenant could not be looked at");
                continue;
            }
        };
        for alert in asked.tell(tenant, clock, &mut ages) {
            tracing::warn!(%tenant, kind = alert.kind, table = alert.subject, message = alert.message, "freshness");
            catalog.propose("node", Command::RaiseAlert(alert)).await.map_err(lakewright_proto::Error::from)?;
        }
    }
    rules.retain(|hash, _| used.contains(hash));
    Ok(ages)
}

/// What the catalog says of a tenant, in one view.
struct Asked {
    /// Catalog time: it stands still while nobody proposes anything.
    now: i64,
    rules: HashMap<String, AgeRule>,
    arrived: HashMap<String, i64>,
    told: HashSet<String>,
}

fn ask(catalog: &Catalog, packs: &PackCache, tenant: TenantId, known: &mut Rules, used: &mut HashSet<String>) -> Result<Asked, WorkError> {
    let pins: Vec<String> = catalog.view().scan::<PackPins>(&tenant)?.into_iter().map(|(_, hash)| hash).collect();
    let mut rules: HashMap<String, AgeRule> = HashMap::new();
    for hash in pins {
        let of_pack = match known.get(&hash) {
            Some(of_pack) => Arc::clone(of_pack),
            None => {
                let pack = packs.pack(catalog, &hash)?;
                let of_entity = |e: &lakewright_storage::pack::Entity| -> Vec<AgeRule> {
                    e.freshness().map(|(name, max_age)| AgeRule { table: e.table().to_owned(), name: name.to_owned(), max_age }).collect()
                };
                let all: Arc<Vec<AgeRule>> = Arc::new(pack.entities().iter().flat_map(of_entity).collect());
                known.insert(hash.clone(), Arc::clone(&all));
                all
            }
        };
        used.insert(hash);
        for rule in of_pack.iter() {
            let strictest = rules.entry(rule.table.clone()).or_insert_with(|| rule.clone());
            if rule.max_age < strictest.max_age {
                *strictest = rule.clone();
            }
        }
    }
    let view = catalog.view();
    let (now, _) = view.store().clock()?;
    let told = view.scan::<Conditions>(&(tenant, "freshness".to_owned()))?.into_iter().map(|((_, _, table), _)| table).collect();
    // Tenants whose packs have no rule cost two short scans.
    let arrived = if rules.is_empty() { Vec::new() } else { view.scan::<Arrivals>(&tenant)? };
    let arrived = arrived.into_iter().map(|((_, table), a)| (table, a.at)).collect();
    Ok(Asked { now, rules, arrived, told })
}

impl Asked {
    fn tell(&self, tenant: TenantId, clock: i64, ages: &mut Vec<Age>) -> Vec<Alert> {
        // The time that an alert proposed now gets.
        let now = clock.max(self.now);
        let mut tables: Vec<&String> = self.rules.keys().chain(self.told.iter()).collect();
        tables.sort_unstable();
        tables.dedup();
        let mut alerts = Vec::new();
        for table in tables {
            let rule = self.rules.get(table);
            let arrived = self.arrived.get(table).copied();
            if let (Some(_), Some(at)) = (rule, arrived) {
                ages.push(Age { tenant, table: table.clone(), us: now - at });
            }
            alerts.extend(judge(now, &Known { table, rule, arrived, told: self.told.contains(table) }, tenant));
        }
        alerts
    }
}

/// What is to be told of a table now, if anything.
pub fn judge(now: i64, known: &Known<'_>, tenant: TenantId) -> Option<Alert> {
    let table = known.table;
    let (kind, message) = match (known.rule, known.arrived, known.told) {
        (Some(rule), Some(at), false) if now - at > rule.max_age => (
            "freshness",
            format!(
                "silver.{table} got its last record {} ago, and the rule {} allows {}: look at its source with `lakewright run list`",
                span(now - at),
                rule.name,
                span(rule.max_age)
            ),
        ),
        (Some(rule), Some(at), true) if now - at <= rule.max_age => {
            ("freshness_restored", format!("silver.{table} gets records again: the last came {} ago (rule {})", span(now - at), rule.name))
        }
        // Otherwise the rule could never be told again, should it come back.
        (None, _, true) => ("freshness_restored", format!("silver.{table} has no freshness rule any more")),
        _ => return None,
    };
    Some(Alert::new(tenant, kind, table, message))
}

/// A span as people say it, in its largest two units.
fn span(us: i64) -> String {
    let s = us / 1_000_000;
    match s {
        s if s < 60 => format!("{s}s"),
        s if s < 3_600 => format!("{}m", s / 60),
        s if s < 86_400 => format!("{}h {}m", s / 3_600, s % 3_600 / 60),
        s => format!("{}d {}h", s / 86_400, s % 86_400 / 3_600),
    }
}

#[cfg(test)]
#[path = "freshness_tests.rs"]
mod tests;
