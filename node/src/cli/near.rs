//! "Not found" with the names that were perhaps meant.

use lakewright_proto::admin::{ListConnectorsRequest, ListPacksRequest, ListTablesRequest, ListTenantsRequest, ListUsersRequest};
use lakewright_proto::Error;
use tonic::{Code, Status};

use super::client::{explain, Admin};
use super::views;
use crate::config::nearest;

/// What a name names.
#[derive(Clone, Copy, Debug)]
pub(crate) enum What {
    Tenant,
    User,
    Connector,
    Table,
    Pack,
}

/// The refusal; where a name was not found, with what there is.
pub(crate) async fn explain_near(admin: &Admin, what: What, tenant: &str, wanted: &str, status: Status) -> Error {
    let mut error = explain(&status);
    if status.code() != Code::NotFound {
        return error;
    }
    // A tenant that is not found is the reason why nothing in it is.
    let (wanted, known) = match names(admin, what, tenant).await {
        Ok(known) => (wanted, known),
        Err(_) => (tenant, names(admin, What::Tenant, "").await.unwrap_or_default()),
    };
    error.message += &suggestion(wanted, &known);
    error
}

/// What to say of the names that there are.
pub(super) fn suggestion(wanted: &str, known: &[String]) -> String {
    let near = nearest(wanted, known.iter().map(String::as_str));
    if !near.is_empty() {
        return format!("; did you mean {}?", near.join(" or "));
    }
    match known.len() {
        0 => String::new(),
        1..=8 => format!("; there are {}", known.join(", ")),
        n => format!("; there are {n}, none like it"),
    }
}

async fn names(admin: &Admin, what: What, tenant: &str) -> Result<Vec<String>, Status> {
    let mut admin = admin.clone();
    let (tenant, page_size, page_token) = (tenant.to_owned(), 1000, String::new());
    Ok(match what {
        What::Tenant => {
            let list = admin.list_tenants(ListTenantsRequest { page_size, page_token }).await?.into_inner();
            list.tenants.into_iter().map(|t| t.slug).collect()
        }
        What::User => {
            let list = admin.list_users(ListUsersRequest { tenant, page_size, page_token }).await?.into_inner();
            list.users.into_iter().map(|u| u.email).collect()
        }
        What::Connector => {
            let list = admin.list_connectors(ListConnectorsRequest { tenant, page_size, page_token }).await?.into_inner();
            list.connectors.into_iter().map(|c| c.name).collect()
        }
        What::Table => {
            let list = admin.list_tables(ListTablesRequest { tenant, layer: 0, page_size, page_token }).await?.into_inner();
            list.tables.iter().map(views::table_name).collect()
        }
        What::Pack => {
            let list = admin.list_packs(ListPacksRequest { page_size, page_token }).await?.into_inner();
            list.packs.into_iter().map(|p| p.name).collect()
        }
    })
}
