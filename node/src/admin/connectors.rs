//! Connectors.

use std::sync::Arc;

use lakewright_actors::connectors::ConnectorKind;
use lakewright_actors::tenant::build_source;
use lakewright_proto::ids::validate_slug;
use lakewright_proto::{admin as pb, ConnectorId, Error, ErrorCode, TenantId};
use lakewright_storage::catalog::command::Command;
use lakewright_storage::catalog::keyspace::{Connectors, SourceShards};
use lakewright_storage::catalog::records::{Connector, ConnectorStatus, SealedSecret};
use lakewright_storage::catalog::Read as _;
use tonic::Request;

use super::access::{not_found, Caller};
use super::convert;
use super::pages::page;
use super::service::AdminService;
use crate::auth::Action;

impl AdminService {
    pub(super) fn connector(&self, tenant: TenantId, name: &str) -> Result<Connector, Error> {
        let view = self.services().catalog.view();
        let found = match name.parse::<ConnectorId>() {
            Ok(id) => view.get::<Connectors>(&(tenant, id)).map_err(Error::from)?,
            Err(_) => view.connector_by_name(tenant, name).map_err(Error::from)?,
        };
        found.ok_or_else(|| not_found(format_args!("connector {name:?}")))
    }

    fn kind(&self, name: &str) -> Result<&Arc<dyn ConnectorKind>, Error> {
        let kinds = &self.services().kinds;
        kinds.iter().find(|k| k.name() == name).ok_or_else(|| {
            let known: Vec<_> = kinds.iter().map(|k| k.name()).collect();
            Error::new(ErrorCode::InvalidArgument, format!("no connector kind {name:?}; there are: {}", known.join(", ")))
        })
    }

    pub(super) fn connector_message(&self, connector: &Connector, with_shards: bool) -> Result<pb::Connector, Error> {
        let view = self.services().catalog.view();
        let mut shards = Vec::new();
        if with_shards {
            for ((.., stream, _), _) in view.scan::<SourceShards>(&(connector.tenant_id, connector.id)).map_err(Error::from)? {
                for shard in view.shards(connector.tenant_id, connector.id, &stream).map_err(Error::from)? {
                    if !shards.iter().any(|s: &lakewright_storage::catalog::records::Shard| s.id == shard.id) {
                        shards.push(shard);
                    }
                }
            }
        }
        Ok(convert::connector(connector, self.kind(&connector.kind)?.secret_keys(), shards))
    }

    /// Checks a configuration, has the source complete it, and takes its secrets out of it, sealed.
    async fn checked(
        &self,
        kind: &Arc<dyn ConnectorKind>,
        tenant: TenantId,
        id: ConnectorId,
        version: u64,
        config_json: &str,
    ) -> Result<(String, Vec<(String, SealedSecret)>), Error> {
        let invalid = |m: String| Error::new(ErrorCode::InvalidArgument, m);
        let config: serde_json::Value =
            serde_json::from_str(config_json).map_err(|e| invalid(format!("the configuration is not JSON: {e}")))?;
        let faults = kind.check(&config);
        if !faults.is_empty() {
            return Err(invalid(format!("the configuration of a {} connector has faults:\n- {}", kind.name(), faults.join("\n- "))));
        }
        let is_new = version == 1;
        let refused = if is_new { kind.out_of_reach(&config, tenant, &self.services().reach) } else { Vec::new() };
        if !refused.is_empty() {
            return Err(Error::new(ErrorCode::PermissionDenied, format!("the connector may not be made:\n- {}", refused.join("\n- "))));
        }
        let unreachable = |e: lakewright_actors::connectors::SourceError| {
            Error::new(ErrorCode::Unavailable, format!("the source could not be asked what belongs to the configuration: {e}"))
        };
        let mut config = kind.complete(config).await.map_err(unreachable)?;
        let mut secrets = Vec::new();
        if let Some(object) = config.as_object_mut() {
            for field in kind.secret_keys() {
                if let Some(serde_json::Value::String(secret)) = object.remove(*field) {
                    let version = u32::try_from(version).unwrap_or(u32::MAX);
                    secrets.push(((*field).to_owned(), self.seal(tenant, id, field, version, &secret)?));
                }
            }
        }
        Ok((config.to_string(), secrets))
    }

