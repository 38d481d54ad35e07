//! The tenant's callbacks.

use std::collections::HashMap;
use std::sync::Arc;

use lakewright_proto::{ConnectorId, Error, ErrorCode, TableId, TenantId};
use lakewright_storage::catalog::keyspace::Secrets;
use lakewright_storage::catalog::records::Connector as Record;
use lakewright_storage::catalog::Read as _;
use ractor::{Actor, ActorProcessingErr, ActorRef, SupervisionEvent};

use super::message::{TenantDesired, TenantMsg};
use crate::connector::{give_up, ConnectorActor, ConnectorArgs, ConnectorMsg};
use crate::connectors::host::NodeHost;
use crate::connectors::Connector;
use crate::error::WorkError;
use crate::merge::{MergeActor, MergeArgs, MergeMsg};
use crate::restart::Verdict;
use crate::services::Services;
use crate::supervise::Children;

/// The actor.
pub struct TenantActor;

/// What a tenant is started with.
pub struct TenantArgs {
    /// The node's services.
    pub services: Arc<Services>,
    /// The tenant.
    pub tenant: TenantId,
    /// What it should run.
    pub desired: TenantDesired,
}

/// What a running tenant holds.
pub struct TenantState {
    services: Arc<Services>,
    tenant: TenantId,
    desired: TenantDesired,
    connectors: Children<ConnectorId, ConnectorMsg>,
    /// The configuration that each connector was started with.
    versions: HashMap<ConnectorId, u64>,
    merges: Children<TableId, MergeMsg>,
}

impl Actor for TenantActor {
    type Msg = TenantMsg;
    type State = TenantState;
    type Arguments = TenantArgs;

    async fn pre_start(&self, myself: ActorRef<TenantMsg>, args: TenantArgs) -> Result<TenantState, ActorProcessingErr> {
        myself.cast(TenantMsg::Desired(args.desired))?;
        Ok(TenantState {
            services: args.services,
            tenant: args.tenant,
            desired: TenantDesired::default(),
            connectors: Children::default(),
            versions: HashMap::new(),
            merges: Children::default(),
        })
    }

    async fn handle(&self, myself: ActorRef<TenantMsg>, message: TenantMsg, state: &mut TenantState) -> Result<(), ActorProcessingErr> {
        match message {
            TenantMsg::Desired(desired) => state.desired = desired,
            TenantMsg::MergeEnded(table) => {
                state.merges.forget(&table);
                state.look_again(table);
            }
            TenantMsg::RestartConnector(id) => state.connectors.wake(&id),
            TenantMsg::RestartMerge(table) => state.merges.wake(&table),
        }
        state.reconcile(&myself).await;
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        myself: ActorRef<TenantMsg>,
        event: SupervisionEvent,
        state: &mut TenantState,
    ) -> Result<(), ActorProcessingErr> {
        match event {
            SupervisionEvent::ActorTerminated(actor, ..) => {
                state.merges.ended(&actor);
                // One that was stopped for a new configuration goes on with it.
                if state.connectors.ended(&actor).is_some() {
                    state.reconcile(&myself).await;
                }
            }
            SupervisionEvent::ActorFailed(actor, error) => {
                let hopeless = matches!(error.downcast_ref::<WorkError>(), Some(WorkError::Broken(_)));
                if let Some(id) = state.connectors.key_of(&actor) {
                    state.connector_failed(&myself, id, &error.to_string(), hopeless);
                } else if let Some(table) = state.merges.key_of(&actor) {
                    state.merge_failed(&myself, table, &error.to_string());
                }
            }
            _ => {}
        }
        Ok(())
    }
}

impl TenantState {
    /// Starts what should run and does not, stops what runs and should not.
    async fn reconcile(&mut self, myself: &ActorRef<TenantMsg>) {
        for id in self.connectors.keys() {
            if !self.desired.connectors.contains_key(&id) {
                self.versions.remove(&id);
                if let Some(actor) = self.connectors.forget(&id) {
                    actor.stop(Some("no open run".into()));
                }
            }
        }
        let connectors: Vec<_> = self.desired.connectors.clone().into_values().collect();
        for (record, runs) in connectors {
            if let Some(actor) = self.connectors.get(&record.id) {
                if self.versions.get(&record.id) != Some(&record.version) {
                    // What its shards have gathered is read again, from where the catalog says.
                    actor.stop(Some("a new configuration".into()));
                    continue;
                }
                // One that is just ending is started again by the next look.
                let _ = actor.cast(ConnectorMsg::Desired(runs));
            } else if !self.connectors.contains(&record.id) {
                self.start_connector(myself, record, runs).await;
            }
        }
        for table in self.desired.merges.clone() {
            if !self.merges.contains(&table) && !self.services.stop_merging.is_cancelled() {
                self.start_merge(myself, table).await;
            }
        }
    }

