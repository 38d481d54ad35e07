//! Alerts: bounded per tenant, and raised once for a condition that lasts.

use lakewright_proto::RunId;

use super::super::command::Reply;
use super::super::keyspace::*;
use super::super::records::*;
use super::super::tx::{ApplyError, Tx};
use super::super::view::Read;

type Done = Result<Reply, ApplyError>;

/// A tenant's alerts kept; the oldest go first.
pub(crate) const MAX_ALERTS: u64 = 10_000;

/// Kinds that begin a condition, and the kinds that end it. Beginning what has begun, or ending what has not, raises
/// nothing: whoever watches may restart, or be two, and still tells once.
const CONDITIONS: &[(&str, &str)] = &[("freshness", "freshness_restored")];

pub(super) fn raise(tx: &mut Tx<'_>, alert: &Alert) -> Done {
    for (begin, end) in CONDITIONS {
        let key = (alert.tenant, (*begin).to_owned(), alert.subject.clone());
        let stands = || tx.get::<Conditions>(&key).map(|c| c.is_some());
        if alert.kind == *begin {
            if stands()? {
                return Ok(Reply::Done);
            }
            let now = tx.now;
            tx.put::<Conditions>(&key, &now)?;
        } else if alert.kind == *end {
            if !stands()? {
                return Ok(Reply::Done);
            }
            tx.remove::<Conditions>(&key);
        }
    }
    let mut at = tx.now as u64;
    // One command may raise several for a tenant: none may hide another.
    while tx.get::<Alerts>(&(alert.tenant, at))?.is_some() {
        at += 1;
    }
    tx.put::<Alerts>(&(alert.tenant, at), &Alert { at: tx.now, ..alert.clone() })?;
    let mut count = tx.get::<AlertCounts>(&alert.tenant)?.unwrap_or(0) + 1;
    if count > MAX_ALERTS {
        for (oldest, _) in tx.between::<Alerts>(&(alert.tenant, 0), &(alert.tenant, u64::MAX), 1)? {
            tx.remove::<Alerts>(&oldest);
            count -= 1;
        }
    }
    tx.put::<AlertCounts>(&alert.tenant, &count)?;
    Ok(Reply::Done)
}

/// A connector that is being given up, if it is not already: why, and what to do.
pub(super) fn connector_broken(tx: &mut Tx<'_>, connector: &Connector, run: Option<RunId>, reason: &str) -> Result<(), ApplyError> {
    if matches!(connector.status, ConnectorStatus::Broken { .. }) {
        return Ok(());
    }
    let name = &connector.name;
    let message =
        format!("connector {name:?} is broken and does not run: {reason}. Mend the cause, then `lakewright connector clear-broken {name}`");
    let about = Alert::new(connector.tenant_id, "connector_broken", name.as_str(), message);
    raise(tx, &Alert { run, connector: Some(connector.id), ..about })?;
    Ok(())
}
