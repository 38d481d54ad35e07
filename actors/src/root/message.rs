//! What the root is told.

use lakewright_proto::TenantId;

/// Messages of the root.
#[derive(Debug)]
pub enum RootMsg {
    /// The catalog changed: look at what should run.
    Look,
    /// A failed tenant's wait is over.
    Restart(TenantId),
}
