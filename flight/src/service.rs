//! Flight SQL, call by call. Every call says first who calls.

use std::pin::Pin;
use std::sync::Arc;

use arrow_flight::decode::FlightRecordBatchStream;
use arrow_flight::error::FlightError;
use arrow_flight::flight_service_server::FlightService;
use arrow_flight::sql::server::{FlightSqlService, PeekableFlightDataStream};
use arrow_flight::sql::*;
use arrow_flight::{Action, ActionType, CancelStatus, FlightDescriptor, FlightInfo, HandshakeRequest, HandshakeResponse, PollInfo, Ticket};
use futures::{Stream, TryStreamExt};
use lakewright_proto::{Error, ErrorCode};
use prost::Message;
use tonic::transport::server::TlsConnectInfo;
use tonic::{Request, Response, Status, Streaming};

use crate::actions::{self, CLOSE_SESSION};
use crate::answer;
use crate::auth::{caller, credentials, Credentials};
use crate::connection::Connection;
use crate::info;
use crate::keys::Side;
use crate::options::setting;
use crate::server::Parts;
use crate::sessions::{named, Caller};

/// Batches of bound parameters that are read; a query takes one row.
const MAX_BOUND: usize = 64;

/// The Flight SQL service.
#[derive(Clone)]
pub struct FlightSql {
    parts: Arc<Parts>,
}

type Info = Result<Response<FlightInfo>, Status>;
type Data = Result<Response<<FlightSql as FlightService>::DoGetStream>, Status>;

fn read_only<T>() -> Result<T, Status> {
    let message = "Flight SQL is read-only; tables are written by connectors and packs (see `lakewright connector` and `lakewright pack`)";
    Err(Error::new(ErrorCode::InvalidArgument, message).into())
}

fn no_substrait<T>() -> Result<T, Status> {
    Err(Status::unimplemented("Substrait plans are not served; send SQL"))
}

fn no_transactions<T>() -> Result<T, Status> {
    Err(Status::unimplemented("there are no transactions: each query reads one snapshot"))
}

/// The connection that a request came by.
fn connection<T>(r: &Request<T>) -> Option<&Connection> {
    let plain = r.extensions().get::<Connection>();
    plain.or_else(|| r.extensions().get::<TlsConnectInfo<Connection>>().map(TlsConnectInfo::get_ref))
}

impl FlightSql {
    pub(crate) fn new(parts: Arc<Parts>) -> Self {
        Self { parts }
    }

    /// The caller, with the session of its cookie or else of its connection.
    pub(crate) fn caller<T>(&self, r: &Request<T>) -> Result<Caller, Status> {
        let who = caller(self.parts.auth.as_ref(), r.metadata())?;
        let state = match named(r.metadata()) {
            Some(id) => self.parts.sessions.find(id, &who)?,
            None => connection(r).map(|c| c.state(who.tenant_id, who.user_id)).unwrap_or_default(),
        };
        Ok(Caller { who, state })
    }

    /// Polls for a query's first rows; metadata is there at once.
    pub(crate) async fn poll(&self, r: Request<FlightDescriptor>) -> Result<Response<PollInfo>, Status> {
        let caller = self.caller(&r)?;
        let any = Any::decode(&*r.get_ref().cmd).ok();
        let again = any.as_ref().and_then(|any| any.unpack::<TicketStatementQuery>().ok().flatten());
        let query = any.is_some_and(|any| any.is::<CommandStatementQuery>() || any.is::<CommandPreparedStatementQuery>());
        let info = match again {
            Some(ticket) => self.parts.polled(&caller, &ticket.statement_handle, r.into_inner()).await?,
            None => {
                let info = self.get_flight_info(r).await?.into_inner();
                if !query {
                    let done = PollInfo::new().with_info(info).try_with_progress(1.0).map_err(|e| Status::internal(e.to_string()))?;
                    return Ok(Response::new(done));
                }
                info
            }
        };
        Ok(Response::new(self.parts.poll(&caller, info).await?))
    }

    /// The schema of a statement about options, if it is one.
    pub(crate) fn setting_schema(&self, r: &Request<FlightDescriptor>) -> Result<Option<bytes::Bytes>, Status> {
        self.parts.setting_schema(&self.caller(r)?, r.get_ref())
    }

    /// An update is a statement about options, or it is refused.
    fn update(&self, caller: &Caller, sql: &str) -> Result<i64, Status> {
        match setting(sql)? {
            Some(setting) => self.parts.set(caller, &setting).map(|_| 0).map_err(Status::from),
            None => read_only(),
        }
    }

