//! Tests of tokens, the permission table and the door.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::HashMap;
use std::sync::Arc;

use base64::Engine as _;
use lakewright_proto::{Error, ErrorCode, TenantId, TokenId, UserId};
use lakewright_storage::catalog::records::{Role, Status, Tenant, Token, User};
use parking_lot::Mutex;
use tonic::service::Interceptor as _;
use uuid::Uuid;

use super::*;

const NOW: i64 = 1_000_000;
const SYSTEM: TenantId = TenantId(Uuid::from_u128(1));
const ACME: TenantId = TenantId(Uuid::from_u128(2));

#[derive(Default)]
struct Known(Mutex<HashMap<[u8; 32], TokenRecord>>);

impl Directory for Known {
    fn token(&self, hash: &[u8; 32]) -> Result<Option<TokenRecord>, Error> {
        Ok(self.0.lock().get(hash).cloned())
    }
    fn system_tenant(&self) -> Result<TenantId, Error> {
        Ok(SYSTEM)
    }
    fn now(&self) -> i64 {
        NOW
    }
}

fn record(secret: &TokenSecret, tenant: TenantId, roles: &[Role]) -> TokenRecord {
    let user_id = UserId(Uuid::from_u128(3));
    let slug = if tenant == SYSTEM { "system" } else { "acme" };
    TokenRecord {
        hash: secret.hash(),
        token: Token {
            id: TokenId(Uuid::from_u128(4)),
            tenant_id: tenant,
            user_id,
            name: "t".into(),
            created_at: 0,
            expires_at: None,
            revoked_at: None,
        },
        user: User {
            id: user_id,
            tenant_id: tenant,
            email: "ann@acme.com".into(),
            display_name: "Ann".into(),
            roles: roles.to_vec(),
            status: Status::Active,
            created_at: 0,
        },
        tenant: Tenant { id: tenant, slug: slug.into(), name: slug.into(), plan: "standard".into(), status: Status::Active, created_at: 0 },
    }
}

fn with(change: impl FnOnce(&mut TokenRecord)) -> (Authenticator, TokenSecret) {
    let secret = TokenSecret::generate();
    let mut r = record(&secret, ACME, &[Role::Analyst]);
    change(&mut r);
    let known = Known::default();
    known.0.lock().insert(secret.hash(), r);
    (Authenticator::new(Arc::new(known)), secret)
}

fn principal(tenant: TenantId, role: Role) -> Principal {
    let secret = TokenSecret::generate();
    let known = Known::default();
    known.0.lock().insert(secret.hash(), record(&secret, tenant, &[role]));
    Authenticator::new(Arc::new(known)).bearer(secret.expose()).unwrap()
}

#[test]
fn tokens_are_256_random_bits_and_never_shown() {
    let (a, b) = (TokenSecret::generate(), TokenSecret::generate());
    assert_ne!(a.expose(), b.expose());
    assert_eq!(a.expose().len(), 3 + 64);
    assert_eq!(TokenSecret::parse(a.expose()).unwrap().hash(), a.hash());
    assert_eq!(format!("{a:?}"), "TokenSecret(lw_***)");
    for bad in ["", "lw_", "lw_xyz", &a.expose()[3..], &a.expose().to_uppercase(), &format!("{}0", a.expose())] {
        assert!(TokenSecret::parse(bad).is_none(), "{bad}");
    }
}

/// The stored hash of a token is a persisted format.
#[test]
fn the_hash_of_a_token_is_frozen() {
    let token = TokenSecret::parse(&format!("lw_{}", "0123456789abcdef".repeat(4))).unwrap();
    assert_eq!(hex::encode(token.hash()), FROZEN_HASH);
}
const FROZEN_HASH: &str = "0844ac528229aaa2b14e90a3c51e8123df36ef8e9591edac511f0153d41b77dc";

#[test]
fn bearer_and_basic_give_the_same_principal() {
    let (auth, secret) = with(|_| {});
    let bearer = auth.header(&format!("Bearer {}", secret.expose())).unwrap();
    assert_eq!((bearer.tenant_slug.as_str(), bearer.email.as_str(), bearer.is_system_admin), ("acme", "ann@acme.com", false));
    for user in ["ann@acme.com", "Ann@Acme.com", "acme/ann@acme.com"] {
        let basic = base64::engine::general_purpose::STANDARD.encode(format!("{user}:{}", secret.expose()));
        assert_eq!(auth.header(&format!("Basic {basic}")).unwrap(), bearer, "{user}");
    }
}

#[test]
fn whoever_is_not_known_learns_nothing() {
    let (auth, secret) = with(|_| {});
    let one = auth.bearer(TokenSecret::generate().expose()).unwrap_err();
    let token = secret.expose();
    for e in [
        auth.bearer("password").unwrap_err(),
        auth.basic("bob@acme.com", token).unwrap_err(),
        auth.basic("other/ann@acme.com", token).unwrap_err(),
        auth.basic("ann@acme.com", "lw_0").unwrap_err(),
        auth.header("Bearer").unwrap_err(),
        auth.header("Digest abc").unwrap_err(),
        auth.header("Basic %%%").unwrap_err(),
    ] {
        assert_eq!(e, one);
        assert_eq!(e.code, ErrorCode::Unauthenticated);
    }
}

