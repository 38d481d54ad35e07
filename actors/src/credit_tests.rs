//! Credit is bounded per tenant and per node, and comes back.
#![expect(clippy::unwrap_used, reason = "tests")]

use super::*;

#[test]
fn a_tenant_cannot_take_more_than_its_share_and_leaves_the_rest_to_others() {
    let credit = Credit::new(100 << 10, 60 << 10);
    let (a, b) = (TenantId::generate(), TenantId::generate());
    let held = credit.try_acquire(a, 50 << 10).unwrap();
    assert!(credit.try_acquire(a, 20 << 10).is_none(), "over the tenant's share");
    let other = credit.try_acquire(b, 50 << 10).unwrap();
    assert!(credit.try_acquire(b, 5 << 10).is_none(), "over the node's budget");
    assert_eq!(credit.in_use(), 100 << 10);
    drop(held);
    assert!(credit.try_acquire(b, 5 << 10).is_some());
    drop(other);
    assert_eq!(credit.in_use(), 0);
}

#[tokio::test]
async fn a_batch_larger_than_the_budget_waits_for_all_of_it_and_gets_it() {
    let credit = Credit::new(10 << 10, 10 << 10);
    let tenant = TenantId::generate();
    let permit = credit.acquire(tenant, 1 << 30).await;
    assert_eq!(credit.in_use(), 10 << 10);
    assert!(credit.try_acquire(tenant, 1).is_none());
    drop(permit);
    assert_eq!(credit.in_use(), 0);
}
