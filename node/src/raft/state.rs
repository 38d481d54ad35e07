//! The state that Raft replicates, seen from Raft: it applies, exports and imports, and what it
//! holds is its own business.

use std::io::{self, Read, Write};

use super::types::Proposal;

/// Where an applied entry stands in the log, as it must be stored beside its effects.
#[derive(Clone, Copy, Debug)]
pub struct ApplyMark<'a> {
    /// The encoded log position: stored as `last_applied`, opaque to the state.
    pub log_id: &'a [u8],
    /// The encoded membership to store, if this entry changes it; opaque to the state.
    pub membership: Option<&'a [u8]>,
    /// The entry's index in the log.
    pub index: u64,
    /// The entry's term.
    pub term: u64,
}

/// What the state remembers of Raft.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// The encoded position of the last applied entry; none if nothing was ever applied.
    pub log_id: Option<Vec<u8>>,
    /// The encoded last membership; empty if none was ever applied.
    pub membership: Vec<u8>,
}

/// A state machine that Raft drives. Calls to `apply` and `import` come one at a time, in log
/// order; `export` runs beside `apply`.
pub trait ReplicatedState: Send + Sync + 'static {
    /// Applies one entry: its effects, `mark.log_id` and `mark.membership` in ONE atomic write.
    /// Answers one reply per command (none for an entry without proposal). A command that is
    /// refused is a reply, not an error. It need not be durable on return: the log is.
    ///
    /// # Errors
    /// If the write fails; Raft then stops for good.
    fn apply(&self, mark: &ApplyMark<'_>, proposal: Option<&Proposal>) -> io::Result<Vec<Vec<u8>>>;

    /// What was applied last.
    ///
    /// # Errors
    /// If it cannot be read.
    fn applied(&self) -> io::Result<Applied>;

    /// Writes one consistent view of the whole state, `applied` included, while `apply` may go
    /// on, and answers what was applied in exactly that view.
    ///
    /// # Errors
    /// If reading or writing fails; nothing is purged then.
    fn export(&self, writer: &mut dyn Write) -> io::Result<Applied>;

    /// Replaces the whole state by an exported one. A failure or a crash midway may leave any
    /// state that is not trusted at the next start.
    ///
    /// # Errors
    /// If the stream is not an export or cannot be stored.
    fn import(&self, reader: &mut dyn Read) -> io::Result<()>;
}
