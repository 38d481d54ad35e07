//! What can go wrong in storage, and what it means to a caller.

use lakewright_proto::{Error, ErrorCode};

/// A failure of this crate.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// The object store refused or failed.
    #[error("object store: {0}")]
    ObjectStore(#[from] object_store::Error),
    /// A Parquet file cannot be written or read.
    #[error("parquet: {0}")]
    Parquet(#[from] ::parquet::errors::ParquetError),
    /// An Arrow operation failed.
    #[error("arrow: {0}")]
    Arrow(#[from] arrow::error::ArrowError),
    /// A query failed.
    #[error("query: {0}")]
    DataFusion(#[from] datafusion::error::DataFusionError),
    /// Local disk.
    #[error("{what}: {source}")]
    Io {
        /// What was being done, to which file.
        what: String,
        /// The system's answer.
        source: std::io::Error,
    },
    /// Stored bytes do not match their checksum or format.
    #[error("{what} is damaged: {why}")]
    Corrupt {
        /// Which file or key.
        what: String,
        /// What did not match.
        why: String,
    },
    /// A failure that already has its code and its sentence.
    #[error(transparent)]
    Coded(#[from] Error),
}

impl StorageError {
    /// Damaged bytes.
    pub fn corrupt(what: impl Into<String>, why: impl Into<String>) -> Self {
        Self::Corrupt { what: what.into(), why: why.into() }
    }

    /// A local disk failure.
    pub fn io(what: impl Into<String>, source: std::io::Error) -> Self {
        Self::Io { what: what.into(), source }
    }

    /// The code that callers see.
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::ObjectStore(object_store::Error::NotFound { .. }) => ErrorCode::NotFound,
            Self::ObjectStore(object_store::Error::AlreadyExists { .. }) => ErrorCode::AlreadyExists,
            Self::ObjectStore(object_store::Error::PermissionDenied { .. }) => ErrorCode::PermissionDenied,
            Self::ObjectStore(object_store::Error::Unauthenticated { .. }) => ErrorCode::Unauthenticated,
            Self::ObjectStore(_) | Self::Io { .. } => ErrorCode::Unavailable,
            Self::Corrupt { .. } | Self::Parquet(_) => ErrorCode::DataLoss,
            Self::Coded(e) => e.code,
            Self::Arrow(_) | Self::DataFusion(_) => ErrorCode::Internal,
        }
    }
}

impl From<StorageError> for Error {
    fn from(e: StorageError) -> Self {
        match e {
            StorageError::Coded(e) => e,
            e => Error::new(e.code(), e.to_string()),
        }
    }
}

/// The result of this crate's functions.
pub type Result<T, E = StorageError> = std::result::Result<T, E>;
