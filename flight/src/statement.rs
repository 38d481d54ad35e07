//! Statements: planned for GetFlightInfo, planned again and run for DoGet.

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_flight::sql::{
    ActionCreatePreparedStatementResult, CommandPreparedStatementQuery, CommandStatementQuery, ProstMessageExt, TicketStatementQuery,
};
use arrow_flight::{FlightDescriptor, FlightEndpoint, FlightInfo, IpcMessage, PollInfo, SchemaAsIpc, Ticket};
use arrow_schema::{DataType, Field, Schema};
use bytes::Bytes;
use datafusion::common::ScalarValue;
use lakewright_proto::{Error, ErrorCode};
use lakewright_storage::query::{Planned, QuerySession, SessionAsk};
use prost::Message;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::{Response, Status};
use uuid::Uuid;

use crate::answer::{self, DataStream};
use crate::auth::Session;
use crate::options::{self, setting, Setting};
use crate::parked::Begun;
use crate::plans::Ready;
use crate::server::Parts;
use crate::sessions::Caller;
use crate::ticket::{now, open, seal, Claims, Use, HANDLE_LIFE, TICKET_LIFE};

/// Bytes of bound parameters in a handle.
const MAX_PARAMETERS: usize = 4 << 20;

fn internal(what: &str, e: impl std::fmt::Display) -> Error {
    Error::new(ErrorCode::Internal, format!("{what}: {e}"))
}

impl Parts {
    /// Plans a statement, or sets an option, and answers with a schema and a ticket. No query runs.
    pub(crate) async fn info(
        &self,
        caller: &Caller,
        sql: String,
        parameters: Option<Vec<u8>>,
        handle: Option<Uuid>,
        descriptor: FlightDescriptor,
    ) -> Result<Response<FlightInfo>, Status> {
        if let Some(setting) = setting(&sql)? {
            let cookie = self.set(caller, &setting)?;
            let claims = self.claims(caller, Use::Ticket, sql, None, None);
            let mut answer = Response::new(self.described(&claims, &options::schema(), descriptor)?);
            cookie.map(|c| answer.metadata_mut().insert("set-cookie", c));
            return Ok(answer);
        }
        let mut claims = self.claims(caller, Use::Ticket, sql, parameters, None);
        let ready = match self.prepared(caller, &claims, handle)? {
            Some(ready) => ready,
            None => self.ready(caller, &claims, None).await?,
        };
        claims.version = Some(ready.query.version());
        let info = self.described(&claims, ready.query.schema(&ready.planned)?.as_ref(), descriptor)?;
        let info = info.with_app_metadata(ready.passport.to_json());
        self.plans.keep(claims.query, claims.options, ready);
        Ok(Response::new(info))
    }

    /// The plan made when the statement was prepared, if nothing has changed since: drivers prepare each statement first.
    fn prepared(&self, caller: &Caller, claims: &Claims, handle: Option<Uuid>) -> Result<Option<Ready>, Error> {
        let Some((options, ready)) = handle.filter(|_| claims.parameters.is_none()).and_then(|h| self.plans.take(h)) else {
            return Ok(None);
        };
        // `system.passport` changes with every query of the session.
        let shows_last = claims.sql.to_ascii_lowercase().contains("passport");
        if shows_last
            || options != claims.options
            || ready.query.version() != self.engine.version()?
            || ready.query.tenant() != caller.tenant_id
        {
            return Ok(None);
        }
        ready.passport.meets(&claims.options.require)?;
        Ok(Some(ready))
    }

    fn described(&self, claims: &Claims, schema: &Schema, descriptor: FlightDescriptor) -> Result<FlightInfo, Error> {
        let endpoint = FlightEndpoint::new().with_ticket(self.ticket(claims)?);
        let info = FlightInfo::new().try_with_schema(schema).map_err(|e| internal("the answer's schema", e))?;
        Ok(info.with_endpoint(endpoint).with_descriptor(descriptor))
    }

    fn ticket(&self, claims: &Claims) -> Result<Ticket, Error> {
        Ok(Ticket::new(self.statement(claims)?.encode_to_vec()))
    }

    fn statement(&self, claims: &Claims) -> Result<arrow_flight::sql::Any, Error> {
        Ok(TicketStatementQuery { statement_handle: seal(self.keys.as_ref(), claims)?.into() }.as_any())
    }

