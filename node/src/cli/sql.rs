//! `lakewright sql`: a query over Flight SQL, from the command line or from standard input.

use std::io::{IsTerminal as _, Read as _};

use arrow_array::RecordBatch;
use arrow_flight::error::FlightError;
use arrow_flight::sql::client::FlightSqlServiceClient;
use arrow_flight::FlightInfo;
use arrow_schema::ArrowError;
use clap::Args;
use futures::TryStreamExt as _;
use lakewright_proto::{Error, ErrorCode};

use super::client::explain;
use super::output::{Format, Output};
use super::sql_output::Printer;
use super::Context;

#[derive(Debug, Args)]
pub(super) struct SqlArgs {
    /// The query; `-`: standard input. Nothing: standard input, or a prompt on a terminal.
    query: Option<String>,
    /// Most rows of a table for people; JSON and CSV give all.
    #[arg(long, default_value_t = 1000)]
    max_rows: usize,
}

pub(super) type Client = FlightSqlServiceClient<tonic::transport::Channel>;

pub(super) async fn run(ctx: &Context, args: SqlArgs) -> Result<(), Error> {
    let terminal = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
    let query = match args.query.as_deref() {
        Some(q) if q != "-" => Some(q.to_owned()),
        None if terminal => None,
        _ => Some(read_stdin()?),
    };
    let (channel, token) = ctx.flight().await?;
    let mut client = FlightSqlServiceClient::new(channel);
    client.set_token(token.trim().to_owned());
    match query {
        Some(query) => {
            let info = begin(&mut client, query).await?;
            show(&mut client, info, ctx.out, args.max_rows).await
        }
        None => Box::pin(super::prompt::run(client, ctx.out, args.max_rows)).await,
    }
}

/// Has a statement planned.
pub(super) async fn begin(client: &mut Client, query: String) -> Result<FlightInfo, Error> {
    client.execute(query, None).await.map_err(|e| explain_flight(&e))
}

/// Fetches the rows of a planned statement and shows them.
pub(super) async fn show(client: &mut Client, info: FlightInfo, out: Output, max_rows: usize) -> Result<(), Error> {
    let mut printer = Printer::new(out, if out.format() == Format::Table { max_rows } else { usize::MAX });
    for endpoint in info.endpoint {
        let Some(ticket) = endpoint.ticket else { continue };
        let mut batches = client.do_get(ticket).await.map_err(|e| explain_flight(&e))?;
        while let Some(batch) = batches.try_next().await.map_err(|e| explain_flight(&e))? {
            if !printer.write(&batch)? {
                return printer.finish();
            }
        }
        if let Some(schema) = batches.schema() {
            printer.schema(&RecordBatch::new_empty(schema.clone()))?;
        }
    }
    printer.finish()
}

fn read_stdin() -> Result<String, Error> {
    let mut stdin = std::io::stdin();
    if stdin.is_terminal() {
        return Err(Error::new(ErrorCode::InvalidArgument, "there is no query: lakewright sql 'select ...', or pipe it in"));
    }
    let mut query = String::new();
    stdin.read_to_string(&mut query).map_err(|e| Error::new(ErrorCode::InvalidArgument, format!("standard input: {e}")))?;
    Ok(query)
}

/// The server's refusal lies within Arrow's errors.
pub(super) fn explain_flight(e: &FlightError) -> Error {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(e);
    while let Some(at) = cause {
        if let Some(status) = at.downcast_ref::<tonic::Status>() {
            return explain(status);
        }
        if let Some(FlightError::Tonic(status)) = at.downcast_ref::<FlightError>() {
            return explain(status);
        }
        cause = match at.downcast_ref::<ArrowError>() {
            Some(ArrowError::ExternalError(inner)) => Some(inner.as_ref()),
            _ => at.source(),
        };
    }
    Error::new(ErrorCode::Internal, format!("the answer cannot be read: {e}"))
}
