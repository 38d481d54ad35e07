//! The service: one line a call.

use std::collections::BTreeMap;
use std::sync::Arc;

use lakewright_actors::services::Services;
use lakewright_actors::webhooks::Reach;
use lakewright_proto::admin as pb;
use lakewright_proto::{ConnectorId, Error, TenantId};
use lakewright_storage::catalog::records::SealedSecret;
use lakewright_storage::query::QueryEngine;
use tokio::sync::Semaphore;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

use crate::raft::RaftStatus;
use crate::secrets::{KeyRing, Purpose};

/// What the node knows of itself.
#[derive(Clone, Debug, Default)]
pub struct NodeFacts {
    /// For people.
    pub name: String,
    /// Where the admin API listens.
    pub admin_address: String,
    /// Where Flight SQL listens.
    pub flight_address: String,
    /// Where metrics are read.
    pub metrics_address: String,
    /// Where the tables are.
    pub storage_url: String,
    /// Where the node runs.
    pub zone: String,
    /// As configured.
    pub labels: BTreeMap<String, String>,
    /// Where alerts may be sent.
    pub webhooks: Reach,
    /// Microseconds since 1970.
    pub started_at: i64,
}

/// The admin API over a node.
#[derive(Clone)]
pub struct AdminService {
    services: Arc<Services>,
    engine: Arc<QueryEngine>,
    secrets: Arc<KeyRing>,
    raft: RaftStatus,
    facts: Arc<NodeFacts>,
    /// Who has it may verify a table from Bronze.
    verifying: Arc<Semaphore>,
}

impl AdminService {
    /// Over a node's parts.
    pub fn new(services: Arc<Services>, engine: Arc<QueryEngine>, secrets: Arc<KeyRing>, raft: RaftStatus, facts: NodeFacts) -> Self {
        Self { services, engine, secrets, raft, facts: Arc::new(facts), verifying: Arc::new(Semaphore::new(1)) }
    }

    pub(super) fn services(&self) -> &Arc<Services> {
        &self.services
    }

    pub(super) fn engine(&self) -> &QueryEngine {
        &self.engine
    }

    pub(super) fn verifying(&self) -> Arc<Semaphore> {
        Arc::clone(&self.verifying)
    }

    pub(super) fn facts(&self) -> &NodeFacts {
        &self.facts
    }

    pub(super) fn raft_state(&self) -> pb::RaftState {
        self.raft.state()
    }

    pub(super) fn seal(
        &self,
        tenant: TenantId,
        connector: ConnectorId,
        field: &str,
        version: u32,
        secret: &str,
    ) -> Result<SealedSecret, Error> {
        let sealed = self.seal_for(Purpose::ConnectorField { tenant, connector, field, version }, secret)?;
        Ok(SealedSecret { sealed, version })
    }

    pub(super) fn seal_for(&self, purpose: Purpose<'_>, secret: &str) -> Result<Vec<u8>, Error> {
        self.secrets.seal(purpose, secret.as_bytes())
    }
}

fn answer<T>(result: Result<T, Error>) -> Result<Response<T>, Status> {
    result.map(Response::new).map_err(|e| {
        if e.code == lakewright_proto::ErrorCode::Internal {
            tracing::error!(error = %e, "an admin call failed");
        }
        Status::from(e)
    })
}

#[tonic::async_trait]
impl pb::admin_server::Admin for AdminService {
    async fn get_node(&self, request: Request<pb::GetNodeRequest>) -> Result<Response<pb::Node>, Status> {
        answer(self.get_node_(request).await)
    }

    async fn create_tenant(&self, request: Request<pb::CreateTenantRequest>) -> Result<Response<pb::Tenant>, Status> {
        answer(self.create_tenant_(request).await)
    }

    async fn get_tenant(&self, request: Request<pb::GetTenantRequest>) -> Result<Response<pb::Tenant>, Status> {
        answer(self.get_tenant_(request).await)
    }

    async fn list_tenants(&self, request: Request<pb::ListTenantsRequest>) -> Result<Response<pb::ListTenantsResponse>, Status> {
        answer(self.list_tenants_(request).await)
    }

    async fn update_tenant(&self, request: Request<pb::UpdateTenantRequest>) -> Result<Response<pb::Tenant>, Status> {
        answer(self.update_tenant_(request).await)
    }

    async fn suspend_tenant(&self, request: Request<pb::SuspendTenantRequest>) -> Result<Response<pb::Tenant>, Status> {
        answer(self.suspend_tenant_(request).await)
    }

    async fn create_user(&self, request: Request<pb::CreateUserRequest>) -> Result<Response<pb::User>, Status> {
        answer(self.create_user_(request).await)
    }

    async fn get_user(&self, request: Request<pb::GetUserRequest>) -> Result<Response<pb::User>, Status> {
        answer(self.get_user_(request).await)
    }

    async fn list_users(&self, request: Request<pb::ListUsersRequest>) -> Result<Response<pb::ListUsersResponse>, Status> {
        answer(self.list_users_(request).await)
    }