    pub(super) async fn create_connector_(&self, request: Request<pb::CreateConnectorRequest>) -> Result<pb::Connector, Error> {
        let caller = self.caller(&request, &request.get_ref().tenant, Action::ManageConnectors)?;
        let r = request.into_inner();
        validate_slug("connector name", &r.name)?;
        let kind = r.kind().as_str_name().trim_start_matches("CONNECTOR_KIND_").to_ascii_lowercase();
        let kind = Arc::clone(self.kind(&kind)?);
        let id = ConnectorId::generate();
        let (config_json, secrets) = self.checked(&kind, caller.tenant.id, id, 1, &r.config_json).await?;
        let connector = Connector {
            id,
            tenant_id: caller.tenant.id,
            name: r.name.clone(),
            kind: kind.name().to_owned(),
            config_json,
            status: ConnectorStatus::Active,
            created_at: 0,
            version: 1,
        };
        self.propose(&caller.principal, &r.request_id, Command::CreateConnector { connector, secrets }).await?;
        self.connector_message(&self.connector(caller.tenant.id, &r.name)?, false)
    }

    pub(super) async fn update_connector_(&self, request: Request<pb::UpdateConnectorRequest>) -> Result<pb::Connector, Error> {
        let caller = self.caller(&request, &request.get_ref().tenant, Action::ManageConnectors)?;
        let r = request.into_inner();
        let mut connector = self.connector(caller.tenant.id, &r.connector)?;
        if r.if_version != 0 && r.if_version != connector.version {
            let message =
                format!("connector {:?} is at version {}, not {}; read it again", connector.name, connector.version, r.if_version);
            return Err(Error::new(ErrorCode::Conflict, message));
        }
        let kind = Arc::clone(self.kind(&connector.kind)?);
        let (config_json, secrets) = self.checked(&kind, connector.tenant_id, connector.id, connector.version + 1, &r.config_json).await?;
        connector.config_json = config_json;
        let (tenant, id) = (connector.tenant_id, connector.id.to_string());
        self.propose(&caller.principal, &r.request_id, Command::UpdateConnector { connector, secrets }).await?;
        self.connector_message(&self.connector(tenant, &id)?, false)
    }

    pub(super) async fn list_connectors_(&self, request: Request<pb::ListConnectorsRequest>) -> Result<pb::ListConnectorsResponse, Error> {
        let caller = self.caller(&request, &request.get_ref().tenant, Action::ReadConnectors)?;
        let r = request.into_inner();
        let all = self.services().catalog.view().scan::<Connectors>(&caller.tenant.id).map_err(Error::from)?;
        let mut all: Vec<Connector> = all.into_iter().map(|(_, c)| c).collect();
        all.sort_by(|a, b| a.name.cmp(&b.name));
        let (rows, next_page_token) = page(all, r.page_size, &r.page_token)?;
        let connectors = rows.iter().map(|c| self.connector_message(c, false)).collect::<Result<_, _>>()?;
        Ok(pb::ListConnectorsResponse { connectors, next_page_token })
    }

    pub(super) async fn get_connector_(&self, request: Request<pb::GetConnectorRequest>) -> Result<pb::Connector, Error> {
        let caller = self.caller(&request, &request.get_ref().tenant, Action::ReadConnectors)?;
        self.connector_message(&self.connector(caller.tenant.id, &request.get_ref().connector)?, true)
    }

    pub(super) async fn test_connector_(&self, request: Request<pb::TestConnectorRequest>) -> Result<pb::TestConnectorResponse, Error> {
        let caller = self.caller(&request, &request.get_ref().tenant, Action::ManageConnectors)?;
        let record = self.connector(caller.tenant.id, &request.get_ref().connector)?;
        let source = build_source(self.services(), &record)?;
        Ok(match source.test().await {
            Ok(message) => pb::TestConnectorResponse { ok: true, message },
            Err(e) => pb::TestConnectorResponse { ok: false, message: e.to_string() },
        })
    }

