//! The shard's callbacks: start the work beside it, report its end.

use std::sync::Arc;

use lakewright_proto::ShardId;
use lakewright_storage::catalog::records::Run;
use ractor::{Actor, ActorProcessingErr, ActorRef};
use tokio_util::sync::CancellationToken;

use super::message::{ShardEnd, ShardMsg};
use super::read::read_shard;
use crate::connector::ConnectorMsg;
use crate::connectors::Connector;
use crate::error::WorkError;
use crate::offload::{beside, Work};
use crate::services::Services;

/// The actor.
pub struct ShardActor;

/// What a shard is started with.
pub struct ShardArgs {
    /// The node's services.
    pub services: Arc<Services>,
    /// The source.
    pub source: Arc<dyn Connector>,
    /// The run it reads for.
    pub run: Run,
    /// The shard.
    pub shard: ShardId,
    /// Whom to tell the end.
    pub parent: ActorRef<ConnectorMsg>,
}

/// What a running shard holds.
pub struct ShardActorState {
    args: ShardArgs,
    stop: CancellationToken,
    _work: Work,
}

impl Actor for ShardActor {
    type Msg = ShardMsg;
    type State = ShardActorState;
    type Arguments = ShardArgs;

    async fn pre_start(&self, myself: ActorRef<ShardMsg>, args: ShardArgs) -> Result<ShardActorState, ActorProcessingErr> {
        let stop = args.services.stop_fetching.child_token();
        let read = read_shard(Arc::clone(&args.services), Arc::clone(&args.source), args.run.clone(), args.shard, stop.clone());
        let work = beside(&args.services.work, myself, read, ShardMsg::Ended);
        Ok(ShardActorState { args, stop, _work: work })
    }

    async fn handle(&self, myself: ActorRef<ShardMsg>, message: ShardMsg, state: &mut ShardActorState) -> Result<(), ActorProcessingErr> {
        match message {
            ShardMsg::Drain => state.stop.cancel(),
            ShardMsg::Ended(Ok(end)) => report(&myself, state, end),
            ShardMsg::Ended(Err(WorkError::Superseded(why))) => {
                tracing::info!(shard = %state.args.shard, why, "shard superseded");
                report(&myself, state, ShardEnd::Superseded);
            }
            ShardMsg::Ended(Err(e)) => return Err(Box::new(e)),
        }
        Ok(())
    }
}

fn report(myself: &ActorRef<ShardMsg>, state: &ShardActorState, end: ShardEnd) {
    // A connector that is gone starts its shards again when it is back.
    let _ = state.args.parent.cast(ConnectorMsg::ShardEnded { run: state.args.run.id, shard: state.args.shard, end });
    myself.stop(None);
}
