//! The identity of a record: the same in every replay, on every machine.

use lakewright_proto::TenantId;
use uuid::Uuid;

/// The namespace of ids. Never changes.
pub const ID_NAMESPACE: Uuid = Uuid::from_u128(0x6c61_6b65_7772_5967_8874_0000_0000_0001);

/// UUIDv5 of tenant, entity, key scope and source key, each preceded by its length. `scratch` is
/// reused from call to call.
pub fn record_id(tenant: TenantId, entity: &str, scope: &str, key: &str, scratch: &mut Vec<u8>) -> [u8; 16] {
    scratch.clear();
    for part in [tenant.as_bytes().as_slice(), entity.as_bytes(), scope.as_bytes(), key.as_bytes()] {
        scratch.extend_from_slice(&(part.len() as u32).to_be_bytes());
        scratch.extend_from_slice(part);
    }
    *Uuid::new_v5(&ID_NAMESPACE, scratch).as_bytes()
}
