//! Opening runs: the source is asked for its shards, then one command opens the run with them.

use std::sync::Arc;

use lakewright_proto::{Error, ErrorCode, Layer, RunId, TableId, TenantId};
use lakewright_storage::catalog::command::{Command, TableSpec};
use lakewright_storage::catalog::records::{Connector as Record, RunMode, RunScope};
use lakewright_storage::paths;
use lakewright_storage::query::encode_schema;
use lakewright_storage::table::schemas;

use crate::services::Services;
use crate::tenant::build_source;

/// Opens a run of a connector's stream (its only stream for `None`).
pub async fn start(
    services: &Arc<Services>,
    principal: &str,
    record: &Record,
    stream: Option<&str>,
    mode: RunMode,
    scope: RunScope,
    trigger: &str,
) -> Result<RunId, Error> {
    if services.catalog.view().pinned_packs(record.tenant_id).map_err(Error::from)?.is_empty() {
        let message = "the tenant uses no pack, so nothing says what its records mean; `lakewright pack load DIR --pin --tenant SLUG`";
        return Err(Error::new(ErrorCode::InvalidArgument, message));
    }
    let source = build_source(services, record)?;
    let unreachable = |e: crate::connectors::SourceError| Error::new(ErrorCode::Unavailable, format!("source of {:?}: {e}", record.name));
    let stream = match stream {
        Some(stream) => stream.to_owned(),
        None => {
            let mut streams = source.discover().await.map_err(unreachable)?;
            match (streams.pop(), streams.is_empty()) {
                (Some(only), true) => only.name,
                (Some(_), false) => {
                    return Err(Error::new(
                        ErrorCode::InvalidArgument,
                        format!("{:?} has several streams; name one with --stream", record.name),
                    ))
                }
                (None, _) => return Err(Error::new(ErrorCode::NotFound, format!("{:?} offers no stream yet", record.name))),
            }
        }
    };
    let shards = source.shards(&stream, scope).await.map_err(unreachable)?;
    let run = RunId::generate();
    let command = Command::StartRun {
        run,
        tenant: record.tenant_id,
        connector: record.id,
        bronze: bronze_table(record.tenant_id, &record.kind, &stream)?,
        stream,
        mode,
        trigger: trigger.to_owned(),
        replay_of: None,
        shards: shards.into_iter().map(|s| (s.key, s.parents)).collect(),
        scope,
    };
    services.catalog.propose(principal, command).await?;
    Ok(run)
}

/// The Bronze table of a source: `files.opportunity` is `bronze.files_opportunity`.
pub fn bronze_table(tenant: TenantId, kind: &str, stream: &str) -> Result<TableSpec, Error> {
    let subject = paths::source(kind, stream)?;
    Ok(TableSpec {
        id: TableId::generate(),
        layer: Layer::Bronze,
        name: subject.replace(['.', '-'], "_"),
        root: paths::bronze_root(tenant, &subject),
        subject,
        schema_ipc: encode_schema(&schemas::bronze()).map_err(Error::from)?,
        streams: Vec::new(),
        changes: None,
        lookups: None,
        rebuild: None,
    })
}

/// The tables that a tenant has from the start.
pub fn system_tables(tenant: TenantId) -> Result<Vec<TableSpec>, Error> {
    let spec = |name: &str, schema: arrow_schema::SchemaRef| -> Result<TableSpec, Error> {
        Ok(TableSpec {
            id: TableId::generate(),
            layer: Layer::System,
            name: name.to_owned(),
            subject: name.to_owned(),
            root: paths::system_root(tenant, name),
            schema_ipc: encode_schema(&schema).map_err(Error::from)?,
            streams: Vec::new(),
            changes: None,
            lookups: None,
            rebuild: None,
        })
    };
    Ok(vec![spec("data_quality_results", schemas::quality_results())?, spec("dead_letters", schemas::dead_letters())?])
}