    fn metadata_info<C: ProstMessageExt>(&self, command: &C, schema: &arrow_schema::Schema, r: Request<FlightDescriptor>) -> Info {
        self.caller(&r)?;
        crate::metadata::info(command, schema, r.into_inner())
    }
}

#[tonic::async_trait]
impl FlightSqlService for FlightSql {
    type FlightService = FlightSql;

    async fn do_handshake(
        &self,
        request: Request<Streaming<HandshakeRequest>>,
    ) -> Result<Response<Pin<Box<dyn Stream<Item = Result<HandshakeResponse, Status>> + Send>>>, Status> {
        // The password is the API token: it is checked here and carried on as the bearer token.
        let token = match credentials(request.metadata())? {
            Credentials::Basic(user, password) => {
                self.parts.auth.basic(&user, &password)?;
                password
            }
            Credentials::Bearer(token) => {
                self.parts.auth.bearer(&token)?;
                token
            }
        };
        let header = format!("Bearer {token}").parse();
        let header = header.map_err(|_| Status::from(Error::new(ErrorCode::Unauthenticated, "the token cannot stand in a header")))?;
        let answer = HandshakeResponse { protocol_version: 0, payload: token.into() };
        let mut response: Response<Pin<Box<dyn Stream<Item = _> + Send>>> = Response::new(Box::pin(futures::stream::iter([Ok(answer)])));
        response.metadata_mut().insert("authorization", header);
        Ok(response)
    }

    async fn get_flight_info_statement(&self, query: CommandStatementQuery, r: Request<FlightDescriptor>) -> Info {
        let session = self.caller(&r)?;
        self.parts.info(&session, query.query, None, None, r.into_inner()).await
    }

    async fn get_flight_info_substrait_plan(&self, _: CommandStatementSubstraitPlan, _: Request<FlightDescriptor>) -> Info {
        no_substrait()
    }

    async fn get_flight_info_prepared_statement(&self, query: CommandPreparedStatementQuery, r: Request<FlightDescriptor>) -> Info {
        let session = self.caller(&r)?;
        let claims = self.parts.handle(&session, &query.prepared_statement_handle)?;
        self.parts.info(&session, claims.sql, claims.parameters, Some(claims.query), r.into_inner()).await
    }

    async fn get_flight_info_catalogs(&self, query: CommandGetCatalogs, r: Request<FlightDescriptor>) -> Info {
        self.metadata_info(&query, &query.into_builder().schema(), r)
    }

    async fn get_flight_info_schemas(&self, query: CommandGetDbSchemas, r: Request<FlightDescriptor>) -> Info {
        self.metadata_info(&query, &query.clone().into_builder().schema(), r)
    }

    async fn get_flight_info_tables(&self, query: CommandGetTables, r: Request<FlightDescriptor>) -> Info {
        self.metadata_info(&query, &query.clone().into_builder().schema(), r)
    }

    async fn get_flight_info_table_types(&self, query: CommandGetTableTypes, r: Request<FlightDescriptor>) -> Info {
        self.metadata_info(&query, &query.into_builder().schema(), r)
    }

    async fn get_flight_info_sql_info(&self, query: CommandGetSqlInfo, r: Request<FlightDescriptor>) -> Info {
        self.metadata_info(&query, &info::sql_info()?.schema(), r)
    }

    async fn get_flight_info_primary_keys(&self, query: CommandGetPrimaryKeys, r: Request<FlightDescriptor>) -> Info {
        self.metadata_info(&query, &crate::keys::primary_keys(), r)
    }

    async fn get_flight_info_exported_keys(&self, query: CommandGetExportedKeys, r: Request<FlightDescriptor>) -> Info {
        self.metadata_info(&query, &crate::keys::foreign_keys(), r)
    }

    async fn get_flight_info_imported_keys(&self, query: CommandGetImportedKeys, r: Request<FlightDescriptor>) -> Info {
        self.metadata_info(&query, &crate::keys::foreign_keys(), r)
    }

    async fn get_flight_info_cross_reference(&self, query: CommandGetCrossReference, r: Request<FlightDescriptor>) -> Info {
        self.metadata_info(&query, &crate::keys::foreign_keys(), r)
    }

