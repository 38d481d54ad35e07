//! `lakewright user`.

use clap::{Subcommand, ValueEnum};
use lakewright_proto::admin::{self as api, CreateUserRequest, GetUserRequest, ListUsersRequest, UpdateUserRequest};
use lakewright_proto::Error;

use super::args::LimitArgs;
use super::client::pages;
use super::near::{explain_near, What};
use super::{views, Context};

#[derive(Debug, Subcommand)]
pub(super) enum Cmd {
    /// Make a user.
    Create {
        #[arg(long)]
        email: String,
        /// The user's name for people.
        #[arg(long, default_value = "")]
        name: String,
        /// What the user may do; can be given more than once, or with commas.
        #[arg(long = "role", value_enum, required = true, value_delimiter = ',')]
        roles: Vec<Role>,
    },
    /// List users.
    List(LimitArgs),
    /// Show one user.
    Show { email: String },
    /// Change a user's name, roles or status.
    Update {
        email: String,
        #[arg(long)]
        name: Option<String>,
        /// All roles that the user has from now on.
        #[arg(long = "role", value_enum, value_delimiter = ',')]
        roles: Vec<Role>,
        #[arg(long, value_enum)]
        status: Option<Status>,
    },
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum Role {
    /// Manages users and tokens; in the tenant system, tenants.
    Admin,
    /// Manages connectors and runs.
    Operator,
    /// Loads packs, replays dead letters, maintains tables, queries.
    Engineer,
    /// Queries.
    Analyst,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum Status {
    Active,
    Suspended,
}

fn roles(roles: &[Role]) -> Vec<i32> {
    let wire = |r: &Role| match r {
        Role::Admin => api::Role::Admin,
        Role::Operator => api::Role::Operator,
        Role::Engineer => api::Role::Engineer,
        Role::Analyst => api::Role::Analyst,
    };
    roles.iter().map(|r| wire(r).into()).collect()
}

pub(super) async fn run(ctx: &Context, cmd: Cmd) -> Result<(), Error> {
    let mut admin = ctx.admin().await?;
    let tenant = ctx.tenant();
    match cmd {
        Cmd::Create { email, name, roles: r } => {
            let request = CreateUserRequest { tenant: tenant.clone(), email, display_name: name, roles: roles(&r), ..Default::default() };
            match admin.create_user(request).await {
                Ok(u) => {
                    let u = u.into_inner();
                    ctx.out.said(
                        &format!("made the user {} ({}); next: lakewright token create --user {}", u.email, u.id, u.email),
                        &views::user(&u),
                    )
                }
                Err(status) => Err(explain_near(&admin, What::Tenant, "", &tenant, status).await),
            }
        }
        Cmd::List(args) => match pages!(admin, args.limit, list_users, ListUsersRequest { tenant: tenant }, users) {
            Ok(found) => {
                let rows: Vec<_> = found.iter().map(views::user).collect();
                let columns = [
                    ("EMAIL", "email"),
                    ("NAME", "display_name"),
                    ("ROLES", "roles"),
                    ("STATUS", "status"),
                    ("CREATED", "created_at"),
                    ("ID", "id"),
                ];
                ctx.out.list(&rows, &columns, "no users")
            }
            Err(status) => Err(explain_near(&admin, What::Tenant, "", &tenant, status).await),
        },
        Cmd::Show { email } => {
            let answer = admin.get_user(GetUserRequest { tenant: tenant.clone(), user: email.clone() }).await;
            show(ctx, &admin, &email, answer).await
        }
        Cmd::Update { email, name, roles: r, status } => {
            let status = status.map_or(api::UserStatus::Unspecified, |s| match s {
                Status::Active => api::UserStatus::Active,
                Status::Suspended => api::UserStatus::Suspended,
            });
            let request = UpdateUserRequest {
                tenant: tenant.clone(),
                user: email.clone(),
                display_name: name,
                roles: roles(&r),
                status: status.into(),
                ..Default::default()
            };
            let answer = admin.update_user(request).await;
            show(ctx, &admin, &email, answer).await
        }
    }
}

async fn show(
    ctx: &Context,
    admin: &super::client::Admin,
    email: &str,
    answer: Result<tonic::Response<api::User>, tonic::Status>,
) -> Result<(), Error> {
    match answer {
        Ok(u) => ctx.out.one(&views::user(&u.into_inner())),
        Err(status) => Err(explain_near(admin, What::User, &ctx.tenant(), email, status).await),
    }
}