#[test]
fn dead_tokens_users_and_tenants_are_refused_with_the_reason() {
    type Change = fn(&mut TokenRecord);
    let cases: [(Change, &str); 4] = [
        (|r| r.token.revoked_at = Some(1), "revoked"),
        (|r| r.token.expires_at = Some(NOW), "expired"),
        (|r| r.user.status = Status::Suspended, "user ann@acme.com is suspended"),
        (|r| r.tenant.status = Status::Suspended, "tenant acme is suspended"),
    ];
    for (change, word) in cases {
        let (auth, secret) = with(change);
        let e = auth.bearer(secret.expose()).unwrap_err();
        assert!(e.code == ErrorCode::Unauthenticated && e.message.contains(word), "{e}");
    }
    let (auth, secret) = with(|r| r.token.expires_at = Some(NOW + 1));
    auth.bearer(secret.expose()).unwrap();
}

#[test]
fn a_record_of_another_hash_is_not_trusted() {
    let (auth, secret) = with(|r| r.hash = [0; 32]);
    auth.bearer(secret.expose()).unwrap_err();
}

#[test]
fn the_permission_table() {
    // Columns: admin, operator, engineer, analyst, and an administrator of `system` in any tenant.
    let table = "
        ReadNode          x x x x x
        ManageTenants     . . . . x
        ReadTenant        x x x x x
        ManageUsers       x . . . x
        ReadUsers         x . . . x
        ManageTokens      x . . . x
        ManageOwnTokens   x x x x .
        ManageConnectors  . x . . .
        RunConnectors     . x x . .
        ReadConnectors    x x x x x
        ReadRuns          x x x x x
        ManagePacks       . . x . .
        ReadPacks         x x x x x
        ReadTables        x x x x .
        MaintainTables    . . x . .
        QueryData         . . x x .
        ReadQuality       . x x x .
        ReadDeadLetters   . . x . .
        ReplayDeadLetters . . x . .
        IngestData        . x . . .
        ReadLineage       . x x x .
        ReadAudit         x . . . x
    ";
    let rows: Vec<Vec<&str>> = table.lines().map(|l| l.split_whitespace().collect()).filter(|r: &Vec<_>| !r.is_empty()).collect();
    assert_eq!(rows.len(), Action::ALL.len());
    for action in Action::ALL {
        let row = rows.iter().find(|r| r[0] == format!("{action:?}")).unwrap();
        let roles = [Role::Admin, Role::Operator, Role::Engineer, Role::Analyst];
        let mut is: Vec<bool> = roles.iter().map(|r| allowed(*r, action)).collect();
        is.push(allowed_across_tenants(action));
        let want: Vec<bool> = row[1..].iter().map(|c| *c == "x").collect();
        assert_eq!(is, want, "{action:?}");
    }
}

#[test]
fn tenants_are_walls() {
    for role in [Role::Admin, Role::Operator, Role::Engineer, Role::Analyst] {
        let p = principal(ACME, role);
        assert!(!p.is_system_admin);
        for action in Action::ALL {
            assert_eq!(authorize(&p, action, ACME).is_ok(), allowed(role, action));
            assert_eq!(authorize(&p, action, SYSTEM).unwrap_err().code, ErrorCode::NotFound, "{role:?} {action:?}");
        }
    }
}

#[test]
fn administrators_of_system_manage_tenants_and_read_no_data() {
    let admin = principal(SYSTEM, Role::Admin);
    assert!(admin.is_system_admin);
    authorize(&admin, Action::ManageTenants, ACME).unwrap();
    for action in [Action::QueryData, Action::ReadDeadLetters, Action::ReadTables, Action::ReadLineage, Action::ManageConnectors] {
        assert_eq!(authorize(&admin, action, ACME).unwrap_err().code, ErrorCode::PermissionDenied, "{action:?}");
    }
    let analyst = principal(SYSTEM, Role::Analyst);
    assert!(!analyst.is_system_admin);
    authorize(&analyst, Action::ReadTenant, ACME).unwrap_err();
}

#[test]
fn refusals_say_who_may() {
    let e = authorize(&principal(ACME, Role::Analyst), Action::ManageConnectors, ACME).unwrap_err();
    assert_eq!(e.message, "ann@acme.com may not manage connectors: this needs a user of the tenant with the role operator");
}

#[test]
fn the_door_puts_the_principal_into_the_request() {
    let (auth, secret) = with(|_| {});
    let mut door = AuthInterceptor::new(auth);
    let none = door.call(tonic::Request::new(())).unwrap_err();
    assert_eq!(none.code(), tonic::Code::Unauthenticated);
    assert!(none.message().contains("LAKEWRIGHT_TOKEN"));
    let mut request = tonic::Request::new(());
    request.metadata_mut().insert("authorization", format!("Bearer {}", secret.expose()).parse().unwrap());
    let request = door.call(request).unwrap();
    assert_eq!(principal_of(&request).unwrap().email, "ann@acme.com");
    principal_of(&tonic::Request::new(())).unwrap_err();
}
