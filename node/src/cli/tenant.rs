//! `lakewright tenant`.

use clap::{Subcommand, ValueEnum};
use lakewright_proto::admin::{
    self as api, CreateTenantRequest, GetTenantRequest, ListTenantsRequest, SuspendTenantRequest, UpdateTenantRequest,
};
use lakewright_proto::Error;

use super::args::LimitArgs;
use super::client::{explain, pages};
use super::near::{explain_near, What};
use super::{views, Context};

#[derive(Debug, Subcommand)]
pub(super) enum Cmd {
    /// Make a tenant.
    Create {
        /// Its name in SQL and on the command line; it never changes.
        slug: String,
        /// Its name for people.
        #[arg(long, default_value = "")]
        name: String,
        #[arg(long, value_enum, default_value_t = Plan::Standard)]
        plan: Plan,
    },
    /// List tenants.
    List(LimitArgs),
    /// Show one tenant.
    Show { slug: String },
    /// Change a tenant's name or plan.
    Update {
        slug: String,
        #[arg(long)]
        name: Option<String>,
        #[arg(long, value_enum)]
        plan: Option<Plan>,
    },
    /// Refuse a tenant's tokens and stop its connectors; its data stays.
    Suspend { slug: String },
    /// Let a suspended tenant act again.
    Resume { slug: String },
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum Plan {
    Standard,
    Large,
}

impl From<Plan> for api::TenantPlan {
    fn from(p: Plan) -> Self {
        match p {
            Plan::Standard => Self::Standard,
            Plan::Large => Self::Large,
        }
    }
}

pub(super) async fn run(ctx: &Context, cmd: Cmd) -> Result<(), Error> {
    let mut admin = ctx.admin().await?;
    let (slug, answer) = match cmd {
        Cmd::Create { slug, name, plan } => {
            let plan = api::TenantPlan::from(plan).into();
            let made = admin
                .create_tenant(CreateTenantRequest { slug, name, plan, ..Default::default() })
                .await
                .map_err(|s| explain(&s))?
                .into_inner();
            return ctx.out.said(
                &format!("made the tenant {} ({}); next: lakewright user create --tenant {} --email ...", made.slug, made.id, made.slug),
                &views::tenant(&made),
            );
        }
        Cmd::List(args) => {
            let found = pages!(admin, args.limit, list_tenants, ListTenantsRequest {}, tenants).map_err(|s| explain(&s))?;
            let rows: Vec<_> = found.iter().map(views::tenant).collect();
            let columns =
                [("SLUG", "slug"), ("NAME", "name"), ("PLAN", "plan"), ("STATUS", "status"), ("CREATED", "created_at"), ("ID", "id")];
            return ctx.out.list(&rows, &columns, "no tenants");
        }
        Cmd::Show { slug } => {
            let answer = admin.get_tenant(GetTenantRequest { tenant: slug.clone() }).await;
            (slug, answer)
        }
        Cmd::Update { slug, name, plan } => {
            let plan = plan.map_or(0, |p| api::TenantPlan::from(p).into());
            let answer = admin.update_tenant(UpdateTenantRequest { tenant: slug.clone(), name, plan, ..Default::default() }).await;
            (slug, answer)
        }
        Cmd::Suspend { slug } => {
            let answer = admin.suspend_tenant(SuspendTenantRequest { tenant: slug.clone(), suspended: true, ..Default::default() }).await;
            (slug, answer)
        }
        Cmd::Resume { slug } => {
            let answer = admin.suspend_tenant(SuspendTenantRequest { tenant: slug.clone(), suspended: false, ..Default::default() }).await;
            (slug, answer)
        }
    };
    match answer {
        Ok(t) => ctx.out.one(&views::tenant(&t.into_inner())),
        Err(status) => Err(explain_near(&admin, What::Tenant, "", &slug, status).await),
    }
}
