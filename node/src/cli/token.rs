//! `lakewright token`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Subcommand;
use lakewright_proto::admin::{CreateTokenRequest, ListTokensRequest, RevokeTokenRequest};
use lakewright_proto::Error;
use serde_json::json;

use super::args::{ConfigArgs, LimitArgs};
use super::client::{explain, pages};
use super::near::{explain_near, What};
use super::{views, Context};
use crate::config::{parse_duration, recover_socket};

#[derive(Debug, Subcommand)]
pub(super) enum Cmd {
    /// Make a token. Its secret is shown once.
    Create {
        /// E-mail of its user; by default yourself.
        #[arg(long, default_value = "", hide_default_value = true)]
        user: String,
        /// What it is for.
        #[arg(long, default_value = "cli")]
        name: String,
        /// How long it is good, as 90d; by default until it is revoked.
        #[arg(long, value_parser = parse_duration)]
        ttl: Option<Duration>,
    },
    /// List tokens, without secrets.
    List {
        /// E-mail of their user; by default everybody's.
        #[arg(long, default_value = "", hide_default_value = true)]
        user: String,
        #[command(flatten)]
        limit: LimitArgs,
    },
    /// Refuse a token from now on.
    Revoke {
        /// Its id, as in `token list`.
        id: String,
    },
    /// Make a new administrator's token on the node's own machine, as the node's own user.
    Recover {
        #[command(flatten)]
        config: ConfigArgs,
        /// The node's socket; by default recover.sock in its data directory.
        #[arg(long)]
        socket: Option<PathBuf>,
    },
}

pub(super) async fn run(ctx: &Context, cmd: Cmd) -> Result<(), Error> {
    if let Cmd::Recover { config, socket } = cmd {
        return recover(ctx, &config, socket).await;
    }
    let mut admin = ctx.admin().await?;
    let tenant = ctx.tenant();
    match cmd {
        Cmd::Create { user, name, ttl } => {
            let request =
                CreateTokenRequest { tenant: tenant.clone(), user: user.clone(), name, ttl_seconds: ttl.map_or(0, |t| t.as_secs().max(1)) };
            match admin.create_token(request).await {
                Ok(made) => {
                    let made = made.into_inner();
                    let mut shown = made.token.as_ref().map_or_else(|| json!({}), views::token);
                    shown["secret"] = made.secret.as_str().into();
                    ctx.out.remark("this token is shown once; keep it where only you can read it:");
                    ctx.out.said(&made.secret, &shown)
                }
                Err(status) => Err(explain_near(&admin, What::User, &tenant, &user, status).await),
            }
        }
        Cmd::List { user, limit } => {
            match pages!(admin, limit.limit, list_tokens, ListTokensRequest { tenant: tenant, user: user }, tokens) {
                Ok(found) => {
                    let rows: Vec<_> = found.iter().map(views::token).collect();
                    let columns = [
                        ("ID", "id"),
                        ("NAME", "name"),
                        ("STATE", "state"),
                        ("USER", "user_id"),
                        ("CREATED", "created_at"),
                        ("EXPIRES", "expires_at"),
                    ];
                    ctx.out.list(&rows, &columns, "no tokens")
                }
                Err(status) => Err(explain_near(&admin, What::User, &tenant, &user, status).await),
            }
        }
        Cmd::Revoke { id } => {
            let revoked =
                admin.revoke_token(RevokeTokenRequest { tenant, id, ..Default::default() }).await.map_err(|s| explain(&s))?.into_inner();
            ctx.out.said(&format!("the token {} ({}) is refused from now on", revoked.name, revoked.id), &views::token(&revoked))
        }
        Cmd::Recover { .. } => Ok(()),
    }
}

async fn recover(ctx: &Context, config: &ConfigArgs, socket: Option<PathBuf>) -> Result<(), Error> {
    let socket = match (socket, &config.data_dir) {
        (Some(socket), _) => socket,
        (None, Some(dir)) => recover_socket(dir),
        (None, None) => super::load_config(config)?.recover_socket(),
    };
    let token = crate::token_recovery::request(&socket).await?;
    ctx.out.remark("a new administrator's token; the earlier ones stay valid until they are revoked:");
    ctx.out.said(token.expose(), &json!({ "secret": token.expose() }))
}
