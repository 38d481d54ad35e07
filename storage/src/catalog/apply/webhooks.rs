//! Webhooks: made, ended, and moved past the alerts that they have settled.

use lakewright_proto::{ErrorCode, TenantId};

use super::super::command::Reply;
use super::super::keyspace::*;
use super::super::records::*;
use super::super::tx::{refuse, ApplyError, Tx};
use super::super::view::Read;

type Done = Result<Reply, ApplyError>;

/// Webhooks of a tenant.
pub(crate) const MAX_WEBHOOKS: usize = 8;

pub(super) fn create(tx: &mut Tx<'_>, webhook: &Webhook) -> Done {
    tx.need::<Tenants>(&webhook.tenant_id, || format!("tenant {}", webhook.tenant_id))?;
    let key = (webhook.tenant_id, webhook.name.clone());
    let there = tx.scan::<Webhooks>(&webhook.tenant_id)?;
    if there.iter().any(|(k, _)| *k == key) {
        return refuse(ErrorCode::AlreadyExists, format!("there is a webhook {:?} already", webhook.name));
    }
    if there.len() >= MAX_WEBHOOKS {
        return refuse(ErrorCode::ResourceExhausted, format!("a tenant has at most {MAX_WEBHOOKS} webhooks; delete one"));
    }
    // What was raised before is not news.
    let new = Webhook { created_at: tx.now, next: tx.now as u64, ..webhook.clone() };
    tx.put::<Webhooks>(&key, &new)?;
    Ok(Reply::Done)
}

pub(super) fn delete(tx: &mut Tx<'_>, tenant: TenantId, name: &str) -> Done {
    let key = (tenant, name.to_owned());
    tx.need::<Webhooks>(&key, || format!("webhook {name:?}"))?;
    tx.remove::<Webhooks>(&key);
    Ok(Reply::Done)
}

pub(super) fn settle(tx: &mut Tx<'_>, tenant: TenantId, name: &str, from: u64, to: u64, delivery: &Delivery) -> Done {
    let key = (tenant, name.to_owned());
    let mut webhook = tx.need::<Webhooks>(&key, || format!("webhook {name:?}"))?;
    if webhook.next != from || to < from {
        return refuse(ErrorCode::Conflict, format!("webhook {name:?} is at alert {}, not {from}", webhook.next));
    }
    match delivery {
        Delivery::Failed { error, retry_at } => {
            webhook.attempts = webhook.attempts.saturating_add(1);
            webhook.retry_at = *retry_at;
            webhook.last_error = Some(error.clone());
        }
        settled => {
            (webhook.next, webhook.attempts, webhook.retry_at) = (to, 0, 0);
            match settled {
                Delivery::Delivered => {
                    webhook.delivered += 1;
                    webhook.last_error = None;
                }
                Delivery::GivenUp { error } => {
                    webhook.given_up += 1;
                    webhook.last_error = Some(error.clone());
                }
                Delivery::Passed | Delivery::Failed { .. } => {}
            }
        }
    }
    tx.put::<Webhooks>(&key, &webhook)?;
    Ok(Reply::Done)
}
