//! Whose tokens a caller may list and revoke.
#![expect(clippy::unwrap_used, reason = "tests")]

use super::*;

fn principal(tenant: TenantId, role: Role) -> Principal {
    Principal {
        tenant_id: tenant,
        tenant_slug: "acme".into(),
        user_id: UserId::generate(),
        email: "ann@acme.com".into(),
        token_id: TokenId::generate(),
        roles: vec![role],
        is_system_admin: false,
    }
}

#[test]
fn everybody_has_their_own_tokens_and_admins_those_of_others() {
    let (tenant, other) = (TenantId::generate(), UserId::generate());
    let ann = principal(tenant, Role::Analyst);
    assert_eq!(whose(&ann, tenant, None).unwrap(), Some(ann.user_id), "all that she may see are her own");
    assert_eq!(whose(&ann, tenant, Some(ann.user_id)).unwrap(), Some(ann.user_id));
    assert_eq!(whose(&ann, tenant, Some(other)).unwrap_err().code, ErrorCode::PermissionDenied);
    assert!(whose(&ann, TenantId::generate(), None).is_err(), "she has none in another tenant");
    let admin = principal(tenant, Role::Admin);
    assert_eq!(whose(&admin, tenant, None).unwrap(), None);
    assert_eq!(whose(&admin, tenant, Some(other)).unwrap(), Some(other));
}
