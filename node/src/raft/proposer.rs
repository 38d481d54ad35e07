//! Group commit: commands wait in one bounded queue; whatever has gathered becomes one Raft entry,
//! and so one fsync. There is no linger: a lone command goes at once, and while its fsync runs the
//! next batch gathers.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use lakewright_proto::{Error, ErrorCode};
use openraft::error::{CheckIsLeaderError, ClientWriteError, RaftError};
use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot, Semaphore};

use super::meta_log::{Member, MetaLog, Outcome};
use super::types::{Proposal, Raft};

/// Commands that may wait.
pub const QUEUE_COMMANDS: usize = 4096;
/// Commands in one entry.
pub const BATCH_COMMANDS: usize = 512;
/// Bytes of commands in one entry (a single larger command goes alone).
pub const BATCH_BYTES: usize = 256 << 10;
/// Entries under way at once: one is being synced while the next is handed over.
const IN_FLIGHT: usize = 2;
/// Bytes of a command; larger things belong in the object store.
pub const MAX_COMMAND_BYTES: usize = 4 << 20;

struct Waiting {
    command: Vec<u8>,
    reply: oneshot::Sender<Outcome>,
}

/// [`MetaLog`] over a running Raft. Clones share the queue.
#[derive(Clone)]
pub struct RaftMetaLog {
    raft: Raft,
    queue: Arc<Mutex<Option<mpsc::Sender<Waiting>>>>,
    queued: Arc<AtomicUsize>,
}

impl RaftMetaLog {
    /// Starts the proposer on `runtime`. `answer_within`: how long an entry may take before its
    /// outcome counts as unknown.
    pub(super) fn start(raft: Raft, runtime: &tokio::runtime::Handle, answer_within: Duration) -> (Self, tokio::task::JoinHandle<()>) {
        let (tx, rx) = mpsc::channel(QUEUE_COMMANDS);
        let queued = Arc::new(AtomicUsize::new(0));
        let task = runtime.spawn(run(rx, raft.clone(), Arc::clone(&queued), answer_within));
        (Self { raft, queue: Arc::new(Mutex::new(Some(tx))), queued }, task)
    }

    /// Takes no more commands; the queued ones are still proposed and answered.
    pub(super) fn close(&self) {
        self.queue.lock().take();
    }
}

#[async_trait]
impl MetaLog for RaftMetaLog {
    async fn propose(&self, command: Vec<u8>) -> Outcome {
        if command.len() > MAX_COMMAND_BYTES {
            return Outcome::NotDone(Error::new(
                ErrorCode::InvalidArgument,
                format!("a catalog command of {} bytes is over the limit of {MAX_COMMAND_BYTES}; split it", command.len()),
            ));
        }
        let queue = self.queue.lock().clone();
        let stopping = || {
            Outcome::NotDone(Error::new(
                ErrorCode::Unavailable,
                "this node is stopping and takes no more catalog commands; retry on a running node",
            ))
        };
        let Some(queue) = queue else { return stopping() };
        let (reply, answer) = oneshot::channel();
        let Ok(place) = queue.reserve().await else { return stopping() };
        gauge(self.queued.fetch_add(1, Ordering::Relaxed) + 1);
        place.send(Waiting { command, reply });
        drop(queue);
        answer.await.unwrap_or_else(|_| unknown("the proposer stopped before it answered"))
    }

    async fn read_index(&self) -> Result<(), Error> {
        match self.raft.ensure_linearizable().await {
            Ok(_) => Ok(()),
            Err(RaftError::APIError(CheckIsLeaderError::ForwardToLeader(to))) => Err(Error::new(
                ErrorCode::Unavailable,
                format!("this node does not lead the cluster (leader: {:?}); ask the leader or retry", to.leader_id),
            )),
            Err(e) => Err(Error::new(
                ErrorCode::Unavailable,
                format!("a current read is not possible now: {e}; retry, or read without fresh=true"),
            )),
        }
    }

    fn members(&self) -> Vec<Member> {
        let metrics = self.raft.metrics();
        let metrics = metrics.borrow();
        let membership = metrics.membership_config.membership();
        let voters: std::collections::BTreeSet<u64> = membership.voter_ids().collect();
        membership
            .nodes()
            .map(|(&id, node)| Member { id, node: node.clone(), voter: voters.contains(&id), leader: metrics.current_leader == Some(id) })
            .collect()
    }
}

