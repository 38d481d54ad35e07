//! The SQL prompt of `lakewright sql`: editing and history, statements over several lines, commands, Ctrl-C.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use arrow_array::cast::AsArray;
use arrow_flight::{Action, CancelFlightInfoRequest, FlightInfo};
use futures::{FutureExt as _, TryStreamExt as _};
use lakewright_proto::{Error, ErrorCode};
use prost::Message as _;
use rustyline::error::ReadlineError;
use rustyline::history::FileHistory;
use rustyline::{CompletionType, Config, Editor};
use tokio::signal::unix::{signal, Signal, SignalKind};

use super::output::Output;
use super::prompt_input::{command, statements, Command, Input};
use super::sql::{begin, show, Client};

const PROMPT: &str = "lakewright> ";
/// How long Ctrl-C waits for the node's word.
const CANCEL: Duration = Duration::from_secs(2);
/// Statements that are remembered.
const HISTORY: usize = 1_000;
const HELP: &str = "\
A statement ends with `;` and may have several lines. Ctrl-C cancels it, Ctrl-D leaves.
  \\d            tables            \\d NAME      columns of a table
  \\dn           schemas           \\timing      show how long statements take, or no longer
  \\passport     freshness, quality and dead letters of what the last query read
  \\options      session options   SET require_quality = 0.98; SET require_freshness = '1h'; RESET NAME;
  \\q            leave";

type Line = Editor<Input, FileHistory>;

/// Reads and runs statements until the end of input.
pub(super) async fn run(mut client: Client, out: Output, max_rows: usize) -> Result<(), Error> {
    let tables = names(&mut client).await?;
    let mut line = editor(tables)?;
    let history = history_file();
    if let Some(file) = &history {
        // There is none the first time.
        let _ = line.load_history(file);
    }
    out.line("Lakewright SQL. A statement ends with `;`, \\help tells more.")?;
    // From the start: between the editor and a query, Ctrl-C must not end the program.
    let mut interrupt = signal(SignalKind::interrupt()).map_err(|e| failed(&e))?;
    let mut timing = true;
    loop {
        // The connection has to be served while the editor waits: it waits on a thread of its own.
        let reading = tokio::task::spawn_blocking(move || {
            let read = line.readline(PROMPT);
            (line, read)
        });
        let (back, read) = reading.await.map_err(|e| failed(&e))?;
        line = back;
        let text = match read {
            Ok(text) => text,
            Err(ReadlineError::Interrupted) => continue,
            Err(ReadlineError::Eof) => break,
            Err(e) => return Err(failed(&e)),
        };
        if text.trim().is_empty() {
            continue;
        }
        // A history that cannot be kept is no reason not to answer.
        let _ = line.add_history_entry(text.trim());
        if let Some(file) = &history {
            let _ = line.save_history(file);
        }
        match command(&text) {
            Some(Command::Quit) => break,
            Some(Command::Timing) => {
                timing = !timing;
                out.line(if timing { "timing is on" } else { "timing is off" })?;
            }
            Some(Command::Help) => out.line(HELP)?,
            Some(Command::Unknown(c)) => out.line(&format!("\\{c} is no command; \\help lists them"))?,
            Some(c) => {
                for sql in of_command(c) {
                    one(&mut client, &mut interrupt, &sql, out, max_rows, false).await?;
                }
            }
            None => {
                for sql in statements(&text).0 {
                    if !one(&mut client, &mut interrupt, sql, out, max_rows, timing).await? {
                        break;
                    }
                }
            }
        }
    }
    Ok(())
}

/// The statements behind a command.
fn of_command(c: Command) -> Vec<String> {
    let quote = |t: &str| format!("'{}'", t.replace('\'', "''"));
    match c {
        Command::Describe(None) => vec![
            "SELECT table_schema AS schema, table_name AS table FROM information_schema.tables WHERE table_schema <> 'information_schema' ORDER BY 1, 2".into(),
        ],
        Command::Describe(Some(name)) => {
            let (schema, table) = name.rsplit_once('.').map_or((None, name.as_str()), |(s, t)| (Some(s.rsplit('.').next().unwrap_or(s)), t));
            let of_schema = schema.map(|s| format!(" AND table_schema = {}", quote(s))).unwrap_or_default();
            vec![format!(
                "SELECT table_schema AS schema, column_name AS column, data_type AS type FROM information_schema.columns WHERE table_name = {}{of_schema} ORDER BY table_schema, ordinal_position",
                quote(table)
            )]
        }
        Command::Schemas => vec!["SELECT DISTINCT table_schema AS schema FROM information_schema.tables ORDER BY 1".into()],
        Command::Passport => vec!["SELECT schema || '.' || \"table\" AS \"table\", fresh_as_of, age_seconds, quality_score, open_dead_letters, snapshot FROM system.passport".into()],
        Command::Options => ["schema", "require_quality", "require_freshness"].map(|o| format!("SHOW {o}")).into(),
        _ => Vec::new(),
    }
}

