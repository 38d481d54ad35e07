//! Catalog, schema, table and key metadata, as the caller's tenant sees it.

use std::sync::Arc;

use arrow_flight::sql::{CommandGetCatalogs, CommandGetDbSchemas, CommandGetTableTypes, CommandGetTables, ProstMessageExt};
use arrow_flight::{FlightDescriptor, FlightEndpoint, FlightInfo, Ticket};
use arrow_schema::Schema;
use lakewright_proto::{Error, ErrorCode};
use lakewright_storage::query::QuerySession;
use prost::Message;
use tonic::{Response, Status};

use crate::answer::{self, DataStream};
use crate::auth::Session;
use crate::server::Parts;

pub(crate) type Answer = Result<Response<DataStream>, Status>;

const SCHEMAS: [&str; 5] = ["bronze", "gold", "platinum", "silver", "system"];

pub(crate) fn fault(e: impl std::fmt::Display) -> Status {
    Error::new(ErrorCode::Internal, format!("metadata cannot be written: {e}")).into()
}

/// The answer to a metadata command's GetFlightInfo: its ticket is the command.
pub(crate) fn info<C: ProstMessageExt>(command: &C, schema: &Schema, descriptor: FlightDescriptor) -> Result<Response<FlightInfo>, Status> {
    let endpoint = FlightEndpoint::new().with_ticket(Ticket::new(command.as_any().encode_to_vec()));
    let info = FlightInfo::new().try_with_schema(schema).map_err(fault)?;
    Ok(Response::new(info.with_endpoint(endpoint).with_descriptor(descriptor)))
}

impl Parts {
    pub(crate) fn session(&self, session: &Session) -> Result<QuerySession, Status> {
        Ok(self.engine.session_without(session.tenant_id, None, &session.hidden)?)
    }

    pub(crate) fn catalogs(&self, session: &Session, query: CommandGetCatalogs) -> Answer {
        let mut builder = query.into_builder();
        builder.append(&session.slug);
        builder.build().map(answer::batch).map_err(fault)
    }

    pub(crate) fn schemas(&self, session: &Session, query: CommandGetDbSchemas) -> Answer {
        let mut builder = query.into_builder();
        for name in SCHEMAS {
            builder.append(&session.slug, name);
        }
        builder.build().map(answer::batch).map_err(fault)
    }

    pub(crate) fn tables(&self, session: &Session, query: CommandGetTables) -> Answer {
        let include = query.include_schema;
        let state = self.session(session)?;
        let mut builder = query.into_builder();
        for t in state.tables()? {
            let schema = if include { state.table_schema(t.layer, &t.name)? } else { Arc::new(Schema::empty()) };
            builder.append(&session.slug, t.layer.as_str(), &t.name, t.kind, &schema).map_err(fault)?;
        }
        builder.build().map(answer::batch).map_err(fault)
    }

    pub(crate) fn table_types(&self, query: CommandGetTableTypes) -> Answer {
        let mut builder = query.into_builder();
        builder.append("TABLE");
        builder.append("SYSTEM TABLE");
        builder.build().map(answer::batch).map_err(fault)
    }
}
