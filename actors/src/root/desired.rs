//! What should run, by the catalog: a pure function of one consistent read.

use std::collections::BTreeMap;

use lakewright_proto::{CommitSeq, Layer, TenantId};
use lakewright_storage::catalog::keyspace::{Connectors, OpenRuns, Runs, Tables, Tenants};
use lakewright_storage::catalog::records::{ConnectorStatus, Status};
use lakewright_storage::catalog::{Read as _, View};
use lakewright_storage::Result;

use crate::tenant::TenantDesired;

/// What should run, tenant by tenant; tenants with nothing to do are left out.
pub type Desired = BTreeMap<TenantId, TenantDesired>;

/// Reads what should run.
pub fn desired(view: &View<'_>) -> Result<Desired> {
    let mut out = Desired::new();
    for (id, tenant) in view.all::<Tenants>()? {
        let mut wanted = TenantDesired::default();
        if tenant.status == Status::Active {
            for ((_, connector, _), run) in view.scan::<OpenRuns>(&id)? {
                let (Some(record), Some(run)) = (view.get::<Connectors>(&(id, connector))?, view.get::<Runs>(&(id, run))?) else {
                    continue;
                };
                if record.status != ConnectorStatus::Active {
                    continue;
                }
                let mut shards = view.shards(id, connector, &run.entity)?;
                shards.retain(|s| run.scope.reads(&s.key));
                wanted.connectors.entry(connector).or_insert_with(|| (record, Vec::new())).1.push((run, shards));
            }
        }
        // Merging goes on for a suspended tenant: what it acknowledged is owed to it.
        for (_, table) in view.scan::<Tables>(&(id, Layer::Silver))? {
            if table.buckets > 0 && (!view.queue_after(table.id, CommitSeq(0), 1)?.is_empty() || view.lookups_are_due(&table)?) {
                wanted.merges.push(table.id);
            }
        }
        if wanted != TenantDesired::default() {
            out.insert(id, wanted);
        }
    }
    Ok(out)
}