    async fn update_user(&self, request: Request<pb::UpdateUserRequest>) -> Result<Response<pb::User>, Status> {
        answer(self.update_user_(request).await)
    }

    async fn create_token(&self, request: Request<pb::CreateTokenRequest>) -> Result<Response<pb::CreateTokenResponse>, Status> {
        answer(self.create_token_(request).await)
    }

    async fn list_tokens(&self, request: Request<pb::ListTokensRequest>) -> Result<Response<pb::ListTokensResponse>, Status> {
        answer(self.list_tokens_(request).await)
    }

    async fn revoke_token(&self, request: Request<pb::RevokeTokenRequest>) -> Result<Response<pb::Token>, Status> {
        answer(self.revoke_token_(request).await)
    }

    async fn create_connector(&self, request: Request<pb::CreateConnectorRequest>) -> Result<Response<pb::Connector>, Status> {
        answer(self.create_connector_(request).await)
    }

    async fn update_connector(&self, request: Request<pb::UpdateConnectorRequest>) -> Result<Response<pb::Connector>, Status> {
        answer(self.update_connector_(request).await)
    }

    async fn list_connectors(&self, request: Request<pb::ListConnectorsRequest>) -> Result<Response<pb::ListConnectorsResponse>, Status> {
        answer(self.list_connectors_(request).await)
    }

    async fn get_connector(&self, request: Request<pb::GetConnectorRequest>) -> Result<Response<pb::Connector>, Status> {
        answer(self.get_connector_(request).await)
    }

    async fn test_connector(&self, request: Request<pb::TestConnectorRequest>) -> Result<Response<pb::TestConnectorResponse>, Status> {
        answer(self.test_connector_(request).await)
    }

    async fn list_marts(&self, request: Request<pb::ListMartsRequest>) -> Result<Response<pb::ListMartsResponse>, Status> {
        answer(self.list_marts_(request).await)
    }

    async fn rebuild_mart(&self, request: Request<pb::RebuildMartRequest>) -> Result<Response<pb::Mart>, Status> {
        answer(self.rebuild_mart_(request).await)
    }

    async fn explain(&self, request: Request<pb::ExplainRequest>) -> Result<Response<pb::ExplainResponse>, Status> {
        answer(self.explain_(request).await)
    }

    async fn plan_connector(&self, request: Request<pb::PlanConnectorRequest>) -> Result<Response<pb::PlanConnectorResponse>, Status> {
        answer(self.plan_connector_(request).await)
    }

    async fn discover_connector(
        &self,
        request: Request<pb::DiscoverConnectorRequest>,
    ) -> Result<Response<pb::DiscoverConnectorResponse>, Status> {
        answer(self.discover_connector_(request).await)
    }

    async fn pause_connector(&self, request: Request<pb::PauseConnectorRequest>) -> Result<Response<pb::Connector>, Status> {
        answer(self.pause_connector_(request).await)
    }

    async fn resume_connector(&self, request: Request<pb::ResumeConnectorRequest>) -> Result<Response<pb::Connector>, Status> {
        answer(self.resume_connector_(request).await)
    }

    async fn reset_connector(&self, request: Request<pb::ResetConnectorRequest>) -> Result<Response<pb::Connector>, Status> {
        answer(self.reset_connector_(request).await)
    }

    async fn clear_broken(&self, request: Request<pb::ClearBrokenRequest>) -> Result<Response<pb::Connector>, Status> {
        answer(self.clear_broken_(request).await)
    }

    async fn start_run(&self, request: Request<pb::StartRunRequest>) -> Result<Response<pb::StartRunResponse>, Status> {
        answer(self.start_run_(request).await)
    }

    async fn get_run(&self, request: Request<pb::GetRunRequest>) -> Result<Response<pb::IngestionRun>, Status> {
        answer(self.get_run_(request).await)
    }

    async fn list_runs(&self, request: Request<pb::ListRunsRequest>) -> Result<Response<pb::ListRunsResponse>, Status> {
        answer(self.list_runs_(request).await)
    }

    async fn cancel_run(&self, request: Request<pb::CancelRunRequest>) -> Result<Response<pb::IngestionRun>, Status> {
        answer(self.cancel_run_(request).await)
    }

    async fn load_pack(&self, request: Request<pb::LoadPackRequest>) -> Result<Response<pb::LoadPackResponse>, Status> {
        answer(self.load_pack_(request).await)
    }

    async fn list_packs(&self, request: Request<pb::ListPacksRequest>) -> Result<Response<pb::ListPacksResponse>, Status> {
        answer(self.list_packs_(request).await)
    }

    async fn pin_pack(&self, request: Request<pb::PinPackRequest>) -> Result<Response<pb::PinPackResponse>, Status> {
        answer(self.pin_pack_(request).await)
    }

    async fn plan_pack(&self, request: Request<pb::PlanPackRequest>) -> Result<Response<pb::PlanPackResponse>, Status> {
        answer(self.plan_pack_(request).await)
    }

