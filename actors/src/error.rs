//! What a failure means to supervision: answer somebody, restart from the truth, or give up.

use lakewright_proto::{Error, ErrorCode};
use lakewright_storage::catalog::ProposeError;
use lakewright_storage::StorageError;

use crate::connectors::SourceError;

/// Why work beside an actor ended early.
#[derive(Debug, thiserror::Error)]
pub enum WorkError {
    /// Trying again from the catalog's truth can help.
    #[error("{0}")]
    Restart(String),
    /// Another owner has taken over, or the run is over: end quietly.
    #[error("{0}")]
    Superseded(String),
    /// A person has to change something first.
    #[error("{0}")]
    Broken(String),
}

impl From<SourceError> for WorkError {
    fn from(e: SourceError) -> Self {
        match e {
            SourceError::Retry { message, .. } => Self::Restart(message),
            SourceError::Fatal(message) => Self::Broken(message),
        }
    }
}

impl From<StorageError> for WorkError {
    fn from(e: StorageError) -> Self {
        Self::Restart(e.to_string())
    }
}

impl From<Error> for WorkError {
    fn from(e: Error) -> Self {
        match e.code {
            ErrorCode::Fenced => Self::Superseded(e.message),
            ErrorCode::InvalidArgument | ErrorCode::PermissionDenied => Self::Broken(e.message),
            _ => Self::Restart(e.message),
        }
    }
}

impl From<ProposeError> for WorkError {
    fn from(e: ProposeError) -> Self {
        match e {
            ProposeError::NotDone(e) => e.into(),
            // Perhaps done: the truth decides, so begin again from it.
            ProposeError::Unknown(e) => Self::Restart(e.message),
        }
    }
}
