//! Gold: marts are built again when what they read has changed, after a pause for more changes, and on request.
//!
//! - [`plan`] decides when, purely. [`build`] runs the query, writes the files, and swaps them in with one command.

mod build;
mod plan;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use lakewright_proto::{Error, Layer, TenantId};
use lakewright_storage::catalog::command::Command;
use lakewright_storage::catalog::keyspace::{GoldBuilds, PackPins, Tenants};
use lakewright_storage::catalog::records::{Alert, GoldBuild, Status};
use lakewright_storage::catalog::{Read as _, View};
use lakewright_storage::pack::Mart;
use lakewright_storage::query::QueryEngine;

pub use build::{build, Built};
pub use plan::{when, State, When};

use crate::error::WorkError;
use crate::services::Services;

/// How often it is looked where something changed.
const EVERY: Duration = Duration::from_secs(1);
/// How long a look may be late: days end without a change of the catalog.
const IDLE: Duration = Duration::from_secs(60);
/// After a build that failed.
const AGAIN: i64 = 60 * 1_000_000;

/// What is remembered of a mart between two looks; lost with the process, at the cost of a look.
#[derive(Clone, Debug, Default)]
struct Memory {
    /// Tables that its query reads.
    reads: Option<Vec<(Layer, String)>>,
    /// The pack version that this is of.
    pack: String,
    /// Not before this instant, after a failure.
    not_before: i64,
    /// The failure was told.
    told: bool,
}

/// Builds what is due until the node stops. `clock` tells microseconds since 1970.
pub async fn watch(services: Arc<Services>, engine: Arc<QueryEngine>, clock: fn() -> i64) {
    let mut memory: HashMap<(TenantId, String), Memory> = HashMap::new();
    let mut changed = services.catalog.store().subscribe();
    loop {
        tokio::select! {
            () = services.stop_fetching.cancelled() => return,
            () = tokio::time::sleep(EVERY) => {}
        }
        let next = match look(&services, &engine, &mut memory, clock()).await {
            Ok(next) => next,
            Err(e) => {
                tracing::warn!(error = %e, "marts could not be looked at and will be again");
                None
            }
        };
        let wait = next.map_or(IDLE, |at| Duration::from_micros((at - clock()).max(0).unsigned_abs()).min(IDLE));
        tokio::select! {
            () = services.stop_fetching.cancelled() => return,
            () = tokio::time::sleep(wait) => {}
            _ = changed.changed() => {}
        }
    }
}

/// One look: builds what is due now, one after the other; answers when the next one is.
async fn look(
    services: &Arc<Services>,
    engine: &QueryEngine,
    memory: &mut HashMap<(TenantId, String), Memory>,
    now: i64,
) -> Result<Option<i64>, WorkError> {
    let mut next: Option<i64> = None;
    let all = wanted(services)?;
    memory.retain(|key, _| all.iter().any(|(tenant, _, mart)| (*tenant, &mart.name) == (key.0, &key.1)));
    for (tenant, pack, mart) in all {
        if services.stop_fetching.is_cancelled() {
            return Ok(None);
        }
        let kept = memory.entry((tenant, mart.name.clone())).or_default();
        if kept.pack != pack {
            *kept = Memory { pack: pack.clone(), ..Memory::default() };
        }
        if kept.not_before > now {
            next = Some(next.map_or(kept.not_before, |n| n.min(kept.not_before)));
            continue;
        }
        let due = match state(services, engine, tenant, &pack, &mart, kept).await {
            Ok(state) => when(&state, mart.debounce, now),
            Err(e) => {
                failed(services, tenant, &mart, kept, &e, now).await;
                continue;
            }
        };
        match due {
            When::Never => {}
            When::At(at) => next = Some(next.map_or(at, |n| n.min(at))),
            When::Now => match build(services, engine, tenant, &pack, &mart, now).await {
                Ok(built) => {
                    kept.told = false;
                    tracing::info!(mart = mart.name, rows = built.rows, took = ?built.took, "built a mart");
                }
                Err(e) => failed(services, tenant, &mart, kept, &e, now).await,
            },
        }
    }
    Ok(next)
}

