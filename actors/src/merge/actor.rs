//! The merge's callbacks: start the work beside it, report its end.

use std::sync::Arc;

use lakewright_proto::TableId;
use ractor::{Actor, ActorProcessingErr, ActorRef};

use super::message::MergeMsg;
use super::run::merge_bucket;
use crate::error::WorkError;
use crate::offload::{beside, Work};
use crate::services::Services;
use crate::tenant::TenantMsg;

/// The actor.
pub struct MergeActor;

/// What a merge is started with.
pub struct MergeArgs {
    /// The node's services.
    pub services: Arc<Services>,
    /// The Silver table.
    pub table: TableId,
    /// The bucket.
    pub bucket: u32,
    /// Whom to tell the end.
    pub parent: ActorRef<TenantMsg>,
}

/// What a running merge holds.
pub struct MergeActorState {
    args: MergeArgs,
    _work: Work,
}

impl Actor for MergeActor {
    type Msg = MergeMsg;
    type State = MergeActorState;
    type Arguments = MergeArgs;

    async fn pre_start(&self, myself: ActorRef<MergeMsg>, args: MergeArgs) -> Result<MergeActorState, ActorProcessingErr> {
        let merge = merge_bucket(Arc::clone(&args.services), args.table, args.bucket);
        let work = beside(&args.services.work, myself, merge, MergeMsg::Ended);
        Ok(MergeActorState { args, _work: work })
    }

    async fn handle(&self, myself: ActorRef<MergeMsg>, message: MergeMsg, state: &mut MergeActorState) -> Result<(), ActorProcessingErr> {
        let MergeMsg::Ended(result) = message;
        match result {
            Ok(end) => tracing::debug!(table = %state.args.table, ?end, "merge ended"),
            Err(WorkError::Superseded(why)) => tracing::info!(table = %state.args.table, why, "merge superseded"),
            Err(e) => {
                // Its credit must not wait for a merge that may not come back.
                state.args.services.exchange.drop_table(state.args.table);
                return Err(Box::new(e));
            }
        }
        // A tenant that is gone starts its merges again when it is back.
        let _ = state.args.parent.cast(TenantMsg::MergeEnded(state.args.table));
        myself.stop(None);
        Ok(())
    }
}