    async fn get_flight_info_xdbc_type_info(&self, query: CommandGetXdbcTypeInfo, r: Request<FlightDescriptor>) -> Info {
        let types = info::types()?;
        self.metadata_info(&query, &query.into_builder(&types).schema(), r)
    }

    async fn do_get_statement(&self, ticket: TicketStatementQuery, r: Request<Ticket>) -> Data {
        let session = self.caller(&r)?;
        self.parts.fetch(&session, &ticket.statement_handle).await
    }

    async fn do_get_prepared_statement(&self, query: CommandPreparedStatementQuery, r: Request<Ticket>) -> Data {
        let session = self.caller(&r)?;
        self.parts.fetch_prepared(&session, &query.prepared_statement_handle).await
    }

    async fn do_get_catalogs(&self, query: CommandGetCatalogs, r: Request<Ticket>) -> Data {
        self.parts.catalogs(&self.caller(&r)?.who, query)
    }

    async fn do_get_schemas(&self, query: CommandGetDbSchemas, r: Request<Ticket>) -> Data {
        self.parts.schemas(&self.caller(&r)?.who, query)
    }

    async fn do_get_tables(&self, query: CommandGetTables, r: Request<Ticket>) -> Data {
        self.parts.tables(&self.caller(&r)?.who, query)
    }

    async fn do_get_table_types(&self, query: CommandGetTableTypes, r: Request<Ticket>) -> Data {
        self.caller(&r)?;
        self.parts.table_types(query)
    }

    async fn do_get_sql_info(&self, query: CommandGetSqlInfo, r: Request<Ticket>) -> Data {
        self.caller(&r)?;
        let built = query.into_builder(&info::sql_info()?).build();
        built.map(answer::batch).map_err(|e| Status::internal(e.to_string()))
    }

    async fn do_get_primary_keys(&self, query: CommandGetPrimaryKeys, r: Request<Ticket>) -> Data {
        crate::keys::primary_key_rows(&self.parts, &self.caller(&r)?.who, &query)
    }

    async fn do_get_exported_keys(&self, q: CommandGetExportedKeys, r: Request<Ticket>) -> Data {
        let side = Side { catalog: q.catalog, schema: q.db_schema, table: q.table };
        crate::keys::foreign_key_rows(&self.parts, &self.caller(&r)?.who, Some(side), None)
    }

    async fn do_get_imported_keys(&self, q: CommandGetImportedKeys, r: Request<Ticket>) -> Data {
        let side = Side { catalog: q.catalog, schema: q.db_schema, table: q.table };
        crate::keys::foreign_key_rows(&self.parts, &self.caller(&r)?.who, None, Some(side))
    }

    async fn do_get_cross_reference(&self, q: CommandGetCrossReference, r: Request<Ticket>) -> Data {
        let to = Side { catalog: q.pk_catalog, schema: q.pk_db_schema, table: q.pk_table };
        let from = Side { catalog: q.fk_catalog, schema: q.fk_db_schema, table: q.fk_table };
        crate::keys::foreign_key_rows(&self.parts, &self.caller(&r)?.who, Some(to), Some(from))
    }

    async fn do_get_xdbc_type_info(&self, query: CommandGetXdbcTypeInfo, r: Request<Ticket>) -> Data {
        self.caller(&r)?;
        let built = query.into_builder(&info::types()?).build();
        built.map(answer::batch).map_err(|e| Status::internal(e.to_string()))
    }

    async fn do_put_statement_update(&self, u: CommandStatementUpdate, r: Request<PeekableFlightDataStream>) -> Result<i64, Status> {
        self.update(&self.caller(&r)?, &u.query)
    }

    async fn do_put_statement_ingest(&self, _: CommandStatementIngest, _: Request<PeekableFlightDataStream>) -> Result<i64, Status> {
        read_only()
    }

    async fn do_put_prepared_statement_update(
        &self,
        u: CommandPreparedStatementUpdate,
        r: Request<PeekableFlightDataStream>,
    ) -> Result<i64, Status> {
        let caller = self.caller(&r)?;
        let claims = self.parts.handle(&caller, &u.prepared_statement_handle)?;
        self.update(&caller, &claims.sql)
    }

    async fn do_put_substrait_plan(&self, _: CommandStatementSubstraitPlan, _: Request<PeekableFlightDataStream>) -> Result<i64, Status> {
        no_substrait()
    }

