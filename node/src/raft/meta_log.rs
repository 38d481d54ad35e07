//! What the rest of the node sees of Raft: propose a command, read what is current, list members.

use async_trait::async_trait;
use lakewright_proto::Error;

use super::types::RaftNode;

/// What became of a proposed command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Applied; the state's reply.
    Done(Vec<u8>),
    /// Certainly not applied and never will be.
    NotDone(Error),
    /// Perhaps applied: the answer was lost. Propose the same command again (it answers the first
    /// result) or read the state.
    Unknown(Error),
}

/// A member of the cluster as the committed membership names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its id.
    pub id: u64,
    /// Where it is reached.
    pub node: RaftNode,
    /// Whether it votes.
    pub voter: bool,
    /// Whether this node takes it for the leader.
    pub leader: bool,
}

/// The replicated log of catalog commands.
#[async_trait]
pub trait MetaLog: Send + Sync + 'static {
    /// Appends one encoded command and waits until it is durable and applied. Waits for room
    /// while the queue is full; dropping the future leaves the outcome unknown.
    async fn propose(&self, command: Vec<u8>) -> Outcome;

    /// Waits until the local state holds everything acknowledged anywhere before this call.
    ///
    /// # Errors
    /// `Unavailable` if this node cannot know it now.
    async fn read_index(&self) -> Result<(), Error>;

    /// The members, by id.
    fn members(&self) -> Vec<Member>;
}
