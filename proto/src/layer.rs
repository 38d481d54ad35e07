//! The layers of the lakehouse.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A layer, which is also a schema name in SQL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Layer {
    /// Raw records, immutable.
    Bronze,
    /// Typed, checked, deduplicated entities.
    Silver,
    /// Marts and metrics.
    Gold,
    /// Embeddings, graph, features.
    Platinum,
    /// What Lakewright records about itself: quality results, dead letters, runs.
    System,
}

impl Layer {
    /// The layer's name, as in paths and SQL.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Bronze => "bronze",
            Self::Silver => "silver",
            Self::Gold => "gold",
            Self::Platinum => "platinum",
            Self::System => "system",
        }
    }
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
