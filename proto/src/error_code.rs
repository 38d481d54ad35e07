//! The closed set of error codes, and its one mapping to gRPC.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What a failure means to the caller. Closed: every crate's errors map to one of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ErrorCode {
    /// The request is wrong and will stay wrong.
    InvalidArgument,
    /// The named thing does not exist (or is not the caller's to see).
    NotFound,
    /// The name is taken.
    AlreadyExists,
    /// The state moved on: read it again, then decide.
    Conflict,
    /// The writer's epoch is not the current one: another owner has taken over.
    Fenced,
    /// A condition that the caller set is not met: the answer would not be what it asked for.
    Unmet,
    /// The caller is known and may not do this.
    PermissionDenied,
    /// The caller is not known.
    Unauthenticated,
    /// A budget (bytes, rows, time, quota) is used up; a retry later can help.
    ResourceExhausted,
    /// Certainly not done; a retry can help.
    Unavailable,
    /// Perhaps done: the answer was lost. Read the truth before acting again.
    UnknownOutcome,
    /// The caller gave up or was cancelled.
    Cancelled,
    /// Stored data does not match its checksum or its format.
    DataLoss,
    /// A fault of ours.
    Internal,
}

impl ErrorCode {
    /// Whether the same request may succeed later without anybody changing anything.
    pub fn is_retryable(self) -> bool {
        matches!(self, Self::ResourceExhausted | Self::Unavailable)
    }

    /// The one mapping to gRPC.
    pub fn to_grpc(self) -> tonic::Code {
        match self {
            Self::InvalidArgument => tonic::Code::InvalidArgument,
            Self::NotFound => tonic::Code::NotFound,
            Self::AlreadyExists => tonic::Code::AlreadyExists,
            Self::Conflict => tonic::Code::Aborted,
            Self::Fenced => tonic::Code::FailedPrecondition,
            Self::Unmet => tonic::Code::FailedPrecondition,
            Self::PermissionDenied => tonic::Code::PermissionDenied,
            Self::Unauthenticated => tonic::Code::Unauthenticated,
            Self::ResourceExhausted => tonic::Code::ResourceExhausted,
            Self::Unavailable => tonic::Code::Unavailable,
            Self::UnknownOutcome => tonic::Code::Unknown,
            Self::Cancelled => tonic::Code::Cancelled,
            Self::DataLoss => tonic::Code::DataLoss,
            Self::Internal => tonic::Code::Internal,
        }
    }
}

/// A failure as it is shown to people and carried between crates: a code, and a sentence that
/// says what happened, to what, and what to do next.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Error {
    /// What it means.
    pub code: ErrorCode,
    /// What happened, to what, and what to do next.
    pub message: String,
}

impl Error {
    /// A failure with its sentence.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

impl From<Error> for tonic::Status {
    fn from(e: Error) -> Self {
        tonic::Status::new(e.code.to_grpc(), e.message)
    }
}
