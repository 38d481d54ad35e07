//! Backpressure: mailboxes have no bound, so every unacknowledged batch owns byte permits. None
//! left, no fetch. A node has a budget, and each tenant a share that it cannot exceed.

use std::collections::HashMap;
use std::sync::Arc;

use lakewright_proto::TenantId;
use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bytes behind one permit.
const UNIT: usize = 1 << 10;

/// The node's byte budget and its tenants' shares.
pub struct Credit {
    node: Arc<Semaphore>,
    node_units: u32,
    tenant_units: u32,
    tenants: Mutex<HashMap<TenantId, Arc<Semaphore>>>,
}

/// Bytes held by one batch; they return when it is dropped.
#[derive(Debug)]
pub struct Permit {
    _node: OwnedSemaphorePermit,
    _tenant: OwnedSemaphorePermit,
}

impl Credit {
    /// A budget of `node_bytes`, of which one tenant gets at most `tenant_bytes`.
    pub fn new(node_bytes: u64, tenant_bytes: u64) -> Self {
        let units = |bytes: u64| u32::try_from(bytes / UNIT as u64).unwrap_or(u32::MAX >> 4).max(1);
        let node_units = units(node_bytes);
        let tenant_units = units(tenant_bytes).min(node_units);
        Self { node: Arc::new(Semaphore::new(node_units as usize)), node_units, tenant_units, tenants: Mutex::default() }
    }

    /// Takes the credit if it is there now.
    pub fn try_acquire(&self, tenant: TenantId, bytes: usize) -> Option<Permit> {
        let (share, n) = self.share(tenant, bytes);
        let t = share.try_acquire_many_owned(n).ok()?;
        let n = Arc::clone(&self.node).try_acquire_many_owned(n).ok()?;
        Some(Permit { _node: n, _tenant: t })
    }

    /// Waits for the credit. A batch larger than the budget waits for all of it.
    pub async fn acquire(&self, tenant: TenantId, bytes: usize) -> Permit {
        let (share, n) = self.share(tenant, bytes);
        // The tenant's share first: who waits for its own share holds nothing of the others'.
        loop {
            if let Ok(tenant) = Arc::clone(&share).acquire_many_owned(n).await {
                if let Ok(node) = Arc::clone(&self.node).acquire_many_owned(n).await {
                    return Permit { _node: node, _tenant: tenant };
                }
            }
        }
    }

    /// Bytes in use on this node.
    pub fn in_use(&self) -> u64 {
        (self.node_units as usize).saturating_sub(self.node.available_permits()) as u64 * UNIT as u64
    }

    /// Bytes in use by one tenant.
    pub fn in_use_by(&self, tenant: TenantId) -> u64 {
        let free = self.tenants.lock().get(&tenant).map(|share| share.available_permits());
        free.map_or(0, |free| (self.tenant_units as usize).saturating_sub(free) as u64 * UNIT as u64)
    }

    fn share(&self, tenant: TenantId, bytes: usize) -> (Arc<Semaphore>, u32) {
        let mut tenants = self.tenants.lock();
        let share = tenants.entry(tenant).or_insert_with(|| Arc::new(Semaphore::new(self.tenant_units as usize)));
        let n = u32::try_from(bytes.div_ceil(UNIT)).unwrap_or(u32::MAX).clamp(1, self.tenant_units);
        (Arc::clone(share), n)
    }
}

#[cfg(test)]
#[path = "credit_tests.rs"]
mod tests;
