//! Statements: planned for GetFlightInfo, planned again and run for DoGet.

use arrow_array::RecordBatch;
use arrow_flight::sql::{ActionCreatePreparedStatementResult, ProstMessageExt, TicketStatementQuery};
use arrow_flight::{FlightDescriptor, FlightEndpoint, FlightInfo, IpcMessage, SchemaAsIpc, Ticket};
use arrow_schema::{DataType, Field, Schema};
use bytes::Bytes;
use datafusion::common::ScalarValue;
use lakewright_proto::{Error, ErrorCode};
use lakewright_storage::query::{Planned, QuerySession};
use prost::Message;
use tonic::{Response, Status};
use uuid::Uuid;

use crate::answer::{self, DataStream};
use crate::auth::Session;
use crate::server::Parts;
use crate::ticket::{now, open, seal, Claims, Use, HANDLE_LIFE, TICKET_LIFE};

/// Bytes of bound parameters in a handle.
const MAX_PARAMETERS: usize = 4 << 20;

fn internal(what: &str, e: impl std::fmt::Display) -> Error {
    Error::new(ErrorCode::Internal, format!("{what}: {e}"))
}

impl Parts {
    /// Plans, and answers with a schema and a ticket. Nothing runs.
    pub(crate) async fn info(
        &self,
        session: &Session,
        sql: String,
        parameters: Option<Vec<u8>>,
        descriptor: FlightDescriptor,
    ) -> Result<FlightInfo, Status> {
        let query = self.engine.session_without(session.tenant_id, None, &session.hidden)?;
        let planned = query.plan(&sql).await?.bind(values(parameters.as_deref())?)?;
        let schema = query.schema(&planned)?;
        let claims = self.claims(session, Use::Ticket, sql, parameters, Some(query.version()));
        let handle = TicketStatementQuery { statement_handle: seal(self.keys.as_ref(), &claims)?.into() };
        let endpoint = FlightEndpoint::new().with_ticket(Ticket::new(handle.as_any().encode_to_vec()));
        let info = FlightInfo::new().try_with_schema(&schema).map_err(|e| internal("the answer's schema", e))?;
        Ok(info.with_endpoint(endpoint).with_descriptor(descriptor))
    }

    /// Runs what a ticket names, at the version it pins.
    pub(crate) async fn fetch(&self, session: &Session, ticket: &[u8]) -> Result<Response<DataStream>, Status> {
        let claims = open(self.keys.as_ref(), Use::Ticket, session, ticket, now())?;
        self.run(session, claims).await
    }

    /// Runs a prepared statement at the current version.
    pub(crate) async fn fetch_prepared(&self, session: &Session, handle: &[u8]) -> Result<Response<DataStream>, Status> {
        let mut claims = self.handle(session, handle)?;
        claims.query = Uuid::new_v4();
        self.run(session, claims).await
    }

    async fn run(&self, session: &Session, claims: Claims) -> Result<Response<DataStream>, Status> {
        let slot = self.running.begin(session.tenant_id, claims.query)?;
        let query = self.engine.session_without(session.tenant_id, claims.version, &session.hidden)?;
        let planned = query.plan(&claims.sql).await?.bind(values(claims.parameters.as_deref())?)?;
        let mut cancel = slot.cancelled.clone();
        let stream = tokio::select! {
            stream = query.run(planned) => stream?,
            _ = cancel.wait_for(|c| *c) => return Err(crate::running::cancelled().into()),
        };
        Ok(answer::query(stream, slot, &session.slug))
    }

    /// Checks a statement and answers with its handle and schemas.
    pub(crate) async fn prepare(&self, session: &Session, sql: String) -> Result<ActionCreatePreparedStatementResult, Status> {
        let query = self.engine.session_without(session.tenant_id, None, &session.hidden)?;
        let planned = query.plan(&sql).await?;
        let parameters = parameter_schema(&planned)?;
        let dataset = dataset_schema(&query, &planned)?;
        let claims = self.claims(session, Use::Handle, sql, None, None);
        Ok(ActionCreatePreparedStatementResult {
            prepared_statement_handle: seal(self.keys.as_ref(), &claims)?.into(),
            dataset_schema: dataset,
            parameter_schema: parameters,
        })
    }