    async fn do_put_prepared_statement_query(
        &self,
        query: CommandPreparedStatementQuery,
        r: Request<PeekableFlightDataStream>,
    ) -> Result<DoPutPreparedStatementResult, Status> {
        let session = self.caller(&r)?;
        let data = r.into_inner().map_err(FlightError::from);
        let mut bound = FlightRecordBatchStream::new_from_flight_data(data);
        let mut batches = Vec::new();
        while let Some(batch) = bound.try_next().await.map_err(|e| Status::invalid_argument(format!("the bound parameters: {e}")))? {
            batches.push(batch);
            if batches.len() > MAX_BOUND {
                return Err(Status::invalid_argument("too many batches of parameters; a query takes one row"));
            }
        }
        let schema = batches.first().map(|b| b.schema()).ok_or_else(|| Status::invalid_argument("no parameters were bound"))?;
        let all = arrow::compute::concat_batches(&schema, &batches).map_err(|e| Status::invalid_argument(e.to_string()))?;
        let handle = self.parts.bind(&session, &query.prepared_statement_handle, &all)?;
        Ok(DoPutPreparedStatementResult { prepared_statement_handle: Some(handle) })
    }

    async fn do_action_create_prepared_statement(
        &self,
        query: ActionCreatePreparedStatementRequest,
        r: Request<Action>,
    ) -> Result<ActionCreatePreparedStatementResult, Status> {
        let session = self.caller(&r)?;
        self.parts.prepare(&session, query.query).await
    }

    /// Nothing is kept for a statement, so there is nothing to close.
    async fn do_action_close_prepared_statement(&self, _: ActionClosePreparedStatementRequest, _: Request<Action>) -> Result<(), Status> {
        Ok(())
    }

    async fn do_action_create_prepared_substrait_plan(
        &self,
        _: ActionCreatePreparedSubstraitPlanRequest,
        _: Request<Action>,
    ) -> Result<ActionCreatePreparedStatementResult, Status> {
        no_substrait()
    }

    async fn do_action_begin_transaction(
        &self,
        _: ActionBeginTransactionRequest,
        _: Request<Action>,
    ) -> Result<ActionBeginTransactionResult, Status> {
        no_transactions()
    }

    async fn do_action_end_transaction(&self, _: ActionEndTransactionRequest, _: Request<Action>) -> Result<(), Status> {
        no_transactions()
    }

    async fn do_action_begin_savepoint(
        &self,
        _: ActionBeginSavepointRequest,
        _: Request<Action>,
    ) -> Result<ActionBeginSavepointResult, Status> {
        no_transactions()
    }

    async fn do_action_end_savepoint(&self, _: ActionEndSavepointRequest, _: Request<Action>) -> Result<(), Status> {
        no_transactions()
    }

    async fn do_action_cancel_query(&self, query: ActionCancelQueryRequest, r: Request<Action>) -> Result<ActionCancelQueryResult, Status> {
        let session = self.caller(&r)?;
        let info = FlightInfo::decode(query.info).map_err(|e| Status::invalid_argument(format!("the FlightInfo to cancel: {e}")))?;
        self.parts.cancel(&session, &info)?;
        Ok(ActionCancelQueryResult { result: CancelStatus::Cancelled as i32 })
    }

    async fn do_action_fallback(&self, r: Request<Action>) -> Result<Response<<Self as FlightService>::DoActionStream>, Status> {
        // A session that is gone already is closed.
        let gone = r.get_ref().r#type == CLOSE_SESSION && self.caller(&r).is_err();
        let caller = if gone {
            Caller { who: caller(self.parts.auth.as_ref(), r.metadata())?, state: Default::default() }
        } else {
            self.caller(&r)?
        };
        if r.get_ref().r#type == CLOSE_SESSION {
            connection(&r).inspect(|c| c.forget(caller.tenant_id, caller.user_id));
        }
        let done = self.parts.act(&caller, r.into_inner())?;
        let body = arrow_flight::Result::new(done.body);
        let mut answer: Response<<Self as FlightService>::DoActionStream> = Response::new(Box::pin(futures::stream::iter([Ok(body)])));
        done.cookie.map(|c| answer.metadata_mut().insert("set-cookie", c));
        Ok(answer)
    }

    async fn list_custom_actions(&self) -> Option<Vec<Result<ActionType, Status>>> {
        Some(actions::listed().into_iter().map(Ok).collect())
    }

    /// Info is fixed when the server is built.
    async fn register_sql_info(&self, _: i32, _: &SqlInfo) {}
}
