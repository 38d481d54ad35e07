//! A Silver table made again from nothing, by the merge that made the first one: what a table is
//! compared with. Its objects are below a prefix of their own and are thrown away.

use lakewright_proto::{CommitSeq, NodeId};
use uuid::Uuid;

use futures::{StreamExt as _, TryStreamExt as _};

use super::context::SilverContext;
use super::session::{MergeBatch, MergeSession};
use crate::error::Result;
use crate::object::Store;
use crate::paths;
use crate::table::{BucketState, OutcomeCounts};

/// Rows that one merge takes: it holds some hundred bytes for each key that it touches.
const SESSION_ROWS: u64 = 50_000;
/// Bytes of rows that one merge takes: until its end they wait in the encoders of its files, one a month.
const SESSION_BYTES: usize = 32 << 20;
/// Objects deleted at once.
const DELETES: usize = 16;

/// A bucket being made again.
pub struct Rebuild {
    context: SilverContext,
    state: BucketState,
    session: Option<MergeSession>,
    rows: u64,
    bytes: usize,
    outcomes: Vec<(CommitSeq, OutcomeCounts)>,
}

impl Rebuild {
    /// Begins with an empty bucket; the context's store is the scratch one.
    pub fn new(context: SilverContext) -> Self {
        let state = BucketState { bucket: context.bucket, buckets: 1, epoch: context.epoch, ..BucketState::default() };
        Self { context, state, session: None, rows: 0, bytes: 0, outcomes: Vec::new() }
    }

    /// Takes a commit with all of its batches. Commits come in order.
    pub async fn apply(&mut self, commit: CommitSeq, batches: Vec<MergeBatch>) -> Result<()> {
        let mut session = match self.session.take() {
            Some(session) => session,
            None => MergeSession::open(self.context.clone(), self.state.clone()).await?,
        };
        if batches.is_empty() {
            session.apply_empty(commit)?;
        }
        for batch in batches {
            self.rows += batch.rows.num_rows() as u64;
            self.bytes += batch.rows.get_array_memory_size();
            session.apply(commit, batch).await?;
        }
        self.session = Some(session);
        if self.rows >= SESSION_ROWS || self.bytes >= SESSION_BYTES {
            self.end_session().await?;
        }
        Ok(())
    }

    async fn end_session(&mut self) -> Result<()> {
        (self.rows, self.bytes) = (0, 0);
        let Some(session) = self.session.take() else { return Ok(()) };
        let delta = session.finish_without_changes().await?;
        self.state.advance(&delta)?;
        self.outcomes.extend(delta.outcomes);
        Ok(())
    }

    /// Ends it: the bucket, and the outcomes of each commit.
    pub async fn finish(mut self) -> Result<(BucketState, Vec<(CommitSeq, OutcomeCounts)>)> {
        self.end_session().await?;
        Ok((self.state, self.outcomes))
    }
}

/// A place to work in that nobody else sees.
pub struct Scratch {
    whole: Store,
    root: String,
}

impl Scratch {
    /// A new one.
    pub fn new(store: &Store, node: NodeId) -> Self {
        Self { whole: store.clone(), root: paths::scratch(node, Uuid::now_v7()) }
    }

    /// All that a node has left behind, by a crash or a kill.
    pub fn left_behind(store: &Store, node: NodeId) -> Self {
        Self { whole: store.clone(), root: paths::scratch_root(node) }
    }

    /// The store to write to.
    pub fn store(&self) -> Result<Store> {
        self.whole.below(&self.root)
    }

    /// Deletes everything in it; answers how many objects.
    pub async fn clear(&self) -> Result<u64> {
        let deleted = self.whole.list(&self.root).map(|found| async move {
            let found = found?;
            self.whole.delete(found.location.as_ref()).await.map(|()| 1u64)
        });
        deleted.buffer_unordered(DELETES).try_fold(0, |n, one| async move { Ok(n + one) }).await
    }
}