    /// A merge that ended may have missed what was queued while it ended.
    fn look_again(&mut self, table: TableId) {
        let view = self.services.catalog.view();
        let queued = view.queue_after(table, lakewright_proto::CommitSeq(0), 1).is_ok_and(|q| !q.is_empty());
        let waiting = queued || view.table(table).and_then(|t| view.lookups_are_due(&t)).unwrap_or_default();
        drop(view);
        self.desired.merges.retain(|t| *t != table);
        if waiting {
            self.desired.merges.push(table);
        }
    }

    async fn start_connector(
        &mut self,
        myself: &ActorRef<TenantMsg>,
        record: Record,
        desired: Vec<(lakewright_storage::catalog::records::Run, Vec<lakewright_storage::catalog::records::Shard>)>,
    ) {
        let id = record.id;
        let source = match build_source(&self.services, &record) {
            Ok(source) => source,
            Err(e) => return self.connector_failed(myself, id, &e.message, false),
        };
        self.versions.insert(id, record.version);
        let args = ConnectorArgs { services: Arc::clone(&self.services), record, source, desired };
        match ConnectorActor::spawn_linked(None, ConnectorActor, args, myself.get_cell()).await {
            Ok((actor, _)) => self.connectors.started(id, actor),
            Err(e) => self.connector_failed(myself, id, &e.to_string(), false),
        }
    }

    async fn start_merge(&mut self, myself: &ActorRef<TenantMsg>, table: TableId) {
        let args = MergeArgs { services: Arc::clone(&self.services), table, bucket: 0, parent: myself.clone() };
        match MergeActor::spawn_linked(None, MergeActor, args, myself.get_cell()).await {
            Ok((actor, _)) => self.merges.started(table, actor),
            Err(e) => self.merge_failed(myself, table, &e.to_string()),
        }
    }

    fn connector_failed(&mut self, myself: &ActorRef<TenantMsg>, id: ConnectorId, reason: &str, hopeless: bool) {
        match self.connectors.failed(&id, reason, hopeless, &self.services.options.restart) {
            Verdict::Restart(after) => {
                tracing::warn!(connector = %id, reason, ?after, "connector failed and will be restarted");
                crate::metrics::restarted(&self.services, "connector", self.tenant, Some(id));
                myself.send_after(after, move || TenantMsg::RestartConnector(id));
            }
            Verdict::Broken => {
                tracing::error!(connector = %id, reason, "connector is broken");
                crate::metrics::broken(&self.services, "connector", self.tenant, Some(id));
                if let Some((record, runs)) = self.desired.connectors.get(&id).cloned() {
                    let runs = runs.into_iter().map(|(run, _)| run.id).collect();
                    self.services.work.spawn(give_up(Arc::clone(&self.services), record, runs, reason.to_owned()));
                }
            }
        }
    }

    /// A merge is never given up: its queue would grow for ever. After many failures it waits longest.
    fn merge_failed(&mut self, myself: &ActorRef<TenantMsg>, table: TableId, reason: &str) {
        let policy = &self.services.options.restart;
        let after = match self.merges.failed(&table, reason, false, policy) {
            Verdict::Restart(after) => after,
            Verdict::Broken => {
                crate::metrics::broken(&self.services, "merge", self.tenant, None);
                self.merges.put_off(&table);
                policy.backoff_max
            }
        };
        tracing::warn!(%table, reason, ?after, "merge failed and will be restarted");
        crate::metrics::restarted(&self.services, "merge", self.tenant, None);
        if !self.desired.merges.contains(&table) {
            self.desired.merges.push(table);
        }
        myself.send_after(after, move || TenantMsg::RestartMerge(table));
    }
}

/// The source of a connector's record, its secrets put back in place.
pub fn build_source(services: &Services, record: &Record) -> Result<Arc<dyn Connector>, Error> {
    let kind = services.kinds.iter().find(|k| k.name() == record.kind);
    let kind =
        kind.ok_or_else(|| Error::new(ErrorCode::InvalidArgument, format!("this node knows no connector kind {:?}", record.kind)))?;
    let mut config: serde_json::Value = serde_json::from_str(&record.config_json)
        .map_err(|e| Error::new(ErrorCode::DataLoss, format!("the configuration of {:?} is not JSON: {e}", record.name)))?;
    for field in kind.secret_keys() {
        let key = (record.tenant_id, record.id, (*field).to_owned());
        let sealed = services.catalog.view().get::<Secrets>(&key).map_err(Error::from)?;
        if let (Some(sealed), Some(object)) = (sealed, config.as_object_mut()) {
            let secret = services.secrets.open(record.tenant_id, record.id, field, &sealed)?;
            object.insert((*field).to_owned(), serde_json::Value::String(secret));
        }
    }
    let refused = kind.out_of_reach(&config, record.tenant_id, &services.reach);
    if !refused.is_empty() {
        return Err(Error::new(ErrorCode::PermissionDenied, format!("connector {:?}: {}", record.name, refused.join("; "))));
    }
    let host =
        NodeHost { tenant: record.tenant_id, connector: record.id, catalog: services.catalog.clone(), store: services.store.clone() };
    kind.build(&config, Arc::new(host)).map(Arc::from)
}
