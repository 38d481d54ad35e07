//! The vocabulary of Lakewright: validated ids, layers, positions, the closed error codes and
//! the generated wire types. No logic, no IO.

pub mod error_code;
pub mod ids;
pub mod layer;
pub mod position;

pub use error_code::{Error, ErrorCode};
pub use ids::{
    ClusterId, CommandId, CommitSeq, ConnectorId, FileId, NodeId, RecordAddress, RunId, ShardEpoch, ShardId, TableId, TenantId, TokenId,
    UserId,
};
pub use layer::Layer;
pub use position::SourcePosition;

/// The admin API, `lakewright.admin.v1`, and its descriptors for server reflection.
#[expect(missing_docs, clippy::allow_attributes, reason = "generated from v1/admin.proto, where each field is documented")]
pub mod admin {
    tonic::include_proto!("lakewright.admin.v1");

    /// The encoded file descriptor set, for server reflection.
    pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/admin.bin"));
}
