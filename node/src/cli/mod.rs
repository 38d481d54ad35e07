//! The command line: starts the node, checks its configuration, and speaks to a node's admin API.

mod args;
mod audit;
mod check_config;
mod client;
mod connector;
mod deadletter;
mod explain;
mod explain_views;
mod lineage;
mod mart;
mod near;
mod output;
mod pack;
mod progress;
mod prompt;
mod prompt_input;
mod quality;
mod rebuild;
mod run;
mod schedule;
mod sql;
mod sql_output;
mod table;
mod tenant;
mod token;
mod user;
mod verify;
mod views;
mod webhook;

use std::ffi::OsString;
use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;
use lakewright_proto::{Error, ErrorCode};

pub use args::Cli;
use args::{Command, ConfigArgs};

use crate::config::{self, Config};

/// What the client commands share.
pub(crate) struct Context {
    globals: args::Globals,
    out: output::Output,
}

/// Runs the program with its arguments. `start` runs a node until it is told to stop.
pub fn main(arguments: impl IntoIterator<Item = OsString>, start: impl FnOnce(Config) -> Result<(), Error>) -> ExitCode {
    crate::tls::install_provider();
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(e) => {
            // Help and usage errors; clap knows which stream is right.
            let _ = e.print();
            return ExitCode::from(u8::try_from(e.exit_code()).unwrap_or(2));
        }
    };
    match run(cli, start) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            let _ = writeln!(std::io::stderr().lock(), "error: {e}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli, start: impl FnOnce(Config) -> Result<(), Error>) -> Result<(), Error> {
    let out = output::Output::new(cli.globals.output);
    let ctx = Context { globals: cli.globals, out };
    let command = match cli.command {
        Command::Node(args) => return start(load_config(&args)?),
        Command::CheckConfig(args) => return check_config::run(&ctx.out, &args),
        Command::Completions(args) => return completions(&ctx.out, args.shell),
        command => command,
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| Error::new(ErrorCode::Internal, format!("the runtime cannot be started: {e}")))?;
    runtime.block_on(Box::pin(dispatch(&ctx, command)))
}

async fn dispatch(ctx: &Context, command: Command) -> Result<(), Error> {
    match command {
        Command::Node(_) | Command::CheckConfig(_) | Command::Completions(_) => Ok(()),
        Command::Status => audit::status(ctx).await,
        Command::Audit(args) => audit::list(ctx, args).await,
        Command::Tenant(c) => tenant::run(ctx, c).await,
        Command::User(c) => user::run(ctx, c).await,
        Command::Token(c) => token::run(ctx, c).await,
        Command::Connector(c) => connector::run(ctx, c).await,
        Command::Run(c) => run::run(ctx, c).await,
        Command::Schedule(c) => schedule::run(ctx, c).await,
        Command::Mart(c) => mart::run(ctx, c).await,
        Command::Explain(c) => explain::run(ctx, c).await,
        Command::Pack(c) => pack::run(ctx, c).await,
        Command::Table(c) => table::run(ctx, c).await,
        Command::Quality(c) => quality::run(ctx, c).await,
        Command::Webhook(c) => webhook::run(ctx, c).await,
        Command::Deadletter(c) => deadletter::run(ctx, c).await,
        Command::Lineage(c) => lineage::run(ctx, c).await,
        Command::Sql(args) => sql::run(ctx, args).await,
    }
}

fn completions(out: &output::Output, shell: clap_complete::Shell) -> Result<(), Error> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut <Cli as clap::CommandFactory>::command(), "lakewright", &mut script);
    out.bytes(&script)
}

/// The configuration that flags, environment and file give.
fn load_config(args: &ConfigArgs) -> Result<Config, Error> {
    Ok(config::load(&args.sources())?)
}

#[cfg(test)]
mod tests;
