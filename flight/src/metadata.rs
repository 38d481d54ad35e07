//! Catalog, schema, table and key metadata, as the caller's tenant sees it.

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_flight::sql::{CommandGetCatalogs, CommandGetDbSchemas, CommandGetTableTypes, CommandGetTables, ProstMessageExt};
use arrow_flight::{FlightDescriptor, FlightEndpoint, FlightInfo, Ticket};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use lakewright_proto::{Error, ErrorCode};
use lakewright_storage::query::QuerySession;
use prost::Message;
use tonic::{Response, Status};

use crate::answer::{self, DataStream};
use crate::auth::Session;
use crate::server::Parts;

type Answer = Result<Response<DataStream>, Status>;

const SCHEMAS: [&str; 5] = ["bronze", "gold", "platinum", "silver", "system"];

fn fault(e: impl std::fmt::Display) -> Status {
    Error::new(ErrorCode::Internal, format!("metadata cannot be written: {e}")).into()
}

/// The answer to a metadata command's GetFlightInfo: its ticket is the command.
pub(crate) fn info<C: ProstMessageExt>(command: &C, schema: &Schema, descriptor: FlightDescriptor) -> Result<Response<FlightInfo>, Status> {
    let endpoint = FlightEndpoint::new().with_ticket(Ticket::new(command.as_any().encode_to_vec()));
    let info = FlightInfo::new().try_with_schema(schema).map_err(fault)?;
    Ok(Response::new(info.with_endpoint(endpoint).with_descriptor(descriptor)))
}

impl Parts {
    fn session(&self, session: &Session) -> Result<QuerySession, Status> {
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

    pub(crate) async fn tables(&self, session: &Session, query: CommandGetTables) -> Answer {
        let include = query.include_schema;
        let state = self.session(session)?;
        let mut builder = query.into_builder();
        for t in state.tables()? {
            let schema = if include { state.table_schema(t.layer, &t.name).await? } else { Arc::new(Schema::empty()) };
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

/// Columns of the primary keys' answer.
pub(crate) fn primary_keys() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("catalog_name", DataType::Utf8, true),
        Field::new("db_schema_name", DataType::Utf8, true),
        Field::new("table_name", DataType::Utf8, false),
        Field::new("column_name", DataType::Utf8, false),
        Field::new("key_name", DataType::Utf8, true),
        Field::new("key_sequence", DataType::Int32, false),
    ]))
}

/// The key of a table: `id`, which every Silver entity has; no other layer has one.
pub(crate) async fn primary_key_rows(parts: &Parts, session: &Session, query: &arrow_flight::sql::CommandGetPrimaryKeys) -> Answer {
    use arrow_array::{Int32Array, StringArray};
    let own = query.catalog.as_deref().is_none_or(|c| c == session.slug);
    let silver = query.db_schema.as_deref().is_none_or(|s| s == "silver");
    let mut keyed = false;
    if own && silver && !query.table.ends_with("__changes") {
        let state = parts.session(session)?;
        let schema = state.table_schema(lakewright_proto::Layer::Silver, &query.table).await;
        keyed = schema.is_ok_and(|s| s.column_with_name("id").is_some() && s.column_with_name("_source_key").is_some());
    }
    if !keyed {
        return Ok(answer::empty(primary_keys()));
    }
    let text = |s: &str| Arc::new(StringArray::from(vec![s.to_owned()]));
    let columns: Vec<arrow_array::ArrayRef> =
        vec![text(&session.slug), text("silver"), text(&query.table), text("id"), text("id"), Arc::new(Int32Array::from(vec![1]))];
    RecordBatch::try_new(primary_keys(), columns).map(answer::batch).map_err(fault)
}

/// Columns of the three foreign-key answers; Lakewright has no foreign keys.
pub(crate) fn foreign_keys() -> SchemaRef {
    let text = |name: &str, nullable| Field::new(name, DataType::Utf8, nullable);
    Arc::new(Schema::new(vec![
        text("pk_catalog_name", true),
        text("pk_db_schema_name", true),
        text("pk_table_name", false),
        text("pk_column_name", false),
        text("fk_catalog_name", true),
        text("fk_db_schema_name", true),
        text("fk_table_name", false),
        text("fk_column_name", false),
        Field::new("key_sequence", DataType::Int32, false),
        text("fk_key_name", true),
        text("pk_key_name", true),
        Field::new("update_rule", DataType::UInt8, false),
        Field::new("delete_rule", DataType::UInt8, false),
    ]))
}
