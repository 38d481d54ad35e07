//! Tables of schema `system` that are views of the catalog. They show the tenant's own records as
//! they are now, not as of the session's version, and never a secret or a token's hash.

use std::fmt;
use std::sync::Arc;

use arrow_schema::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::error::{DataFusionError, Result as DfResult};
use datafusion::logical_expr::{Expr, TableType};
use datafusion::physical_plan::ExecutionPlan;

use super::names::Scope;
use super::rows::{batch, schema, Kind};
use super::system_rows as rows;
use crate::error::StorageError;

/// A table of schema `system`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SystemTable {
    Tenants,
    Users,
    Connectors,
    Shards,
    Runs,
    Tables,
    Files,
    Lineage,
    Alerts,
    Audit,
    Nodes,
    Passport,
}

use Kind::{Flag, Number, Real, Text, Time};

impl SystemTable {
    pub(super) const ALL: [Self; 12] = [
        Self::Tenants,
        Self::Users,
        Self::Connectors,
        Self::Shards,
        Self::Runs,
        Self::Tables,
        Self::Files,
        Self::Lineage,
        Self::Alerts,
        Self::Audit,
        Self::Nodes,
        Self::Passport,
    ];

    pub(super) fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|t| t.name() == name)
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Tenants => "tenants",
            Self::Users => "users",
            Self::Connectors => "connectors",
            Self::Shards => "shards",
            Self::Runs => "runs",
            Self::Tables => "tables",
            Self::Files => "files",
            Self::Lineage => "lineage",
            Self::Alerts => "alerts",
            Self::Audit => "audit",
            Self::Nodes => "nodes",
            Self::Passport => "passport",
        }
    }

    pub(super) fn columns(self) -> &'static [(&'static str, Kind)] {
        match self {
            Self::Tenants => &[("tenant_id", Text), ("slug", Text), ("name", Text), ("plan", Text), ("status", Text), ("created_at", Time)],
            Self::Users => {
                &[("user_id", Text), ("email", Text), ("display_name", Text), ("roles", Text), ("status", Text), ("created_at", Time)]
            }
            Self::Connectors => &[
                ("connector_id", Text),
                ("name", Text),
                ("kind", Text),
                ("status", Text),
                ("broken_reason", Text),
                ("broken_since", Time),
                ("config", Text),
                ("version", Number),
                ("created_at", Time),
            ],
            Self::Shards => &[
                ("shard", Number),
                ("connector_id", Text),
                ("stream", Text),
                ("key", Text),
                ("status", Text),
                ("owner", Number),
                ("epoch", Number),
                ("position", Text),
                ("position_no", Number),
                ("next_offset", Number),
            ],
            Self::Runs => rows::RUN_COLUMNS,
            Self::Tables => &[
                ("table_id", Text),
                ("schema", Text),
                ("name", Text),
                ("subject", Text),
                ("files", Number),
                ("rows", Number),
                ("bytes", Number),
                ("buckets", Number),
                ("pack", Text),
                ("version", Number),
                ("created_at", Time),
                ("updated_at", Time),
            ],
            Self::Files => &[
                ("schema", Text),
                ("table", Text),
                ("file_id", Text),
                ("bucket", Number),
                ("path", Text),
                ("partition", Text),
                ("bytes", Number),
                ("rows", Number),
                ("deleted_rows", Number),
                ("first_time", Time),
                ("last_time", Time),
                ("added_version", Number),
                ("written_at", Time),
            ],
            Self::Lineage => rows::LINEAGE_COLUMNS,
            Self::Alerts => &[("at", Time), ("kind", Text), ("subject", Text), ("message", Text), ("connector_id", Text), ("run_id", Text)],
            Self::Audit => &[("at", Time), ("principal", Text), ("action", Text), ("done", Flag), ("refused", Text), ("command_id", Text)],
            Self::Nodes => &[("node", Number), ("version", Text), ("flight_address", Text), ("catalog_version", Number)],
            Self::Passport => &[
                ("at", Time),
                ("snapshot", Number),
                ("schema", Text),
                ("table", Text),
                ("version", Number),
                ("rows", Number),
                ("fresh_as_of", Time),
                ("age_seconds", Real),
                ("quality_score", Real),
                ("quality_run", Text),
                ("open_dead_letters", Number),
            ],
        }
    }

    pub(super) fn provider(self, scope: Scope) -> SystemProvider {
        SystemProvider { table: self, scope, schema: schema(self.columns()) }
    }

    fn rows(self, scope: &Scope) -> crate::error::Result<Vec<Vec<super::rows::Cell>>> {
        match self {
            Self::Tenants => rows::tenants(scope),
            Self::Users => rows::users(scope),
            Self::Connectors => rows::connectors(scope),
            Self::Shards => rows::shards(scope),
            Self::Runs => rows::runs(scope),
            Self::Tables => rows::tables(scope),
            // Part of them is in the store: see `scan`.
            Self::Files => Ok(Vec::new()),
            Self::Lineage => rows::lineage(scope),
            Self::Alerts => rows::alerts(scope),
            Self::Audit => rows::audit(scope),
            Self::Nodes => rows::nodes(scope),
            Self::Passport => Ok(rows::passport(scope)),
        }
    }
}

/// A system table in a session; its rows are read when it is scanned.
pub(super) struct SystemProvider {
    table: SystemTable,
    scope: Scope,
    schema: SchemaRef,
}

impl fmt::Debug for SystemProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "system.{}", self.table.name())
    }
}

#[async_trait]
impl TableProvider for SystemProvider {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn table_type(&self) -> TableType {
        TableType::View
    }

    async fn scan(
        &self,
        _state: &dyn Session,
        projection: Option<&Vec<usize>>,
        _filters: &[Expr],
        _limit: Option<usize>,
    ) -> DfResult<Arc<dyn ExecutionPlan>> {
        let (table, scope) = (self.table, self.scope.clone());
        if table == SystemTable::Files {
            let rows = super::system_files::files(&scope).await.and_then(|rows| batch(table.columns(), &rows));
            let batch = rows.map_err(|e| DataFusionError::External(Box::new(e)))?;
            return Ok(MemorySourceConfig::try_new_exec(&[vec![batch]], self.schema.clone(), projection.cloned())?);
        }
        let read = tokio::task::spawn_blocking(move || batch(table.columns(), &table.rows(&scope)?)).await;
        let read = read.unwrap_or_else(|e| Err(StorageError::io("reading the catalog", std::io::Error::other(e))));
        let batch = read.map_err(|e| DataFusionError::External(Box::new(e)))?;
        Ok(MemorySourceConfig::try_new_exec(&[vec![batch]], self.schema.clone(), projection.cloned())?)
    }
}