/// The marts of every active tenant, with the pack version that they are of.
fn wanted(services: &Services) -> Result<Vec<(TenantId, String, Mart)>, WorkError> {
    let mut out = Vec::new();
    let pins = {
        let view = services.catalog.view();
        let mut pins = Vec::new();
        for ((tenant, _), hash) in view.all::<PackPins>()? {
            if view.get::<Tenants>(&tenant)?.is_some_and(|t| t.status == Status::Active) {
                pins.push((tenant, hash));
            }
        }
        pins
    };
    for (tenant, hash) in pins {
        for mart in services.packs.pack(&services.catalog, &hash)?.marts() {
            out.push((tenant, hash.clone(), mart.clone()));
        }
    }
    Ok(out)
}

async fn state(
    services: &Services,
    engine: &QueryEngine,
    tenant: TenantId,
    pack: &str,
    mart: &Mart,
    kept: &mut Memory,
) -> Result<State, Error> {
    let reads = match &kept.reads {
        Some(reads) => reads.clone(),
        None => {
            let session = engine.session(tenant, None)?;
            let reads = session.tables_of(&session.plan(&mart.sql).await?)?;
            kept.reads.insert(reads).clone()
        }
    };
    let view = services.catalog.view();
    let inputs = inputs(&view, tenant, &reads)?;
    let changed_at = inputs.iter().map(|i| i.changed_at).max();
    Ok(State {
        inputs: inputs.into_iter().map(|i| i.input).collect(),
        changed_at: changed_at.unwrap_or_default(),
        pack: pack.to_owned(),
        last: last(&view, tenant, &mart.name)?,
    })
}

/// Whether something that a mart reads has changed since its newest build.
pub async fn is_stale(
    services: &Services,
    engine: &QueryEngine,
    tenant: TenantId,
    pack: &str,
    mart: &Mart,
    now: i64,
) -> Result<bool, Error> {
    let state = state(services, engine, tenant, pack, mart, &mut Memory::default()).await?;
    Ok(when(&state, mart.debounce, now) != When::Never)
}

/// The newest build of a mart.
pub fn last(view: &View<'_>, tenant: TenantId, mart: &str) -> Result<Option<GoldBuild>, Error> {
    let Some(table) = view.table_by_name(tenant, Layer::Gold, mart)? else { return Ok(None) };
    Ok(view.previous::<GoldBuilds>(&table.id, &(table.id, u32::MAX))?.map(|(_, build)| build))
}

/// A Silver table that is read, where it stands.
struct Input {
    input: lakewright_storage::catalog::records::GoldInput,
    changed_at: i64,
}

/// Where the Silver tables behind these names stand; a change table stands where its table does.
fn inputs(view: &View<'_>, tenant: TenantId, reads: &[(Layer, String)]) -> Result<Vec<Input>, Error> {
    let mut out: Vec<Input> = Vec::new();
    for (_, name) in reads.iter().filter(|(layer, _)| *layer == Layer::Silver) {
        let base = name.strip_suffix("__changes").unwrap_or(name);
        let Some(table) = view.table_by_name(tenant, Layer::Silver, base)? else { continue };
        if out.iter().any(|i| i.input.table == table.id) {
            continue;
        }
        let mut watermark = None;
        for bucket in 0..table.buckets {
            let at = view.bucket_state(table.id, bucket)?.watermark;
            watermark = Some(watermark.map_or(at, |w: lakewright_proto::CommitSeq| w.min(at)));
        }
        // One that never had a row has nothing to tell.
        if table.version > 0 && table.updated_at > table.created_at {
            let looked_up = view.last_lookup(&table)?;
            let input =
                lakewright_storage::catalog::records::GoldInput { table: table.id, watermark: watermark.unwrap_or_default(), looked_up };
            out.push(Input { input, changed_at: table.updated_at });
        }
    }
    Ok(out)
}

/// Tells a failure once, and tries again later.
async fn failed(services: &Services, tenant: TenantId, mart: &Mart, kept: &mut Memory, e: &Error, now: i64) {
    tracing::warn!(mart = mart.name, error = %e, "a mart could not be built and will be again");
    kept.not_before = now + AGAIN;
    kept.reads = None;
    if std::mem::replace(&mut kept.told, true) {
        return;
    }
    let message = format!("gold.{} could not be built and is tried again each minute: {e}", mart.name);
    let alert = Alert::new(tenant, "mart_failed", mart.name.as_str(), message);
    if let Err(e) = services.catalog.propose("node", Command::RaiseAlert(alert)).await {
        tracing::warn!(error = %Error::from(e), "an alert could not be raised");
    }
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod plan_tests;
