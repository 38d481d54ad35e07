//! The Flight service around Flight SQL: what the Flight SQL trait has no room for.

use arrow_flight::flight_service_server::FlightService;
use arrow_flight::{Action, Criteria, Empty, FlightData, FlightDescriptor, FlightInfo, HandshakeRequest, PollInfo, SchemaResult, Ticket};
use tonic::{Request, Response, Status, Streaming};

use crate::actions::CLOSE_SESSION;
use crate::service::FlightSql;
use crate::statement::message;

type Inner = FlightSql;

/// The service that is mounted.
pub struct FlightGate {
    inner: Inner,
}

impl FlightGate {
    pub(crate) fn new(inner: Inner) -> Self {
        Self { inner }
    }
}

#[tonic::async_trait]
impl FlightService for FlightGate {
    type HandshakeStream = <Inner as FlightService>::HandshakeStream;
    type ListFlightsStream = <Inner as FlightService>::ListFlightsStream;
    type DoGetStream = <Inner as FlightService>::DoGetStream;
    type DoPutStream = <Inner as FlightService>::DoPutStream;
    type DoActionStream = <Inner as FlightService>::DoActionStream;
    type ListActionsStream = <Inner as FlightService>::ListActionsStream;
    type DoExchangeStream = <Inner as FlightService>::DoExchangeStream;

    async fn handshake(&self, r: Request<Streaming<HandshakeRequest>>) -> Result<Response<Self::HandshakeStream>, Status> {
        self.inner.handshake(r).await
    }

    async fn list_flights(&self, r: Request<Criteria>) -> Result<Response<Self::ListFlightsStream>, Status> {
        self.inner.caller(&r)?;
        Ok(Response::new(Box::pin(futures::stream::empty())))
    }

    async fn get_flight_info(&self, r: Request<FlightDescriptor>) -> Result<Response<FlightInfo>, Status> {
        self.inner.get_flight_info(r).await
    }

    /// Begins a query and answers once its first rows are known, or after two seconds with a descriptor to ask again with.
    async fn poll_flight_info(&self, r: Request<FlightDescriptor>) -> Result<Response<PollInfo>, Status> {
        self.inner.poll(r).await
    }

    /// The schema of what GetFlightInfo would answer.
    async fn get_schema(&self, r: Request<FlightDescriptor>) -> Result<Response<SchemaResult>, Status> {
        if let Some(schema) = self.inner.setting_schema(&r)? {
            return Ok(Response::new(SchemaResult { schema }));
        }
        let info = self.inner.get_flight_info(r).await?.into_inner();
        let schema = info.try_decode_schema().map_err(|e| Status::internal(e.to_string()))?;
        Ok(Response::new(SchemaResult { schema: message(&schema)? }))
    }

    async fn do_get(&self, r: Request<Ticket>) -> Result<Response<Self::DoGetStream>, Status> {
        self.inner.do_get(r).await
    }

    async fn do_put(&self, r: Request<Streaming<FlightData>>) -> Result<Response<Self::DoPutStream>, Status> {
        self.inner.caller(&r)?;
        self.inner.do_put(r).await
    }

    async fn do_action(&self, r: Request<Action>) -> Result<Response<Self::DoActionStream>, Status> {
        if r.get_ref().r#type != CLOSE_SESSION {
            self.inner.caller(&r)?;
        }
        self.inner.do_action(r).await
    }

    async fn list_actions(&self, r: Request<Empty>) -> Result<Response<Self::ListActionsStream>, Status> {
        self.inner.list_actions(r).await
    }

    async fn do_exchange(&self, r: Request<Streaming<FlightData>>) -> Result<Response<Self::DoExchangeStream>, Status> {
        self.inner.caller(&r)?;
        Err(Status::unimplemented("DoExchange is not served; use Flight SQL statements"))
    }
}