    /// Applies a statement about options; what was set gets a cookie, for clients that keep those.
    pub(crate) fn set(&self, caller: &Caller, setting: &Setting) -> Result<Option<MetadataValue<Ascii>>, Error> {
        let Setting::Set(name, value) = setting else { return Ok(None) };
        caller.state.change(|o| o.set(&caller.slug, name, value.as_deref()))?;
        Ok(self.sessions.keep(caller))
    }

    /// Plans and binds, and refuses what the caller does not want to read.
    async fn ready(&self, caller: &Caller, claims: &Claims, version: Option<u64>) -> Result<Ready, Error> {
        let ask = SessionAsk { version, hidden: &caller.hidden, first: claims.options.schema, last: caller.state.last() };
        let query = self.engine.open(caller.tenant_id, ask)?;
        let planned = query.plan(&claims.sql).await?.bind(values(claims.parameters.as_deref())?)?;
        let passport = Arc::new(query.passport(&planned).await?);
        passport.meets(&claims.options.require)?;
        Ok(Ready { query, planned, passport })
    }

    /// Runs what a ticket names, at the version it pins.
    pub(crate) async fn fetch(&self, caller: &Caller, ticket: &[u8]) -> Result<Response<DataStream>, Status> {
        let claims = open(self.keys.as_ref(), Use::Ticket, caller, ticket, now())?;
        self.run(caller, claims).await
    }

    /// Runs a prepared statement at the current version.
    pub(crate) async fn fetch_prepared(&self, caller: &Caller, handle: &[u8]) -> Result<Response<DataStream>, Status> {
        let mut claims = self.handle(caller, handle)?;
        claims.query = Uuid::new_v4();
        claims.options = caller.state.options();
        self.run(caller, claims).await
    }

    async fn run(&self, caller: &Caller, claims: Claims) -> Result<Response<DataStream>, Status> {
        if let Some(setting) = setting(&claims.sql)? {
            return Ok(answer::batch(options::answer(&caller.state.options(), &caller.slug, setting.name())?));
        }
        let begun = match self.parked.take(claims.query).await {
            Some(begun) => begun?,
            None => self.begin(caller, &claims).await?,
        };
        caller.state.asked(&begun.ready.passport);
        Ok(answer::query(begun, &caller.slug))
    }

    async fn begin(&self, caller: &Caller, claims: &Claims) -> Result<Begun, Error> {
        let slot = self.running.begin(caller.tenant_id, claims.query)?;
        let ready = match self.plans.take(claims.query) {
            Some((_, ready)) => ready,
            None => self.ready(caller, claims, claims.version).await?,
        };
        let cancel = slot.cancelled.clone();
        let stream = tokio::select! {
            stream = ready.query.run(ready.planned.clone()) => stream?,
            () = crate::running::until_cancelled(cancel) => return Err(crate::running::cancelled()),
        };
        Ok(Begun { stream, first: None, slot, ready })
    }

    /// Begins a query beside the call, or goes on waiting for its first rows.
    pub(crate) async fn poll(&self, caller: &Caller, info: FlightInfo) -> Result<PollInfo, Status> {
        let ticket = handle_of(&info).ok_or_else(|| Error::new(ErrorCode::InvalidArgument, "the descriptor names no query"))?;
        let claims = open(self.keys.as_ref(), Use::Ticket, caller, &ticket, now())?;
        let fault = |e| Status::from(internal("the answer to a poll", e));
        if setting(&claims.sql)?.is_none() {
            if !self.parked.has(claims.query) {
                let slot = self.running.begin(caller.tenant_id, claims.query)?;
                let ready = match self.plans.take(claims.query) {
                    Some((_, ready)) => ready,
                    None => self.ready(caller, &claims, claims.version).await?,
                };
                self.parked.begin(claims.query, ready, slot);
            }
            if !self.parked.poll(claims.query).await? {
                let again = FlightDescriptor::new_cmd(self.statement(&claims)?.encode_to_vec());
                // Without an endpoint nothing is to be fetched yet; the descriptor is what CancelFlightInfo needs.
                let info = FlightInfo { endpoint: Vec::new(), flight_descriptor: Some(again.clone()), ..info };
                return Ok(PollInfo::new().with_info(info).with_descriptor(again));
            }
        }
        PollInfo::new().with_info(info).try_with_progress(1.0).map_err(fault)
    }