/// Runs one statement; false: it failed or was cancelled, and what was typed after it is left out.
async fn one(client: &mut Client, interrupt: &mut Signal, sql: &str, out: Output, max_rows: usize, timing: bool) -> Result<bool, Error> {
    // What was pressed before is not meant for this statement.
    tokio::task::yield_now().await;
    while interrupt.recv().now_or_never().is_some() {}
    let began = Instant::now();
    let mut planned: Option<FlightInfo> = None;
    let run = async {
        let info = begin(client, sql.to_owned()).await?;
        planned = Some(info.clone());
        show(client, info, out, max_rows).await
    };
    let done = tokio::select! {
        done = run => done,
        _ = interrupt.recv() => {
            if let Some(info) = planned {
                cancel(client, info).await;
            }
            Err(Error::new(ErrorCode::Cancelled, "cancelled"))
        }
    };
    match done {
        Ok(()) => {
            if timing {
                out.line(&format!("{:.3} s", began.elapsed().as_secs_f64()))?;
            }
            Ok(true)
        }
        Err(e) => {
            out.line(&format!("error: {e}"))?;
            Ok(false)
        }
    }
}

/// Has the node stop the query; that it ended meanwhile is no failure.
async fn cancel(client: &mut Client, info: FlightInfo) {
    let body = CancelFlightInfoRequest { info: Some(info) }.encode_to_vec();
    let mut request = tonic::Request::new(Action::new("CancelFlightInfo", body));
    if let Some(value) = client.token().and_then(|t| format!("Bearer {t}").parse().ok()) {
        request.metadata_mut().insert("authorization", value);
    }
    // The dropped stream ends the query too: a busy node keeps nobody waiting.
    let _ = tokio::time::timeout(CANCEL, client.inner_mut().do_action(request)).await;
}

/// Names to complete: tables, bare and with their schema.
async fn names(client: &mut Client) -> Result<Vec<String>, Error> {
    let sql = "SELECT table_schema, table_name FROM information_schema.tables WHERE table_schema <> 'information_schema'";
    let info = begin(client, sql.to_owned()).await?;
    let Some(ticket) = info.endpoint.into_iter().next().and_then(|e| e.ticket) else { return Ok(Vec::new()) };
    let unreadable = |e: arrow_flight::error::FlightError| super::sql::explain_flight(&e);
    let batches: Vec<_> = client.do_get(ticket).await.map_err(unreadable)?.try_collect().await.map_err(unreadable)?;
    let mut names = Vec::new();
    for b in &batches {
        for (schema, table) in b.column(0).as_string::<i32>().iter().zip(b.column(1).as_string::<i32>()) {
            let (Some(schema), Some(table)) = (schema, table) else { continue };
            names.extend([table.to_owned(), format!("{schema}.{table}")]);
        }
    }
    names.sort();
    names.dedup();
    Ok(names)
}

fn editor(tables: Vec<String>) -> Result<Line, Error> {
    let config = Config::builder().max_history_size(HISTORY).map_err(|e| failed(&e))?.completion_type(CompletionType::List).build();
    let mut line = Line::with_config(config).map_err(|e| failed(&e))?;
    line.set_helper(Some(Input::new(tables)));
    Ok(line)
}

/// `$XDG_STATE_HOME/lakewright/sql_history`, made with its directory.
fn history_file() -> Option<PathBuf> {
    let state = std::env::var_os("XDG_STATE_HOME").map(PathBuf::from).filter(|p| p.is_absolute());
    let dir = state.or_else(|| std::env::var_os("HOME").map(|h| PathBuf::from(h).join(".local/state")))?.join("lakewright");
    std::fs::create_dir_all(&dir).ok()?;
    Some(dir.join("sql_history"))
}

fn failed(e: &dyn std::error::Error) -> Error {
    Error::new(ErrorCode::Internal, format!("the prompt failed: {e}"))
}
