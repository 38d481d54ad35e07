//! Alerts on their way out: each webhook of a tenant gets its alerts in their order, signed, at least
//! once, and is tried again for about a day before one is given up.
//!
//! How far a webhook is stands in the catalog, so a restart repeats at most what was under way.

mod plan;
mod send;
mod sign;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::StreamExt as _;
use lakewright_proto::{Error, ErrorCode, TenantId};
use lakewright_storage::catalog::command::Command;
use lakewright_storage::catalog::keyspace::{Alerts, Tenants, Webhooks};
use lakewright_storage::catalog::records::{Alert, Delivery, Status, Webhook};
use lakewright_storage::catalog::Read as _;

pub use plan::{next_attempt, ATTEMPTS};
pub use send::{check_url, Reach, Sender};
pub use sign::{new_secret, sign};

use crate::error::WorkError;
use crate::services::{now_us, Services};

/// How often it is looked at least: a retry is due at a time, not with a change.
const EVERY: Duration = Duration::from_secs(5);
/// Changes of the catalog are looked at together.
const CALM: Duration = Duration::from_millis(500);
/// Tenants served side by side; the webhooks of one tenant follow one another.
const AT_ONCE: usize = 8;
/// A tenant's part of a turn: no alert is begun after it, so that slow receivers do not hold those of others.
const PART: Duration = Duration::from_secs(15);
/// Alerts sent to one webhook before the others get their turn.
const IN_A_ROW: usize = 32;

/// Delivers until the node stops.
pub async fn deliver(services: Arc<Services>, sender: Sender) {
    let mut changed = services.catalog.store().subscribe();
    loop {
        changed.borrow_and_update();
        if let Err(e) = deliver_due(&services, &sender, &now_us).await {
            tracing::warn!(error = %e, "alerts could not be delivered and will be again");
        }
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            _ = changed.changed() => tokio::time::sleep(CALM).await,
            () = services.stop_fetching.cancelled() => return,
        }
    }
}

/// One turn over all webhooks that are due; answers how many alerts were sent. `clock` tells microseconds since 1970.
pub async fn deliver_due(services: &Arc<Services>, sender: &Sender, clock: &(dyn Fn() -> i64 + Sync)) -> Result<usize, WorkError> {
    let mut tenants: HashMap<TenantId, Vec<Webhook>> = HashMap::new();
    for webhook in due(services, clock())? {
        tenants.entry(webhook.tenant_id).or_default().push(webhook);
    }
    let sent = futures::stream::iter(tenants.into_values())
        .map(|webhooks| serve_tenant(services, sender, webhooks, clock))
        .buffer_unordered(AT_ONCE);
    Ok(sent.collect::<Vec<_>>().await.into_iter().sum())
}

/// Serves a tenant's webhooks for its part of the turn, each turn in another order: one that is slow does not always come first.
async fn serve_tenant(services: &Arc<Services>, sender: &Sender, mut webhooks: Vec<Webhook>, clock: &(dyn Fn() -> i64 + Sync)) -> usize {
    let until = Instant::now() + PART;
    let first = rand::random_range(0..webhooks.len().max(1));
    webhooks.rotate_left(first);
    let mut all = 0;
    for webhook in webhooks {
        let (tenant, name) = (webhook.tenant_id, webhook.name.clone());
        match serve(services, sender, webhook, clock, until).await {
            Ok(sent) => all += sent,
            Err(e) => tracing::warn!(%tenant, webhook = name, error = %e, "a webhook could not be served"),
        }
    }
    all
}

fn due(services: &Services, now: i64) -> Result<Vec<Webhook>, WorkError> {
    let view = services.catalog.view();
    let due: Vec<Webhook> = view.all::<Webhooks>()?.into_iter().map(|(_, w)| w).filter(|w| w.retry_at <= now).collect();
    let mut active = HashSet::new();
    for w in &due {
        if view.get::<Tenants>(&w.tenant_id)?.is_some_and(|t| t.status == Status::Active) {
            active.insert(w.tenant_id);
        }
    }
    Ok(due.into_iter().filter(|w| active.contains(&w.tenant_id)).collect())
}

/// Sends a webhook what waits for it, until it fails or others should have their turn.
async fn serve(
    services: &Arc<Services>,
    sender: &Sender,
    webhook: Webhook,
    clock: &(dyn Fn() -> i64 + Sync),
    until: Instant,
) -> Result<usize, WorkError> {
    let (tenant, name) = (webhook.tenant_id, webhook.name.as_str());
    let (mut from, mut sent) = (webhook.next, 0);
    let mut secret = None;
    for _ in 0..IN_A_ROW {
        if Instant::now() >= until {
            break;
        }
        let Some((at, alert)) = waiting(services, tenant, from)? else { break };
        let step = if webhook.kinds.is_empty() || webhook.kinds.contains(&alert.kind) {
            let secret = match &secret {
                Some(secret) => secret,
                None => secret.insert(services.secrets.open_webhook(tenant, name, &webhook.secret)?),
            };
            // Attempts belong to the alert that the webhook stood at when it was read.
            let attempts = if from == webhook.next { webhook.attempts } else { 0 };
            match sender.send(&webhook.url, secret, at, &alert, clock()).await {
                Ok(()) => Delivery::Delivered,
                Err(error) => match next_attempt(attempts, clock(), at) {
                    Some(retry_at) => Delivery::Failed { error, retry_at },
                    None => Delivery::GivenUp { error },
                },
            }
        } else {
            Delivery::Passed
        };
        let failed = matches!(step, Delivery::Failed { .. });
        sent += usize::from(step == Delivery::Delivered);
        tell(services, &webhook, &alert, &step);
        let to = if failed { from } else { at + 1 };
        let settle = Command::SettleAlerts { tenant, webhook: name.to_owned(), from, to, delivery: step };
        match services.catalog.propose("node", settle).await {
            Ok(_) => {}
            // Deleted meanwhile, or served by another.
            Err(e) => match Error::from(e) {
                e if matches!(e.code, ErrorCode::NotFound | ErrorCode::Conflict) => break,
                e => return Err(e.into()),
            },
        }
        if failed {
            break;
        }
        from = to;
    }
    Ok(sent)
}

fn waiting(services: &Services, tenant: TenantId, from: u64) -> Result<Option<(u64, Alert)>, WorkError> {
    let found = services.catalog.view().next::<Alerts>(&tenant, &(tenant, from))?;
    Ok(found.map(|((_, at), alert)| (at, alert)))
}

fn tell(services: &Services, webhook: &Webhook, alert: &Alert, step: &Delivery) {
    match step {
        Delivery::Failed { error, .. } => {
            tracing::warn!(tenant = %webhook.tenant_id, webhook = webhook.name, kind = alert.kind, error, "a webhook refused an alert");
        }
        Delivery::GivenUp { error } => {
            tracing::error!(tenant = %webhook.tenant_id, webhook = webhook.name, kind = alert.kind, error, "an alert was given up");
        }
        Delivery::Delivered | Delivery::Passed => {}
    }
    crate::metrics::delivery(services, webhook, step);
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
