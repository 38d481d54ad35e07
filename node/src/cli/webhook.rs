//! `lakewright webhook`.

use clap::Subcommand;
use lakewright_proto::admin::{CreateWebhookRequest, DeleteWebhookRequest, ListWebhooksRequest, TestWebhookRequest};
use lakewright_proto::Error;
use serde_json::json;

use super::args::LimitArgs;
use super::client::{explain, pages};
use super::{views, Context};

#[derive(Debug, Subcommand)]
pub(super) enum Cmd {
    /// Send alerts to an address from now on. The secret that signs them is shown once.
    Create {
        /// Its name.
        name: String,
        /// https://...
        url: String,
        /// Only alerts of this kind; may be repeated. By default all.
        #[arg(long = "kind")]
        kinds: Vec<String>,
    },
    /// Where alerts are sent, and how far each is.
    List {
        #[command(flatten)]
        limit: LimitArgs,
    },
    /// Send nothing to it any more.
    Delete {
        /// Its name.
        name: String,
    },
    /// Raise an alert of kind webhook_test, to see it arrive.
    Test {
        /// Its name.
        name: String,
    },
}

pub(super) async fn run(ctx: &Context, cmd: Cmd) -> Result<(), Error> {
    let mut admin = ctx.admin().await?;
    let tenant = ctx.tenant();
    match cmd {
        Cmd::Create { name, url, kinds } => {
            let request = CreateWebhookRequest { tenant, name, url, kinds, request_id: String::new() };
            let made = admin.create_webhook(request).await.map_err(|s| explain(&s))?.into_inner();
            let mut shown = made.webhook.as_ref().map_or_else(|| json!({}), views::webhook);
            shown["secret"] = made.secret.as_str().into();
            ctx.out.remark("deliveries are signed as the Standard Webhooks specification says, with this secret; it is shown once:");
            ctx.out.said(&made.secret, &shown)
        }
        Cmd::List { limit } => {
            let found =
                pages!(admin, limit.limit, list_webhooks, ListWebhooksRequest { tenant: tenant }, webhooks).map_err(|s| explain(&s))?;
            let rows: Vec<_> = found.iter().map(views::webhook).collect();
            let columns = [
                ("NAME", "name"),
                ("URL", "url"),
                ("KINDS", "kinds"),
                ("DELIVERED", "delivered"),
                ("GIVEN UP", "given_up"),
                ("ATTEMPTS", "attempts"),
                ("RETRY", "retry_at"),
                ("LAST ERROR", "last_error"),
            ];
            ctx.out.list(&rows, &columns, "no webhooks: `lakewright webhook create NAME https://...` makes one")
        }
        Cmd::Delete { name } => {
            admin.delete_webhook(DeleteWebhookRequest { tenant, name: name.clone() }).await.map_err(|s| explain(&s))?;
            ctx.out.said(&format!("webhook {name} gets no alerts any more"), &json!({ "name": name, "deleted": true }))
        }
        Cmd::Test { name } => {
            admin.test_webhook(TestWebhookRequest { tenant, name: name.clone() }).await.map_err(|s| explain(&s))?;
            let text = "a test alert is on its way; `lakewright webhook list` shows whether it was taken";
            ctx.out.said(text, &json!({ "name": name, "raised": "webhook_test" }))
        }
    }
}