/// Takes what is queued, proposes it, hands the answers back. Ends when the queue is closed and
/// everything is answered.
async fn run(mut queue: mpsc::Receiver<Waiting>, raft: Raft, queued: Arc<AtomicUsize>, answer_within: Duration) {
    let in_flight = Arc::new(Semaphore::new(IN_FLIGHT));
    let mut left_over = None;
    loop {
        // The permit first: what arrives while both are busy joins the next batch.
        let Ok(permit) = Arc::clone(&in_flight).acquire_owned().await else { break };
        let Some(batch) = next_batch(&mut queue, &mut left_over).await else { break };
        gauge(queued.fetch_sub(batch.len(), Ordering::Relaxed) - batch.len());
        let begun = Instant::now();
        let (commands, replies): (Vec<_>, Vec<_>) = batch.into_iter().map(|w| (w.command, w.reply)).unzip();
        let proposal = Proposal { commands, proposed_at_us: now_us() };
        // Handed over here and awaited elsewhere: entries keep the order of the queue.
        match raft.client_write_ff(proposal).await {
            Err(e) => answer_all(
                replies,
                &Outcome::NotDone(Error::new(ErrorCode::Unavailable, format!("Raft has stopped: {e}; restart this node"))),
            ),
            Ok(answer) => {
                tokio::spawn(async move {
                    let answer = tokio::time::timeout(answer_within, answer).await;
                    metrics::histogram!("lakewright_catalog_commit_seconds").record(begun.elapsed().as_secs_f64());
                    match answer {
                        Ok(Ok(Ok(done))) if done.data.replies.len() == replies.len() => {
                            for (reply, bytes) in replies.into_iter().zip(done.data.replies) {
                                drop(reply.send(Outcome::Done(bytes)));
                            }
                        }
                        Ok(Ok(Ok(_))) => answer_all(replies, &unknown("the state answered another number of replies than commands")),
                        Ok(Ok(Err(e))) => answer_all(replies, &refused(&e)),
                        Ok(Err(_)) => answer_all(replies, &unknown("Raft stopped before it answered")),
                        Err(_) => answer_all(replies, &unknown(&format!("no answer came within {} s", answer_within.as_secs()))),
                    }
                    drop(permit);
                });
            }
        }
    }
    // Both permits back: every entry has been answered.
    drop(in_flight.acquire_many(IN_FLIGHT as u32).await);
}

/// Waits for a first command, then takes whatever else is there, up to the limits.
async fn next_batch(queue: &mut mpsc::Receiver<Waiting>, left_over: &mut Option<Waiting>) -> Option<Vec<Waiting>> {
    let first = match left_over.take() {
        Some(first) => first,
        None => queue.recv().await?,
    };
    let mut bytes = first.command.len();
    let mut batch = vec![first];
    while batch.len() < BATCH_COMMANDS {
        let Ok(next) = queue.try_recv() else { break };
        bytes += next.command.len();
        if bytes > BATCH_BYTES {
            *left_over = Some(next);
            break;
        }
        batch.push(next);
    }
    Some(batch)
}

/// Both refusals mean that the entry is in no log: the node did not lead, or its entry was removed
/// in favour of a newer leader's.
fn refused(e: &ClientWriteError<u64, super::types::RaftNode>) -> Outcome {
    Outcome::NotDone(match e {
        ClientWriteError::ForwardToLeader(to) => {
            Error::new(ErrorCode::Unavailable, format!("this node does not lead the cluster (leader: {:?}); retry", to.leader_id))
        }
        ClientWriteError::ChangeMembershipError(e) => {
            Error::new(ErrorCode::Internal, format!("a command was taken for a membership change: {e}"))
        }
    })
}

fn unknown(why: &str) -> Outcome {
    Outcome::Unknown(Error::new(
        ErrorCode::UnknownOutcome,
        format!(
            "whether the catalog command was applied is not known: {why}. Repeat the same command, or read the state before acting again"
        ),
    ))
}

fn answer_all(replies: Vec<oneshot::Sender<Outcome>>, outcome: &Outcome) {
    for reply in replies {
        // A caller that left does not want its answer.
        drop(reply.send(outcome.clone()));
    }
}

fn gauge(queued: usize) {
    metrics::gauge!("lakewright_catalog_queue_length").set(queued as f64);
}

fn now_us() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).ok().and_then(|d| i64::try_from(d.as_micros()).ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests;
