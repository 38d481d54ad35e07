//! Every kind of connector that this build has.

use std::sync::Arc;

use super::files::FilesKind;
use super::partner_central::PartnerCentralKind;
use super::ConnectorKind;

/// All kinds, by name.
pub fn kinds() -> Vec<Arc<dyn ConnectorKind>> {
    vec![Arc::new(FilesKind), Arc::new(PartnerCentralKind)]
}

/// The kind of this name.
pub fn kind(name: &str) -> Option<Arc<dyn ConnectorKind>> {
    kinds().into_iter().find(|k| k.name() == name)
}
