//! A full read gives its position up only when its run can start.
#![expect(clippy::unwrap_used, reason = "tests")]

use lakewright_proto::ConnectorId;

use super::*;

fn connector(status: ConnectorStatus) -> Connector {
    Connector {
        id: ConnectorId::generate(),
        tenant_id: TenantId::generate(),
        name: "in".into(),
        kind: "files".into(),
        config_json: "{}".into(),
        status,
        created_at: 0,
        version: 1,
    }
}

#[test]
fn what_the_catalog_would_refuse_is_refused_before_the_position_goes() {
    let tenant =
        |status| Tenant { id: TenantId::generate(), slug: "acme".into(), name: "Acme".into(), plan: "free".into(), status, created_at: 0 };
    let (active, suspended) = (tenant(TenantStatus::Active), tenant(TenantStatus::Suspended));
    let code = |t: &Tenant, s, open: Option<&RunId>| may_start(t, &connector(s), open).unwrap_err().code;
    assert_eq!(code(&suspended, ConnectorStatus::Active, None), ErrorCode::PermissionDenied);
    assert_eq!(code(&active, ConnectorStatus::Paused, None), ErrorCode::Conflict);
    assert_eq!(code(&active, ConnectorStatus::Broken { reason: "r".into(), since: 0 }, None), ErrorCode::Conflict);
    assert_eq!(code(&active, ConnectorStatus::Active, Some(&RunId::generate())), ErrorCode::AlreadyExists);
    may_start(&active, &connector(ConnectorStatus::Active), None).unwrap();
}
