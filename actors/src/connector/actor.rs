//! The connector's callbacks: a flat match over its messages.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use lakewright_proto::{RunId, ShardId};
use lakewright_storage::catalog::command::Command;
use lakewright_storage::catalog::keyspace::Runs;
use lakewright_storage::catalog::records::{Connector as Record, Run, RunStatus, Shard};
use lakewright_storage::catalog::{Catalog, Read as _};
use ractor::{Actor, ActorCell, ActorProcessingErr, ActorRef, SupervisionEvent};

use super::message::ConnectorMsg;
use super::state::OpenRun;
use crate::connectors::Connector;
use crate::error::WorkError;
use crate::offload::{beside, Work};
use crate::restart::Verdict;
use crate::services::Services;
use crate::shard::{ShardActor, ShardArgs, ShardEnd, ShardMsg};
use crate::supervise::Children;

/// How soon the end of a run is proposed again when the catalog was not there.
const FINISH_AGAIN: Duration = Duration::from_millis(500);

/// The actor.
pub struct ConnectorActor;

/// What a connector is started with.
pub struct ConnectorArgs {
    /// The node's services.
    pub services: Arc<Services>,
    /// The connector's record.
    pub record: Record,
    /// The source.
    pub source: Arc<dyn Connector>,
    /// The runs that should be open.
    pub desired: Vec<(Run, Vec<Shard>)>,
}

/// What a running connector holds.
pub struct ConnectorState {
    services: Arc<Services>,
    record: Record,
    source: Arc<dyn Connector>,
    runs: HashMap<RunId, OpenRun>,
    shards: Children<(RunId, ShardId), ShardMsg>,
    finishing: HashMap<RunId, Work>,
}

impl Actor for ConnectorActor {
    type Msg = ConnectorMsg;
    type State = ConnectorState;
    type Arguments = ConnectorArgs;

    async fn pre_start(&self, myself: ActorRef<ConnectorMsg>, args: ConnectorArgs) -> Result<ConnectorState, ActorProcessingErr> {
        myself.cast(ConnectorMsg::Desired(args.desired))?;
        crate::metrics::announce(&args.services, args.record.tenant_id, args.record.id);
        Ok(ConnectorState {
            services: args.services,
            record: args.record,
            source: args.source,
            runs: HashMap::new(),
            shards: Children::default(),
            finishing: HashMap::new(),
        })
    }

    async fn handle(
        &self,
        myself: ActorRef<ConnectorMsg>,
        message: ConnectorMsg,
        state: &mut ConnectorState,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            ConnectorMsg::Desired(runs) => state.reconcile(runs),
            ConnectorMsg::ShardEnded { run, shard, end } => state.shard_ended(run, shard, end),
            ConnectorMsg::Restart(run, shard) => state.shards.wake(&(run, shard)),
            ConnectorMsg::Finished(run, result) => state.finished(&myself, run, result),
            ConnectorMsg::FinishAgain(run) => {
                if let Some(open) = state.runs.get_mut(&run) {
                    open.finishing = false;
                }
            }
        }
        state.advance(&myself).await
    }

    async fn handle_supervisor_evt(
        &self,
        myself: ActorRef<ConnectorMsg>,
        event: SupervisionEvent,
        state: &mut ConnectorState,
    ) -> Result<(), ActorProcessingErr> {
        match event {
            SupervisionEvent::ActorTerminated(actor, ..) => {
                state.shards.ended(&actor);
            }
            SupervisionEvent::ActorFailed(actor, error) => state.shard_failed(&myself, &actor, &error),
            _ => {}
        }
        state.advance(&myself).await
    }
}

impl ConnectorState {
    /// Takes the catalog's word for which runs are open.
    fn reconcile(&mut self, desired: Vec<(Run, Vec<Shard>)>) {
        let wanted: Vec<RunId> = desired.iter().map(|(r, _)| r.id).collect();
        self.runs.retain(|id, _| wanted.contains(id));
        self.finishing.retain(|id, _| wanted.contains(id));
        for key in self.shards.keys() {
            if !wanted.contains(&key.0) {
                if let Some(actor) = self.shards.forget(&key) {
                    // The run is over: what is gathered for it would be refused, so nothing is waited for.
                    actor.stop(Some("the run is over".into()));
                }
            }
        }
        for (run, shards) in desired {
            match self.runs.get_mut(&run.id) {
                Some(open) => open.refresh(shards),
                None => {
                    self.runs.insert(run.id, OpenRun::new(run, shards));
                }
            }
        }
    }

    fn shard_ended(&mut self, run: RunId, shard: ShardId, end: ShardEnd) {
        tracing::info!(connector = self.record.name, %run, %shard, ?end, "shard ended");
        if let Some(open) = self.runs.get_mut(&run) {
            open.ends.insert(shard, end);
        }
    }

