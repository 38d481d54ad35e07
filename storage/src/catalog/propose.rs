//! The way to the log: a command goes out, and one of three outcomes comes back.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use lakewright_proto::{Error, ErrorCode};
use parking_lot::Mutex;

use super::command::{Command, Envelope, Reply};
use super::{decode_answer, encode_command, CatalogStore, View};

/// What became of a proposal.
#[derive(Debug)]
pub enum Outcome {
    /// It is in the log and applied; the encoded answer.
    Done(Vec<u8>),
    /// It is certainly not done, and never will be.
    NotDone(Error),
    /// It may be done, now or later: the answer was lost.
    Unknown(Error),
}

/// Puts encoded commands in the log.
#[async_trait]
pub trait Proposer: Send + Sync + 'static {
    /// Proposes, and waits until it is applied here.
    async fn propose(&self, command: Vec<u8>) -> Outcome;
}

/// Why a command has no reply.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ProposeError {
    /// The catalog refused it, or it never reached the log: nothing changed.
    #[error("{0}")]
    NotDone(Error),
    /// It may be done: read the truth before acting again.
    #[error("{0}; whether it was done is not known")]
    Unknown(Error),
}

impl ProposeError {
    /// The failure as callers see it.
    pub fn into_error(self) -> Error {
        match self {
            Self::NotDone(e) => e,
            Self::Unknown(e) => {
                Error::new(ErrorCode::UnknownOutcome, format!("{}; whether it was done is not known, look before trying again", e.message))
            }
        }
    }
}

impl From<ProposeError> for Error {
    fn from(e: ProposeError) -> Self {
        e.into_error()
    }
}

/// How often an unknown outcome is asked again under the same command id before it is reported.
const ASK_AGAIN: u32 = 3;

/// The catalog as everything above storage sees it: reads here, changes through the log.
#[derive(Clone)]
pub struct Catalog {
    store: Arc<CatalogStore>,
    proposer: Arc<dyn Proposer>,
}

impl Catalog {
    /// Joins the state with the way to the log.
    pub fn new(store: Arc<CatalogStore>, proposer: Arc<dyn Proposer>) -> Self {
        Self { store, proposer }
    }

    /// A consistent read; hold it briefly, never across an await.
    pub fn view(&self) -> View<'_> {
        self.store.view()
    }

    /// The state.
    pub fn store(&self) -> &Arc<CatalogStore> {
        &self.store
    }

    /// Proposes a command. A lost answer is asked for again under the same id, which cannot do
    /// the command twice; only if that fails too is the outcome unknown.
    pub async fn propose(&self, principal: &str, command: Command) -> Result<Reply, ProposeError> {
        self.propose_envelope(&Envelope::new(principal, command)).await
    }

    /// The same for a command that has its id already.
    pub async fn propose_envelope(&self, envelope: &Envelope) -> Result<Reply, ProposeError> {
        let fault = |e: crate::StorageError| ProposeError::NotDone(e.into());
        let bytes = encode_command(envelope).map_err(fault)?;
        let mut lost = None;
        for attempt in 0..=ASK_AGAIN {
            if attempt > 0 {
                tokio::time::sleep(Duration::from_millis(100 << attempt)).await;
            }
            match self.proposer.propose(bytes.clone()).await {
                Outcome::Done(answer) => {
                    let answered = decode_answer(&answer).map_err(|e| ProposeError::Unknown(e.into()))?;
                    return answered.map_err(ProposeError::NotDone);
                }
                Outcome::NotDone(e) => {
                    return Err(match lost {
                        None => ProposeError::NotDone(e),
                        Some(first) => ProposeError::Unknown(first),
                    })
                }
                Outcome::Unknown(e) => lost = Some(e),
            }
        }
        Err(ProposeError::Unknown(lost.unwrap_or_else(|| Error::new(ErrorCode::Internal, "no attempt was made"))))
    }
}

/// Applies straight to the state, with no log and no durability: for tests of what stands on the catalog.
pub struct LocalProposer {
    store: Arc<CatalogStore>,
    applied: Mutex<u64>,
}

impl LocalProposer {
    /// Over a state of its own.
    pub fn new(store: Arc<CatalogStore>) -> Self {
        Self { store, applied: Mutex::new(0) }
    }
}

#[async_trait]
impl Proposer for LocalProposer {
    async fn propose(&self, command: Vec<u8>) -> Outcome {
        let mut applied = self.applied.lock();
        *applied += 1;
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |d| d.as_micros() as i64);
        match self.store.apply_entry(&applied.to_be_bytes(), None, now, &[command]) {
            Ok(mut answers) => match answers.pop() {
                Some(answer) => Outcome::Done(answer),
                None => Outcome::Unknown(Error::new(ErrorCode::Internal, "no answer")),
            },
            Err(e) => Outcome::Unknown(e.into()),
        }
    }
}
