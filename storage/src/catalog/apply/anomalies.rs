//! A sealed run against the runs before it: alerts where it is unlike them, then it joins them.

use lakewright_proto::{RunId, TenantId};

use super::super::keyspace::*;
use super::super::records::*;
use super::super::tx::{ApplyError, Tx};
use super::super::view::Read;
use crate::anomaly;

/// Whether a run is one of those that are compared: replays and endless runs have no usual size.
fn is_compared(run: &Run) -> bool {
    run.mode == RunMode::Batch && run.replay_of.is_none()
}

/// Adds what a commit's records look like to what its run's do.
pub(super) fn gather(tx: &mut Tx<'_>, run: &Run, entity: &str, profile: &EntityProfile) -> Result<(), ApplyError> {
    if !is_compared(run) {
        return Ok(());
    }
    let key = (run.tenant_id, run.id, entity.to_owned());
    let mut sum = tx.get::<RunProfiles>(&key)?.unwrap_or_default();
    sum.add(profile);
    tx.put::<RunProfiles>(&key, &sum)?;
    Ok(())
}

/// A run that does not succeed is compared with nothing.
pub(super) fn forget(tx: &mut Tx<'_>, tenant: TenantId, run: RunId) -> Result<(), ApplyError> {
    for (key, _) in tx.scan::<RunProfiles>(&(tenant, run))? {
        tx.remove::<RunProfiles>(&key);
    }
    Ok(())
}

/// Compares a run that is being sealed.
pub(super) fn compare(tx: &mut Tx<'_>, run: &Run) -> Result<(), ApplyError> {
    let (tenant, connector) = (run.tenant_id, run.connector_id);
    let profiles = tx.scan::<RunProfiles>(&(tenant, run.id))?;
    forget(tx, tenant, run.id)?;
    if !is_compared(run) {
        return Ok(());
    }
    let mut entities: Vec<String> = run.ledger.keys().cloned().collect();
    // What earlier runs of the stream brought, and this one did not: it has none of it.
    for ((_, _, entity), history) in tx.scan::<Histories>(&(tenant, connector))? {
        if history.stream == run.entity && !entities.contains(&entity) {
            entities.push(entity);
        }
    }
    let name = tx.get::<Connectors>(&(tenant, connector))?.map_or_else(|| connector.to_string(), |c| c.name);
    for entity in entities {
        let volume = run.ledger.get(&entity).map_or(0, |l| l.checked.accepted + l.checked.rejected);
        let profile = profiles.iter().find(|((_, _, e), _)| *e == entity).map(|(_, p)| p.clone()).unwrap_or_default();
        let key = (tenant, connector, entity);
        let mut history = tx.get::<Histories>(&key)?.unwrap_or_default();
        for found in anomaly::judge(&history, volume, &profile) {
            let message = format!("run {} of {name}/{} is unlike the last ones for {}: {}", run.id, run.entity, key.2, found.text);
            let about = Alert::new(tenant, found.kind, format!("{name}/{}", key.2), message);
            super::alerts::raise(tx, &Alert { run: Some(run.id), connector: Some(connector), ..about })?;
        }
        history.stream.clone_from(&run.entity);
        anomaly::remember(&mut history, volume, &profile);
        tx.put::<Histories>(&key, &history)?;
    }
    Ok(())
}