    /// A handle with parameters in it.
    pub(crate) fn bind(&self, session: &Session, handle: &[u8], batch: &RecordBatch) -> Result<Bytes, Error> {
        if batch.num_rows() != 1 {
            let message = format!("{} rows of parameters were bound; a query takes one row", batch.num_rows());
            return Err(Error::new(ErrorCode::InvalidArgument, message));
        }
        let mut claims = self.handle(session, handle)?;
        let fault = |e| internal("the parameters cannot be kept", e);
        let mut writer = arrow::ipc::writer::StreamWriter::try_new(Vec::new(), &batch.schema()).map_err(fault)?;
        writer.write(batch).map_err(fault)?;
        let bytes = writer.into_inner().map_err(fault)?;
        if bytes.len() > MAX_PARAMETERS {
            let message = format!("the parameters are {} bytes; at most {MAX_PARAMETERS}", bytes.len());
            return Err(Error::new(ErrorCode::InvalidArgument, message));
        }
        claims.parameters = Some(bytes);
        Ok(seal(self.keys.as_ref(), &claims)?.into())
    }

    /// A prepared statement's claims.
    pub(crate) fn handle(&self, session: &Session, handle: &[u8]) -> Result<Claims, Error> {
        open(self.keys.as_ref(), Use::Handle, session, handle, now())
    }

    /// Cancels the query behind a FlightInfo; only its own user may.
    pub(crate) fn cancel(&self, session: &Session, info: &FlightInfo) -> Result<(), Error> {
        let bad = || Error::new(ErrorCode::InvalidArgument, "the FlightInfo to cancel holds no ticket of a query");
        let ticket = info.endpoint.first().and_then(|e| e.ticket.as_ref()).ok_or_else(bad)?;
        let any = arrow_flight::sql::Any::decode(&*ticket.ticket).map_err(|_| bad())?;
        let statement: Option<TicketStatementQuery> = any.unpack().map_err(|_| bad())?;
        let handle = statement.ok_or_else(bad)?.statement_handle;
        let claims = open(self.keys.as_ref(), Use::Ticket, session, &handle, now())?;
        self.running.cancel(claims.query);
        Ok(())
    }

    fn claims(&self, session: &Session, purpose: Use, sql: String, parameters: Option<Vec<u8>>, version: Option<u64>) -> Claims {
        let life = if purpose == Use::Ticket { TICKET_LIFE } else { HANDLE_LIFE };
        Claims {
            purpose,
            query: Uuid::new_v4(),
            sql,
            parameters,
            version,
            tenant: session.tenant_id,
            user: session.user_id,
            principal: session.principal.clone(),
            expires_at: now() + life,
        }
    }
}

fn values(parameters: Option<&[u8]>) -> Result<Vec<ScalarValue>, Error> {
    let Some(bytes) = parameters else { return Ok(Vec::new()) };
    let fault = |e| Error::new(ErrorCode::InvalidArgument, format!("the bound parameters cannot be read: {e}"));
    let mut reader = arrow::ipc::reader::StreamReader::try_new(bytes, None).map_err(fault)?;
    let Some(batch) = reader.next().transpose().map_err(fault)? else { return Ok(Vec::new()) };
    let value = |c: &arrow_array::ArrayRef| {
        ScalarValue::try_from_array(c, 0).map_err(|e| Error::new(ErrorCode::InvalidArgument, format!("a bound parameter: {e}")))
    };
    batch.columns().iter().map(value).collect()
}

fn parameter_schema(planned: &Planned) -> Result<Bytes, Error> {
    // A type that the query does not tell is text: every client can send it, and it is cast where it is used.
    let fields = planned.parameters()?.into_iter().map(|(name, t)| Field::new(name, t.unwrap_or(DataType::Utf8), true));
    message(&Schema::new(fields.collect::<Vec<_>>()))
}

fn dataset_schema(query: &QuerySession, planned: &Planned) -> Result<Bytes, Error> {
    message(query.schema(planned)?.as_ref())
}

/// A schema as an encapsulated IPC message.
pub(crate) fn message(schema: &Schema) -> Result<Bytes, Error> {
    let options = arrow::ipc::writer::IpcWriteOptions::default();
    let IpcMessage(bytes) = SchemaAsIpc::new(schema, &options).try_into().map_err(|e| internal("a schema cannot be written", e))?;
    Ok(bytes)
}
