//! The words of the command line that all commands share.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use super::output::Format;
use super::{audit, connector, deadletter, explain, lineage, mart, pack, quality, run, schedule, sql, table, tenant, token, user, webhook};
use crate::config::{Sources, DEFAULT_FILE};

/// Lakewright: a self-hosted, multi-tenant ingestion lakehouse.
#[derive(Debug, Parser)]
#[command(name = "lakewright", version, arg_required_else_help = true)]
pub struct Cli {
    #[command(flatten)]
    pub(super) globals: Globals,
    #[command(subcommand)]
    pub(super) command: Command,
}

/// Where the node is, and how its answers are shown.
#[derive(Clone, Debug, Args)]
pub(super) struct Globals {
    /// Address of the admin API.
    #[arg(long, global = true, env = "LAKEWRIGHT_SERVER", default_value = "http://127.0.0.1:7401", value_name = "URL")]
    pub server: String,
    /// Address of Arrow Flight SQL.
    #[arg(long, global = true, env = "LAKEWRIGHT_FLIGHT", default_value = "http://127.0.0.1:7402", value_name = "URL")]
    pub flight: String,
    /// API token; otherwise admin.token of --data-dir, then ~/.config/lakewright/token.
    #[arg(long, global = true, env = "LAKEWRIGHT_TOKEN", hide_env_values = true)]
    pub token: Option<String>,
    /// Data directory of a node on this machine, whose admin.token is used.
    #[arg(long, global = true, env = "LAKEWRIGHT_DATA_DIR", value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Certificate authority of the node, PEM, for https addresses.
    #[arg(long, global = true, env = "LAKEWRIGHT_CA", value_name = "FILE")]
    pub ca: Option<PathBuf>,
    /// Certificate of this client, PEM, where the node asks for one.
    #[arg(long, global = true, env = "LAKEWRIGHT_CLIENT_CERT", value_name = "FILE", requires = "client_key")]
    pub client_cert: Option<PathBuf>,
    /// Private key of --client-cert, PEM.
    #[arg(long, global = true, env = "LAKEWRIGHT_CLIENT_KEY", value_name = "FILE", requires = "client_cert")]
    pub client_key: Option<PathBuf>,
    /// Tenant, by slug or id; by default the token's.
    #[arg(long, global = true, env = "LAKEWRIGHT_TENANT", value_name = "SLUG", default_value = "", hide_default_value = true)]
    pub tenant: String,
    /// How answers are shown.
    #[arg(long, short = 'o', global = true, value_enum, default_value_t = Format::Table)]
    pub output: Format,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Run a node.
    Node(ConfigArgs),
    /// Check a configuration and list every fault.
    CheckConfig(CheckConfigArgs),
    /// Show the node: version, addresses, health, layers.
    Status,
    /// Tenants.
    #[command(subcommand)]
    Tenant(tenant::Cmd),
    /// Users of a tenant.
    #[command(subcommand)]
    User(user::Cmd),
    /// API tokens.
    #[command(subcommand)]
    Token(token::Cmd),
    /// Sources.
    #[command(subcommand)]
    Connector(connector::Cmd),
    /// Ingestion runs.
    #[command(subcommand)]
    Run(run::Cmd),
    /// Runs that the clock starts.
    #[command(subcommand)]
    Schedule(schedule::Cmd),
    /// Packs: definitions of entities and rules.
    #[command(subcommand)]
    Pack(pack::Cmd),
    /// Tables.
    #[command(subcommand)]
    Table(table::Cmd),
    /// Gold tables.
    #[command(subcommand)]
    Mart(mart::Cmd),
    /// Where a row or a value comes from.
    #[command(subcommand)]
    Explain(explain::Cmd),
    /// Data quality.
    #[command(subcommand)]
    Quality(quality::Cmd),
    /// Where alerts are sent.
    #[command(subcommand)]
    Webhook(webhook::Cmd),
    /// Rejected records.
    #[command(subcommand)]
    Deadletter(deadletter::Cmd),
    /// Where data comes from and goes to.
    #[command(subcommand)]
    Lineage(lineage::Cmd),
    /// Who did what.
    Audit(audit::ListArgs),
    /// Run a query over Flight SQL; without one, on a terminal: a prompt.
    Sql(sql::SqlArgs),
    /// Print a script that completes this program's commands in a shell.
    Completions(CompletionsArgs),
}

/// Where the configuration comes from.
#[derive(Clone, Debug, Args)]
pub(super) struct ConfigArgs {
    /// Configuration file; by default cluster.toml, if there is one.
    #[arg(long, short, env = "LAKEWRIGHT_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// A setting, stronger than file and environment: --set flight.max_sessions=8
    #[arg(long = "set", value_name = "SECTION.KEY=VALUE", value_parser = setting)]
    pub settings: Vec<(String, String)>,
    /// The data directory (node.data_dir).
    #[arg(from_global)]
    pub data_dir: Option<PathBuf>,
}

#[derive(Clone, Debug, Args)]
pub(super) struct CheckConfigArgs {
    #[command(flatten)]
    pub config: ConfigArgs,
    /// Print a configuration file with every key and its default, and check nothing.
    #[arg(long)]
    pub print_defaults: bool,
}

impl ConfigArgs {
    /// The layers, weakest first.
    pub fn sources(&self) -> Sources {
        let file = self.config.clone().or_else(|| std::path::Path::new(DEFAULT_FILE).is_file().then(|| DEFAULT_FILE.into()));
        // A name or value that is no text cannot be a setting.
        let env = std::env::vars_os().filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?))).collect();
        let mut flags = Vec::new();
        if let Some(dir) = &self.data_dir {
            flags.push(("node.data_dir".to_owned(), dir.display().to_string()));
        }
        flags.extend(self.settings.iter().cloned());
        Sources { file, env, flags }
    }
}

fn setting(s: &str) -> Result<(String, String), String> {
    let (key, value) = s.split_once('=').ok_or("write SECTION.KEY=VALUE")?;
    Ok((key.trim().to_owned(), value.to_owned()))
}

#[derive(Clone, Copy, Debug, Args)]
pub(super) struct CompletionsArgs {
    /// The shell: `source <(lakewright completions bash)`
    #[arg(value_enum)]
    pub shell: clap_complete::Shell,
}

/// How much of a list is wanted.
#[derive(Clone, Copy, Debug, Args)]
pub(super) struct LimitArgs {
    /// Most entries to show.
    #[arg(long, default_value_t = 200)]
    pub limit: usize,
}
