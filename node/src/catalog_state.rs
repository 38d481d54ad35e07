//! The catalog as the state that Raft replicates.

use std::io;
use std::sync::Arc;

use lakewright_proto::Error;
use lakewright_storage::catalog::{CatalogStore, Exported, Outcome, Proposer, APPLIED_KEY, MEMBERSHIP_KEY};
use lakewright_storage::StorageError;

use crate::raft::{Applied, ApplyMark, MetaLog, Outcome as LogOutcome, Proposal, ReplicatedState};

/// Applies entries to the catalog.
pub struct CatalogState(pub Arc<CatalogStore>);

fn io_error(e: StorageError) -> io::Error {
    io::Error::other(e.to_string())
}

fn applied(e: Exported) -> Applied {
    Applied { log_id: e.applied, membership: e.membership.unwrap_or_default() }
}

impl ReplicatedState for CatalogState {
    fn apply(&self, mark: &ApplyMark<'_>, proposal: Option<&Proposal>) -> io::Result<Vec<Vec<u8>>> {
        let (at, commands) = proposal.map_or((0, &[][..]), |p| (p.proposed_at_us, &p.commands[..]));
        self.0.apply_entry(mark.log_id, mark.membership, at, commands).map_err(io_error)
    }

    fn applied(&self) -> io::Result<Applied> {
        let read = |key| self.0.bookkeeping(key).map_err(io_error);
        Ok(applied(Exported { applied: read(APPLIED_KEY)?, membership: read(MEMBERSHIP_KEY)? }))
    }

    fn export(&self, writer: &mut dyn io::Write) -> io::Result<Applied> {
        self.0.export(writer).map(applied).map_err(io_error)
    }

    fn import(&self, reader: &mut dyn io::Read) -> io::Result<()> {
        self.0.import(reader).map_err(io_error)
    }
}

/// Proposes through Raft.
pub struct RaftProposer(pub Arc<dyn MetaLog>);

#[async_trait::async_trait]
impl Proposer for RaftProposer {
    async fn propose(&self, command: Vec<u8>) -> Outcome {
        match self.0.propose(command).await {
            LogOutcome::Done(answer) => Outcome::Done(answer),
            LogOutcome::NotDone(e) => Outcome::NotDone(e),
            LogOutcome::Unknown(e) => Outcome::Unknown(e),
        }
    }
}

/// A storage failure at start, with what was being done.
pub fn failed(what: &str, e: impl std::fmt::Display) -> Error {
    Error::new(lakewright_proto::ErrorCode::Unavailable, format!("{what}: {e}"))
}
