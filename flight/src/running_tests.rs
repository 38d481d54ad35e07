//! A query that is fetched more than once, and what cancelling it ends.
#![expect(clippy::unwrap_used, reason = "tests")]

use futures::FutureExt as _;

use super::*;

fn running() -> (Running, TenantId, Uuid) {
    (Running::new(4), TenantId(Uuid::from_u128(1)), Uuid::from_u128(2))
}

#[test]
fn fetching_a_query_again_cancels_neither_fetch() {
    let (running, tenant, query) = running();
    let first = running.begin(tenant, query).unwrap();
    let second = running.begin(tenant, query).unwrap();
    assert!(first.cancelled.has_changed().is_ok(), "the first fetch can still be told of a cancellation");
    drop(first);
    assert!(second.cancelled.has_changed().is_ok(), "and so can the second when the first is over");
    assert!(until_cancelled(second.cancelled.clone()).now_or_never().is_none());
    running.cancel(query);
    assert!(until_cancelled(second.cancelled.clone()).now_or_never().is_some());
}

#[test]
fn cancelling_ends_all_fetches_of_a_query() {
    let (running, tenant, query) = running();
    let (first, second) = (running.begin(tenant, query).unwrap(), running.begin(tenant, query).unwrap());
    running.cancel(query);
    assert!(*first.cancelled.borrow() && *second.cancelled.borrow());
    assert!(running.begin(tenant, query).is_err());
}

#[test]
fn a_query_that_ended_was_not_cancelled() {
    let (running, tenant, query) = running();
    let slot = running.begin(tenant, query).unwrap();
    let told = slot.cancelled.clone();
    drop(slot);
    assert!(until_cancelled(told).now_or_never().is_none());
    assert!(running.state.lock().queries.is_empty(), "nothing is kept of it");
}
