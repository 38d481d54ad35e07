//! Why a record is a dead letter.

/// The closed set of reasons.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// A required field is missing, or a value is not of its type.
    Schema,
    /// It is not one JSON object.
    Parse,
    /// Its bytes are not UTF-8.
    InvalidUtf8,
    /// It is larger than the connector allows.
    Oversize,
    /// A number does not fit its type.
    OutOfRange,
    /// It is nested too deep.
    TooDeep,
    /// A check of ours failed on it.
    Internal,
}

impl Reason {
    /// The word in `dead_letters.reason`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Schema => "schema",
            Self::Parse => "parse",
            Self::InvalidUtf8 => "invalid_utf8",
            Self::Oversize => "oversize",
            Self::OutOfRange => "out_of_range",
            Self::TooDeep => "too_deep",
            Self::Internal => "internal",
        }
    }
}

/// A rejection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reject {
    /// Why.
    pub reason: Reason,
    /// What exactly.
    pub detail: String,
    /// The rule that refused it.
    pub rule: Option<String>,
}

impl Reject {
    /// A rejection by no rule of the pack.
    pub fn new(reason: Reason, detail: impl Into<String>) -> Self {
        Self { reason, detail: detail.into(), rule: None }
    }
}