    async fn list_tables(&self, request: Request<pb::ListTablesRequest>) -> Result<Response<pb::ListTablesResponse>, Status> {
        answer(self.list_tables_(request).await)
    }

    async fn describe_table(&self, request: Request<pb::DescribeTableRequest>) -> Result<Response<pb::DescribeTableResponse>, Status> {
        answer(self.describe_table_(request).await)
    }

    async fn verify_table(&self, request: Request<pb::VerifyTableRequest>) -> Result<Response<pb::VerifyTableResponse>, Status> {
        answer(self.verify_table_(request).await)
    }

    type VerifyTableFromBronzeStream = ReceiverStream<Result<pb::VerifyTableProgress, Status>>;

    async fn verify_table_from_bronze(
        &self,
        request: Request<pb::VerifyTableFromBronzeRequest>,
    ) -> Result<Response<Self::VerifyTableFromBronzeStream>, Status> {
        answer(self.verify_table_from_bronze_(request).await)
    }

    async fn rebuild_table(&self, request: Request<pb::RebuildTableRequest>) -> Result<Response<pb::TableRebuild>, Status> {
        answer(self.rebuild_table_(request).await)
    }

    async fn compact_table(&self, request: Request<pb::CompactTableRequest>) -> Result<Response<pb::CompactTableResponse>, Status> {
        answer(self.compact_table_(request).await)
    }

    async fn list_quality_scores(
        &self,
        request: Request<pb::ListQualityScoresRequest>,
    ) -> Result<Response<pb::ListQualityScoresResponse>, Status> {
        answer(self.quality_scores_(request).await)
    }

    async fn list_quality_results(
        &self,
        request: Request<pb::ListQualityResultsRequest>,
    ) -> Result<Response<pb::ListQualityResultsResponse>, Status> {
        answer(self.quality_results_(request).await)
    }

    async fn list_alerts(&self, request: Request<pb::ListAlertsRequest>) -> Result<Response<pb::ListAlertsResponse>, Status> {
        answer(self.list_alerts_(request).await)
    }

    async fn set_schedule(&self, request: Request<pb::SetScheduleRequest>) -> Result<Response<pb::Schedule>, Status> {
        answer(self.set_schedule_(request).await)
    }

    async fn list_schedules(&self, request: Request<pb::ListSchedulesRequest>) -> Result<Response<pb::ListSchedulesResponse>, Status> {
        answer(self.list_schedules_(request).await)
    }

    async fn clear_schedule(&self, request: Request<pb::ClearScheduleRequest>) -> Result<Response<pb::ClearScheduleResponse>, Status> {
        answer(self.clear_schedule_(request).await)
    }

    async fn create_webhook(&self, request: Request<pb::CreateWebhookRequest>) -> Result<Response<pb::CreateWebhookResponse>, Status> {
        answer(self.create_webhook_(request).await)
    }

    async fn list_webhooks(&self, request: Request<pb::ListWebhooksRequest>) -> Result<Response<pb::ListWebhooksResponse>, Status> {
        answer(self.list_webhooks_(request).await)
    }

    async fn delete_webhook(&self, request: Request<pb::DeleteWebhookRequest>) -> Result<Response<pb::DeleteWebhookResponse>, Status> {
        answer(self.delete_webhook_(request).await)
    }

    async fn test_webhook(&self, request: Request<pb::TestWebhookRequest>) -> Result<Response<pb::TestWebhookResponse>, Status> {
        answer(self.test_webhook_(request).await)
    }

    async fn list_dead_letters(
        &self,
        request: Request<pb::ListDeadLettersRequest>,
    ) -> Result<Response<pb::ListDeadLettersResponse>, Status> {
        answer(self.list_dead_letters_(request).await)
    }

    async fn get_dead_letter(&self, request: Request<pb::GetDeadLetterRequest>) -> Result<Response<pb::DeadLetter>, Status> {
        answer(self.get_dead_letter_(request).await)
    }

    async fn replay_dead_letters(
        &self,
        request: Request<pb::ReplayDeadLettersRequest>,
    ) -> Result<Response<pb::ReplayDeadLettersResponse>, Status> {
        answer(self.replay_dead_letters_(request).await)
    }

    async fn walk_lineage(&self, request: Request<pb::WalkLineageRequest>) -> Result<Response<pb::WalkLineageResponse>, Status> {
        answer(self.walk_lineage_(request).await)
    }

    async fn list_audit(&self, request: Request<pb::ListAuditRequest>) -> Result<Response<pb::ListAuditResponse>, Status> {
        answer(self.list_audit_(request).await)
    }

    type FollowRunStream = ReceiverStream<Result<pb::RunProgress, Status>>;

    async fn follow_run(&self, request: Request<pb::FollowRunRequest>) -> Result<Response<Self::FollowRunStream>, Status> {
        answer(self.follow_run_(request).await)
    }
}
