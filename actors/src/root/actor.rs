//! The root's callbacks, and its handle.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use lakewright_proto::{CommitSeq, TableId, TenantId};
use ractor::{Actor, ActorProcessingErr, ActorRef, SupervisionEvent};

use super::desired::desired;
use super::message::RootMsg;
use crate::restart::Verdict;
use crate::services::Services;
use crate::supervise::Children;
use crate::tenant::{TenantActor, TenantArgs, TenantDesired, TenantMsg};

/// Changes that come together are looked at together.
const SETTLE: Duration = Duration::from_millis(20);
/// A look without a change, in case one was missed while something failed.
const LOOK_ANYWAY: Duration = Duration::from_secs(30);

/// Commits counted as lag at most.
const LAG_CAP: usize = 1_000;

/// The actor.
pub struct RootActor;

/// What a running root holds.
pub struct RootState {
    services: Arc<Services>,
    tenants: Children<TenantId, TenantMsg>,
    /// Tables whose lag was above zero at the last look.
    lagging: HashSet<TableId>,
}

/// Holds the root; dropping it does not stop it.
#[derive(Clone)]
pub struct RootHandle {
    actor: ActorRef<RootMsg>,
    services: Arc<Services>,
}

impl RootHandle {
    /// Starts the root and its watch over the catalog.
    pub async fn start(services: Arc<Services>) -> Result<Self, ractor::SpawnErr> {
        let (actor, _) = RootActor::spawn(None, RootActor, Arc::clone(&services)).await?;
        let (watched, told) = (Arc::clone(&services), actor.clone());
        tokio::spawn(async move { watch(watched, told).await });
        Ok(Self { actor, services })
    }

    /// Stops in order: no more fetching, commit what is gathered, merge what is committed as far
    /// as time allows. True if everything ended in time.
    pub async fn drain(&self, deadline: Duration) -> bool {
        let until = tokio::time::Instant::now() + deadline;
        self.services.stop_fetching.cancel();
        // Merges stop half-way at the latest: what they leave is in Bronze, and merged at the next start.
        let grace = deadline / 2;
        let fetching_ended = async {
            while self.services.credit.in_use() > 0 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let _ = tokio::time::timeout(grace, fetching_ended).await;
        self.services.stop_merging.cancel();
        self.services.work.close();
        let ended = tokio::time::timeout_at(until, self.services.work.wait()).await.is_ok();
        self.actor.stop(Some("the node stops".into()));
        ended
    }
}

async fn watch(services: Arc<Services>, root: ActorRef<RootMsg>) {
    let mut changed = services.catalog.store().subscribe();
    loop {
        if root.cast(RootMsg::Look).is_err() {
            return;
        }
        tokio::time::sleep(SETTLE).await;
        tokio::select! {
            r = changed.changed() => if r.is_err() { return },
            () = tokio::time::sleep(LOOK_ANYWAY) => {}
            () = services.stop_merging.cancelled() => return,
        }
    }
}

impl Actor for RootActor {
    type Msg = RootMsg;
    type State = RootState;
    type Arguments = Arc<Services>;

    async fn pre_start(&self, _: ActorRef<RootMsg>, services: Arc<Services>) -> Result<RootState, ActorProcessingErr> {
        Ok(RootState { services, tenants: Children::default(), lagging: HashSet::new() })
    }

    async fn handle(&self, myself: ActorRef<RootMsg>, message: RootMsg, state: &mut RootState) -> Result<(), ActorProcessingErr> {
        if let RootMsg::Restart(tenant) = message {
            state.tenants.wake(&tenant);
        }
        state.look(&myself).await;
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        myself: ActorRef<RootMsg>,
        event: SupervisionEvent,
        state: &mut RootState,
    ) -> Result<(), ActorProcessingErr> {
        match event {
            SupervisionEvent::ActorTerminated(actor, ..) => {
                state.tenants.ended(&actor);
            }
            SupervisionEvent::ActorFailed(actor, error) => {
                if let Some(tenant) = state.tenants.key_of(&actor) {
                    state.tenant_failed(&myself, tenant, &error.to_string());
                }
            }
            _ => {}
        }
        Ok(())
    }
}

impl RootState {
    async fn look(&mut self, myself: &ActorRef<RootMsg>) {
        crate::metrics::credit(&self.services);
        let wanted = match desired(&self.services.catalog.view()) {
            Ok(wanted) => wanted,
            Err(e) => {
                tracing::error!(error = %e, "the catalog cannot be read");
                return;
            }
        };
        // A table that has caught up is not wanted any more, and its gauge has to come down too.
        let merging: HashSet<TableId> = wanted.values().flat_map(|t| &t.merges).copied().collect();
        for table in self.lagging.union(&merging) {
            self.report_lag(*table);
        }
        self.lagging = merging;
        for tenant in self.tenants.keys() {
            if !wanted.contains_key(&tenant) {
                if let Some(actor) = self.tenants.get(&tenant) {
                    // It stays, with nothing to do: an actor costs less than starting it for each run.
                    let _ = actor.cast(TenantMsg::Desired(TenantDesired::default()));
                }
            }
        }
        for (tenant, desired) in wanted {
            if let Some(actor) = self.tenants.get(&tenant) {
                // One that is just ending is started again by the next look.
                let _ = actor.cast(TenantMsg::Desired(desired));
            } else if !self.tenants.contains(&tenant) && !self.services.stop_fetching.is_cancelled() {
                self.start(myself, tenant, desired).await;
            }
        }
    }

    fn report_lag(&self, table: TableId) {
        let read = {
            let view = self.services.catalog.view();
            (view.table(table), view.queue_after(table, CommitSeq(0), LAG_CAP))
        };
        // The gauge reads the catalog too: a view within a view waits for ever once a write waits between them.
        if let (Ok(table), Ok(queued)) = read {
            crate::metrics::lag(&self.services, &table, queued.len());
        }
    }

    async fn start(&mut self, myself: &ActorRef<RootMsg>, tenant: TenantId, desired: TenantDesired) {
        let args = TenantArgs { services: Arc::clone(&self.services), tenant, desired };
        match TenantActor::spawn_linked(None, TenantActor, args, myself.get_cell()).await {
            Ok((actor, _)) => self.tenants.started(tenant, actor),
            Err(e) => self.tenant_failed(myself, tenant, &e.to_string()),
        }
    }

    /// A tenant is never given up: its data is owed to it. After many failures it waits longest.
    fn tenant_failed(&mut self, myself: &ActorRef<RootMsg>, tenant: TenantId, reason: &str) {
        let policy = &self.services.options.restart;
        let after = match self.tenants.failed(&tenant, reason, false, policy) {
            Verdict::Restart(after) => after,
            Verdict::Broken => {
                crate::metrics::broken(&self.services, "tenant", tenant, None);
                self.tenants.put_off(&tenant);
                policy.backoff_max
            }
        };
        tracing::error!(%tenant, reason, ?after, "tenant failed and will be restarted");
        crate::metrics::restarted(&self.services, "tenant", tenant, None);
        myself.send_after(after, move || RootMsg::Restart(tenant));
    }
}