    pub(super) async fn discover_connector_(
        &self,
        request: Request<pb::DiscoverConnectorRequest>,
    ) -> Result<pb::DiscoverConnectorResponse, Error> {
        let caller = self.caller(&request, &request.get_ref().tenant, Action::ManageConnectors)?;
        let record = self.connector(caller.tenant.id, &request.get_ref().connector)?;
        let source = build_source(self.services(), &record)?;
        let streams = source.discover().await.map_err(|e| Error::new(ErrorCode::Unavailable, e.to_string()))?;
        let stream = |s: lakewright_actors::connectors::StreamInfo| pb::Stream {
            name: s.name,
            description: s.description,
            estimated_records: s.estimate.map(|e| e.0),
            estimated_bytes: s.estimate.map(|e| e.1),
        };
        Ok(pb::DiscoverConnectorResponse { streams: streams.into_iter().map(stream).collect() })
    }

    /// Sets the status, and ends open runs where the connector is to stop.
    pub(super) async fn set_connector_status(
        &self,
        caller: &Caller,
        name: &str,
        request_id: &str,
        status: ConnectorStatus,
    ) -> Result<pb::Connector, Error> {
        let record = self.connector(caller.tenant.id, name)?;
        let command = Command::SetConnectorStatus { tenant: record.tenant_id, connector: record.id, status };
        self.propose(&caller.principal, request_id, command).await?;
        self.connector_message(&self.connector(caller.tenant.id, name)?, true)
    }

    pub(super) async fn reset_connector_(&self, request: Request<pb::ResetConnectorRequest>) -> Result<pb::Connector, Error> {
        let caller = self.caller(&request, &request.get_ref().tenant, Action::ManageConnectors)?;
        let r = request.into_inner();
        let record = self.connector(caller.tenant.id, &r.connector)?;
        let mut streams: Vec<String> = {
            let view = self.services().catalog.view();
            let shards = view.scan::<SourceShards>(&(record.tenant_id, record.id)).map_err(Error::from)?;
            shards.into_iter().map(|((.., stream, _), _)| stream).collect()
        };
        streams.dedup();
        streams.retain(|s| r.stream.is_empty() || *s == r.stream);
        if streams.is_empty() && !r.stream.is_empty() {
            return Err(not_found(format_args!("stream {:?} of {:?}", r.stream, record.name)));
        }
        for stream in streams {
            let command = Command::ResetStream { tenant: record.tenant_id, connector: record.id, stream };
            self.propose(&caller.principal, "", command).await?;
        }
        self.connector_message(&record, true)
    }
}

impl AdminService {
    pub(super) async fn pause_connector_(&self, request: Request<pb::PauseConnectorRequest>) -> Result<pb::Connector, Error> {
        let caller = self.caller(&request, &request.get_ref().tenant, Action::RunConnectors)?;
        let r = request.into_inner();
        self.set_connector_status(&caller, &r.connector, &r.request_id, ConnectorStatus::Paused).await
    }

    pub(super) async fn resume_connector_(&self, request: Request<pb::ResumeConnectorRequest>) -> Result<pb::Connector, Error> {
        let caller = self.caller(&request, &request.get_ref().tenant, Action::RunConnectors)?;
        let r = request.into_inner();
        let record = self.connector(caller.tenant.id, &r.connector)?;
        if matches!(record.status, ConnectorStatus::Broken { .. }) {
            let message = format!("connector {:?} is broken, not paused; mend the cause, then clear it", record.name);
            return Err(Error::new(ErrorCode::Conflict, message));
        }
        self.set_connector_status(&caller, &r.connector, &r.request_id, ConnectorStatus::Active).await
    }

    pub(super) async fn clear_broken_(&self, request: Request<pb::ClearBrokenRequest>) -> Result<pb::Connector, Error> {
        let caller = self.caller(&request, &request.get_ref().tenant, Action::RunConnectors)?;
        let r = request.into_inner();
        let record = self.connector(caller.tenant.id, &r.connector)?;
        if !matches!(record.status, ConnectorStatus::Broken { .. }) {
            return Err(Error::new(ErrorCode::Conflict, format!("connector {:?} is not broken", record.name)));
        }
        self.set_connector_status(&caller, &r.connector, &r.request_id, ConnectorStatus::Active).await
    }
}
