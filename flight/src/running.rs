//! Running queries: how many a tenant may have, and how one is cancelled.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use lakewright_proto::{Error, ErrorCode, TenantId};
use parking_lot::Mutex;
use tokio::sync::{watch, OwnedSemaphorePermit, Semaphore};
use uuid::Uuid;

/// What a tenant may do at once on this node.
#[derive(Clone, Copy, Debug)]
pub struct FlightLimits {
    /// Queries that stream at once.
    pub queries_per_tenant: usize,
    /// Bytes of one message, both ways.
    pub message_bytes: usize,
}

impl Default for FlightLimits {
    fn default() -> Self {
        Self { queries_per_tenant: 32, message_bytes: 64 << 20 }
    }
}

/// Cancelled queries that have not begun, remembered so that they do not begin.
const REMEMBERED: usize = 1_024;

#[derive(Default)]
struct State {
    tenants: HashMap<TenantId, Arc<Semaphore>>,
    /// One query may be fetched more than once at a time: each has a number of its own.
    queries: HashMap<Uuid, Vec<(u64, watch::Sender<bool>)>>,
    last: u64,
    cancelled: VecDeque<Uuid>,
}

/// The running queries of this node.
#[derive(Clone)]
pub(crate) struct Running {
    per_tenant: usize,
    state: Arc<Mutex<State>>,
}

/// A running query; it ends when this is dropped.
pub(crate) struct Slot {
    _permit: OwnedSemaphorePermit,
    query: Uuid,
    number: u64,
    running: Running,
    pub(crate) cancelled: watch::Receiver<bool>,
}

/// What a cancelled query says.
pub(crate) fn cancelled() -> Error {
    Error::new(ErrorCode::Cancelled, "the query was cancelled")
}

impl Running {
    pub(crate) fn new(per_tenant: usize) -> Self {
        Self { per_tenant, state: Arc::default() }
    }

    /// Begins a query.
    pub(crate) fn begin(&self, tenant: TenantId, query: Uuid) -> Result<Slot, Error> {
        let mut state = self.state.lock();
        if state.cancelled.contains(&query) {
            return Err(cancelled());
        }
        let gate = state.tenants.entry(tenant).or_insert_with(|| Arc::new(Semaphore::new(self.per_tenant))).clone();
        let permit = gate.try_acquire_owned().map_err(|_| {
            let message =
                format!("{} queries of this tenant are running, as many as may; wait for one to end and try again", self.per_tenant);
            Error::new(ErrorCode::ResourceExhausted, message)
        })?;
        let (sender, cancelled) = watch::channel(false);
        state.last += 1;
        let number = state.last;
        state.queries.entry(query).or_default().push((number, sender));
        Ok(Slot { _permit: permit, query, number, running: self.clone(), cancelled })
    }

    /// Cancels a query, running or yet to begin.
    pub(crate) fn cancel(&self, query: Uuid) {
        let mut state = self.state.lock();
        for (_, sender) in state.queries.get(&query).into_iter().flatten() {
            sender.send_replace(true);
        }
        if !state.cancelled.contains(&query) {
            state.cancelled.push_back(query);
            if state.cancelled.len() > REMEMBERED {
                state.cancelled.pop_front();
            }
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut state = self.running.state.lock();
        let Some(fetches) = state.queries.get_mut(&self.query) else { return };
        fetches.retain(|(number, _)| *number != self.number);
        if fetches.is_empty() {
            state.queries.remove(&self.query);
        }
    }
}

/// Waits until the query is cancelled; one that merely ended never was.
pub(crate) async fn until_cancelled(mut cancelled: watch::Receiver<bool>) {
    if cancelled.wait_for(|c| *c).await.is_err() {
        std::future::pending::<()>().await;
    }
}

#[cfg(test)]
#[path = "running_tests.rs"]
mod tests;
