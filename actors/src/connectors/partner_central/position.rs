//! How far a stream is read. Kept small: the newest change that was seen, and the keys at it.

use lakewright_proto::SourcePosition;
use serde::{Deserialize, Serialize};

use crate::connectors::SourceError;

const FORMAT: u32 = 1;
/// Entries near the newest change that are remembered over a restart; of more, some are read again.
const SEEN: usize = 300;

/// A position.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// Of these bytes.
    pub format: u32,
    /// The newest change that was read, microseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<i64>,
    /// Entries read that are not older than the overlap: key and change.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub seen: Vec<(String, i64)>,
    /// The newest change of the whole list read last, and of the one before.
    #[serde(default)]
    pub passes: (Option<i64>, Option<i64>),
    /// When the whole list was last compared with what is known, seconds since 1970 by this machine's clock.
    #[serde(default)]
    pub swept_at: i64,
    /// The scan of the run that compared it.
    #[serde(default)]
    pub swept_scan: u64,
    /// The scan of the backfill that it belongs to.
    #[serde(default)]
    pub scan: u64,
}

impl Default for Position {
    fn default() -> Self {
        Self { format: FORMAT, after: None, seen: Vec::new(), passes: (None, None), swept_at: 0, swept_scan: 0, scan: 0 }
    }
}

impl Position {
    /// A stored position, or the beginning.
    pub fn decode(position: Option<&SourcePosition>) -> Result<Self, SourceError> {
        let Some(position) = position else { return Ok(Self::default()) };
        let unreadable = |why: String| {
            SourceError::Fatal(format!("the stream's position cannot be read ({why}); `lakewright connector reset` begins anew"))
        };
        let found: Self = serde_json::from_str(&position.0).map_err(|e| unreadable(e.to_string()))?;
        if found.format != FORMAT {
            return Err(unreadable(format!("its format {} is of a newer Lakewright", found.format)));
        }
        Ok(found)
    }

    /// The bytes to store.
    pub fn encode(&self) -> Result<SourcePosition, SourceError> {
        let bytes = serde_json::to_string(self).map_err(|e| SourceError::Fatal(format!("a position cannot be written: {e}")))?;
        Ok(SourcePosition(bytes))
    }

    /// An entry was read.
    pub fn advance(&mut self, id: &str, changed: Option<i64>, overlap_us: i64) {
        let Some(changed) = changed else { return };
        let after = self.after.map_or(changed, |a| a.max(changed));
        self.after = Some(after);
        self.seen.retain(|(other, at)| other != id && *at >= after - overlap_us);
        if changed >= after - overlap_us {
            self.seen.push((id.to_owned(), changed));
        }
        if self.seen.len() > SEEN {
            // The newest are the likeliest to come again.
            self.seen.sort_by_key(|(_, at)| *at);
            self.seen.drain(..self.seen.len() - SEEN);
        }
    }

    /// Whether an entry was read as it is.
    pub fn has_seen(&self, id: &str, changed: Option<i64>) -> bool {
        changed.is_some_and(|c| self.seen.iter().any(|(other, at)| other == id && *at == c))
    }

    /// From where to list.
    pub fn list_from(&self, overlap_us: i64) -> Option<i64> {
        self.after.map(|a| a - overlap_us)
    }
}

#[cfg(test)]
#[path = "position_tests.rs"]
mod tests;
