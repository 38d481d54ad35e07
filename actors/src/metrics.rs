//! Every metric of this crate, named once.

use std::time::Duration;

use lakewright_proto::{ConnectorId, TenantId};
use lakewright_storage::catalog::keyspace::{Connectors, Tenants};
use lakewright_storage::catalog::records::{Delivery, Shard, Table, Webhook};
use lakewright_storage::catalog::Read as _;
use metrics::{counter, gauge, histogram, Label};

use crate::services::Services;

/// Records committed to Bronze.
pub const RECORDS: &str = "lakewright_records_total";
/// Payload bytes committed to Bronze.
pub const BYTES: &str = "lakewright_bytes_total";
/// Seconds from the proposal of a commit to its answer.
pub const COMMIT_SECONDS: &str = "lakewright_commit_seconds";
/// Records merged into Silver.
pub const MERGED: &str = "lakewright_merged_records_total";
/// Seconds that merging one Bronze commit took.
pub const MERGE_SECONDS: &str = "lakewright_merge_seconds";
/// Silver commits.
pub const SILVER_COMMITS: &str = "lakewright_silver_commits_total";
/// Children restarted after a failure.
pub const RESTARTS: &str = "lakewright_restarts_total";
/// Children given up.
pub const BROKEN: &str = "lakewright_broken_total";
/// Bytes of credit in use, on the node.
pub const CREDIT: &str = "lakewright_credit_in_use_bytes";
/// Bytes of credit in use, of one tenant.
pub const TENANT_CREDIT: &str = "lakewright_tenant_credit_in_use_bytes";
/// Bronze commits that Silver has still to consume.
pub const LAG: &str = "lakewright_silver_lag_commits";

/// Seconds since accepted records last came for a Silver table that has a freshness rule.
pub const AGE: &str = "lakewright_table_age_seconds";

/// Alerts that were sent to a webhook, by what became of them.
pub const DELIVERIES: &str = "lakewright_webhook_deliveries_total";

/// File entries moved from the catalog into manifests.
pub const FOLDED: &str = "lakewright_folded_files_total";

/// Objects deleted that no commit had named.
pub const ORPHANS: &str = "lakewright_orphans_deleted_total";

/// Small Bronze files that became part of a larger one.
pub const REPACKED: &str = "lakewright_repacked_files_total";

/// Names rather than ids: they are what people write in queries and alerts. The id where the name is gone.
fn tenant(services: &Services, id: TenantId) -> Label {
    let found = services.catalog.view().get::<Tenants>(&id).ok().flatten();
    Label::new("tenant", found.map_or_else(|| id.to_string(), |t| t.slug))
}

fn connector(services: &Services, tenant: TenantId, id: ConnectorId) -> Label {
    let found = services.catalog.view().get::<Connectors>(&(tenant, id)).ok().flatten();
    Label::new("connector", found.map_or_else(|| id.to_string(), |c| c.name))
}

fn of_table(services: &Services, table: &Table) -> Vec<Label> {
    vec![tenant(services, table.tenant_id), Label::new("table", table.name.clone())]
}

pub(crate) fn bronze_commit(services: &Services, shard: &Shard, records: u64, bytes: u64, took: Duration) {
    let mut labels = vec![tenant(services, shard.tenant_id), connector(services, shard.tenant_id, shard.connector_id)];
    counter!(RECORDS, labels.clone()).increment(records);
    counter!(BYTES, labels.clone()).increment(bytes);
    labels.push(Label::new("layer", "bronze"));
    histogram!(COMMIT_SECONDS, labels).record(took.as_secs_f64());
    credit(services);
    tenant_credit(services, shard.tenant_id);
}

pub(crate) fn silver_commit(services: &Services, table: &Table, took: Duration) {
    let mut labels = of_table(services, table);
    counter!(SILVER_COMMITS, labels.clone()).increment(1);
    labels.push(Label::new("layer", "silver"));
    histogram!(COMMIT_SECONDS, labels).record(took.as_secs_f64());
    tenant_credit(services, table.tenant_id);
}

pub(crate) fn merged(services: &Services, table: &Table, records: u64, took: Duration) {
    let labels = of_table(services, table);
    counter!(MERGED, labels.clone()).increment(records);
    histogram!(MERGE_SECONDS, labels).record(took.as_secs_f64());
}

pub(crate) fn restarted(services: &Services, what: &'static str, of: TenantId, id: Option<ConnectorId>) {
    counter!(RESTARTS, child(services, what, of, id)).increment(1);
}

pub(crate) fn broken(services: &Services, what: &'static str, of: TenantId, id: Option<ConnectorId>) {
    counter!(BROKEN, child(services, what, of, id)).increment(1);
}

/// The counters of a connector that has just started, at zero: a rate needs a first sample.
pub(crate) fn announce(services: &Services, of: TenantId, id: ConnectorId) {
    let labels = vec![tenant(services, of), connector(services, of, id)];
    counter!(RECORDS, labels.clone()).increment(0);
    counter!(BYTES, labels).increment(0);
    for what in ["connector", "shard"] {
        counter!(RESTARTS, child(services, what, of, Some(id))).increment(0);
    }
}

fn child(services: &Services, what: &'static str, of: TenantId, id: Option<ConnectorId>) -> Vec<Label> {
    let mut labels = vec![tenant(services, of), Label::new("what", what)];
    labels.extend(id.map(|id| connector(services, of, id)));
    labels
}

pub(crate) fn credit(services: &Services) {
    gauge!(CREDIT).set(services.credit.in_use() as f64);
}

/// The credit that a tenant holds.
pub(crate) fn tenant_credit(services: &Services, of: TenantId) {
    gauge!(TENANT_CREDIT, vec![tenant(services, of)]).set(services.credit.in_use_by(of) as f64);
}

pub(crate) fn age(services: &Services, age: &crate::freshness::Age) {
    gauge!(AGE, vec![tenant(services, age.tenant), Label::new("table", age.table.clone())]).set(age.us as f64 / 1e6);
}

pub(crate) fn delivery(services: &Services, webhook: &Webhook, what: &Delivery) {
    let outcome = match what {
        Delivery::Delivered => "delivered",
        Delivery::Passed => return,
        Delivery::GivenUp { .. } => "given_up",
        Delivery::Failed { .. } => "failed",
    };
    let labels = vec![tenant(services, webhook.tenant_id), Label::new("webhook", webhook.name.clone()), Label::new("outcome", outcome)];
    counter!(DELIVERIES, labels).increment(1);
}

pub(crate) fn lag(services: &Services, table: &Table, commits: usize) {
    gauge!(LAG, of_table(services, table)).set(commits as f64);
    tenant_credit(services, table.tenant_id);
}

pub(crate) fn folded(services: &Services, of: TenantId, files: u64) {
    counter!(FOLDED, vec![tenant(services, of)]).increment(files);
}

pub(crate) fn orphans(services: &Services, table: &Table, deleted: u64) {
    counter!(ORPHANS, of_table(services, table)).increment(deleted);
}

pub(crate) fn repacked(services: &Services, table: &Table, files: u64) {
    counter!(REPACKED, of_table(services, table)).increment(files);
}