    fn shard_failed(&mut self, myself: &ActorRef<ConnectorMsg>, actor: &ActorCell, error: &ActorProcessingErr) {
        let Some(key) = self.shards.key_of(actor) else { return };
        let hopeless = matches!(error.downcast_ref::<WorkError>(), Some(WorkError::Broken(_)));
        self.judge(myself, key, &error.to_string(), hopeless);
    }

    fn judge(&mut self, myself: &ActorRef<ConnectorMsg>, key: (RunId, ShardId), reason: &str, hopeless: bool) {
        match self.shards.failed(&key, reason, hopeless, &self.services.options.restart) {
            Verdict::Restart(after) => {
                tracing::warn!(connector = self.record.name, shard = %key.1, reason, ?after, "shard failed and will be restarted");
                crate::metrics::restarted(&self.services, "shard", self.record.tenant_id, Some(self.record.id));
                let (run, shard) = key;
                myself.send_after(after, move || ConnectorMsg::Restart(run, shard));
            }
            Verdict::Broken => {
                tracing::error!(connector = self.record.name, shard = %key.1, reason, "shard is broken");
                crate::metrics::broken(&self.services, "shard", self.record.tenant_id, Some(self.record.id));
                if let Some(open) = self.runs.get_mut(&key.0) {
                    open.failure = Some(reason.to_owned());
                }
            }
        }
    }

    fn finished(&mut self, myself: &ActorRef<ConnectorMsg>, run: RunId, result: Result<(), WorkError>) {
        self.finishing.remove(&run);
        if let Err(e) = result {
            tracing::warn!(connector = self.record.name, %run, error = %e, "the end of the run could not be stored");
            myself.send_after(FINISH_AGAIN, move || ConnectorMsg::FinishAgain(run));
        }
    }

    /// Starts what may start, and finishes what is read.
    async fn advance(&mut self, myself: &ActorRef<ConnectorMsg>) -> Result<(), ActorProcessingErr> {
        let mut starts = Vec::new();
        for (id, open) in &mut self.runs {
            if open.finishing {
                continue;
            }
            if open.is_read() || open.failure.is_some() {
                open.finishing = true;
                // Elsewhere a stream that fails ends its own run, and the others go on.
                let breaks = open.failure.is_some() && self.source.streams_share_fate();
                let end = finish(Arc::clone(&self.services), open.run.clone(), open.failure.clone(), breaks);
                let id = *id;
                let work = beside(&self.services.work, myself.clone(), end, move |r| ConnectorMsg::Finished(id, r));
                self.finishing.insert(id, work);
                continue;
            }
            starts.extend(open.ready().into_iter().map(|shard| (open.run.clone(), shard)));
        }
        for (run, shard) in starts {
            self.start(myself, run, shard).await;
        }
        Ok(())
    }

    async fn start(&mut self, myself: &ActorRef<ConnectorMsg>, run: Run, shard: ShardId) {
        let key = (run.id, shard);
        if self.shards.contains(&key) || self.services.stop_fetching.is_cancelled() {
            return;
        }
        let args = ShardArgs { services: Arc::clone(&self.services), source: Arc::clone(&self.source), run, shard, parent: myself.clone() };
        match ShardActor::spawn_linked(None, ShardActor, args, myself.get_cell()).await {
            Ok((actor, _)) => self.shards.started(key, actor),
            Err(e) => self.judge(myself, key, &e.to_string(), false),
        }
    }
}

/// Proposes the end of a run; one that breaks its connector breaks it until an operator clears it.
async fn finish(services: Arc<Services>, run: Run, failure: Option<String>, breaks: bool) -> Result<(), WorkError> {
    let status = if failure.is_some() { RunStatus::Failed } else { RunStatus::Settling };
    let finish = Command::FinishRun { tenant: run.tenant_id, run: run.id, status, error: failure, breaks };
    services.catalog.propose("node", finish).await?;
    Ok(())
}

/// Gives up a connector that cannot even run: its runs fail, and it stays broken until an operator clears it.
pub(crate) async fn give_up(services: Arc<Services>, record: Record, runs: Vec<RunId>, reason: String) {
    while let Err(e) = give_up_once(&services.catalog, &record, &runs, &reason).await {
        tracing::warn!(connector = record.name, error = %e, "that the connector is broken could not be stored");
        tokio::select! {
            () = tokio::time::sleep(FINISH_AGAIN) => {}
            () = services.stop_fetching.cancelled() => return,
        }
    }
}

pub(super) async fn give_up_once(catalog: &Catalog, record: &Record, runs: &[RunId], reason: &str) -> Result<(), WorkError> {
    let tenant = record.tenant_id;
    for id in runs {
        let is_open = catalog.view().get::<Runs>(&(tenant, *id))?.is_some_and(|r| !r.is_over());
        if is_open {
            let error = Some(reason.to_owned());
            let finish = Command::FinishRun { tenant, run: *id, status: RunStatus::Failed, error, breaks: true };
            catalog.propose("node", finish).await?;
        }
    }
    Ok(())
}
