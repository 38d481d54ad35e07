//! A [`ReplicatedState`] in memory, for the tests of this directory: it keeps every command.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::io::{self, Read, Write};
use std::sync::Arc;

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use super::state::{Applied, ApplyMark, ReplicatedState};
use super::types::Proposal;

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Content {
    pub(super) log_id: Option<Vec<u8>>,
    pub(super) membership: Vec<u8>,
    pub(super) commands: Vec<Vec<u8>>,
    pub(super) last_index: u64,
}

#[derive(Default)]
pub(super) struct MemoryState {
    pub(super) content: Mutex<Content>,
}

impl MemoryState {
    pub(super) fn shared() -> Arc<Self> {
        Arc::default()
    }

    pub(super) fn commands(&self) -> Vec<Vec<u8>> {
        self.content.lock().commands.clone()
    }
}

impl ReplicatedState for MemoryState {
    fn apply(&self, mark: &ApplyMark<'_>, proposal: Option<&Proposal>) -> io::Result<Vec<Vec<u8>>> {
        let mut content = self.content.lock();
        content.log_id = Some(mark.log_id.to_vec());
        content.last_index = mark.index;
        if let Some(membership) = mark.membership {
            content.membership = membership.to_vec();
        }
        let mut replies = Vec::new();
        for command in proposal.map(|p| p.commands.as_slice()).unwrap_or_default() {
            content.commands.push(command.clone());
            replies.push(format!("{}@{}", String::from_utf8_lossy(command), content.commands.len()).into_bytes());
        }
        Ok(replies)
    }

    fn applied(&self) -> io::Result<Applied> {
        let content = self.content.lock();
        Ok(Applied { log_id: content.log_id.clone(), membership: content.membership.clone() })
    }

    fn export(&self, writer: &mut dyn Write) -> io::Result<Applied> {
        let content = self.content.lock().clone();
        writer.write_all(&rmp_serde::to_vec(&content).unwrap())?;
        Ok(Applied { log_id: content.log_id, membership: content.membership })
    }

    fn import(&self, reader: &mut dyn Read) -> io::Result<()> {
        *self.content.lock() = rmp_serde::from_read(reader).map_err(io::Error::other)?;
        Ok(())
    }
}