    /// The info of a query that is polled for again.
    pub(crate) async fn polled(&self, caller: &Caller, handle: &[u8], descriptor: FlightDescriptor) -> Result<FlightInfo, Status> {
        let claims = open(self.keys.as_ref(), Use::Ticket, caller, handle, now())?;
        let ready = self.ready(caller, &claims, claims.version).await?;
        let info = self.described(&claims, ready.query.schema(&ready.planned)?.as_ref(), descriptor)?;
        Ok(info.with_app_metadata(ready.passport.to_json()))
    }

    /// The schema of a statement about options, which GetSchema must not carry out.
    pub(crate) fn setting_schema(&self, caller: &Caller, descriptor: &FlightDescriptor) -> Result<Option<Bytes>, Status> {
        let Ok(any) = arrow_flight::sql::Any::decode(&*descriptor.cmd) else { return Ok(None) };
        let sql = match (any.unpack::<CommandStatementQuery>(), any.unpack::<CommandPreparedStatementQuery>()) {
            (Ok(Some(q)), _) => q.query,
            (_, Ok(Some(p))) => self.handle(caller, &p.prepared_statement_handle)?.sql,
            _ => return Ok(None),
        };
        Ok(if setting(&sql)?.is_some() { Some(message(&options::schema())?) } else { None })
    }

    /// Gives a ticket another life.
    pub(crate) fn renew(&self, caller: &Caller, mut endpoint: FlightEndpoint) -> Result<FlightEndpoint, Error> {
        let info = FlightInfo { endpoint: vec![endpoint.clone()], ..FlightInfo::default() };
        let handle = handle_of(&info).ok_or_else(|| Error::new(ErrorCode::InvalidArgument, "the endpoint holds no ticket of a query"))?;
        let mut claims = open(self.keys.as_ref(), Use::Ticket, caller, &handle, now())?;
        claims.expires_at = now() + TICKET_LIFE;
        endpoint.ticket = Some(self.ticket(&claims)?);
        Ok(endpoint)
    }

    /// Checks a statement and answers with its handle and schemas.
    pub(crate) async fn prepare(&self, caller: &Caller, sql: String) -> Result<ActionCreatePreparedStatementResult, Status> {
        let claims = self.claims(caller, Use::Handle, sql, None, None);
        let (dataset_schema, parameter_schema) = if setting(&claims.sql)?.is_some() {
            (message(&options::schema())?, message(&Schema::empty())?)
        } else {
            let ask = SessionAsk { hidden: &caller.hidden, first: claims.options.schema, ..SessionAsk::default() };
            let query = self.engine.open(caller.tenant_id, ask)?;
            let planned = query.plan(&claims.sql).await?;
            let schemas = (dataset_schema(&query, &planned)?, parameter_schema(&planned)?);
            if planned.parameters()?.is_empty() {
                let passport = Arc::new(query.passport(&planned).await?);
                self.plans.keep(claims.query, claims.options.clone(), Ready { query, planned, passport });
            }
            schemas
        };
        Ok(ActionCreatePreparedStatementResult {
            prepared_statement_handle: seal(self.keys.as_ref(), &claims)?.into(),
            dataset_schema,
            parameter_schema,
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
        let handle = handle_of(info).ok_or_else(bad)?;
        let claims = open(self.keys.as_ref(), Use::Ticket, session, &handle, now())?;
        self.running.cancel(claims.query);
        Ok(())
    }

    fn claims(&self, session: &Caller, purpose: Use, sql: String, parameters: Option<Vec<u8>>, version: Option<u64>) -> Claims {
        let life = if purpose == Use::Ticket { TICKET_LIFE } else { HANDLE_LIFE };
        Claims {
            purpose,
            query: Uuid::new_v4(),
            sql,
            parameters,
            options: session.state.options(),
            version,
            tenant: session.tenant_id,
            user: session.user_id,
            principal: session.principal.clone(),
            expires_at: now() + life,
        }
    }
}

/// The sealed handle in an info: in its ticket, or in the descriptor of a poll.
fn handle_of(info: &FlightInfo) -> Option<Bytes> {
    let ticket = info.endpoint.first().and_then(|e| e.ticket.as_ref()).map(|t| &t.ticket);
    let bytes = ticket.or(info.flight_descriptor.as_ref().map(|d| &d.cmd))?;
    let any = arrow_flight::sql::Any::decode(&**bytes).ok()?;
    Some(any.unpack::<TicketStatementQuery>().ok()??.statement_handle)
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
