//! A tenant's session at one catalog version: SQL in, batches out.

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::{DataType, SchemaRef};
use datafusion::common::{ParamValues, ScalarValue};
use datafusion::execution::SessionState;
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::{execute_stream, ExecutionPlan};
use datafusion::sql::parser::Statement as DfStatement;
use futures::TryStreamExt;
use lakewright_proto::{Error, ErrorCode, Layer, TenantId};

use super::failure::query_error;
use super::guard::{read_only, refused};
use super::names::{Scope, SEARCH};
use super::star::{is_hidden, number_placeholders, omit_hidden, Hidden};
use super::stream::{client_schema, too_long, QueryStream};

/// The longest statement that is parsed, bytes.
const MAX_SQL: usize = 1 << 20;

/// A tenant's session. Cheap to make; it pins one catalog version.
#[derive(Clone)]
pub struct QuerySession {
    pub(super) state: SessionState,
    pub(super) scope: Scope,
    pub(super) slug: String,
}

/// A table as clients list it.
#[derive(Clone, Debug)]
pub struct TableListing {
    /// Its schema.
    pub layer: Layer,
    /// Its name.
    pub name: String,
    /// `TABLE`, or `SYSTEM TABLE`.
    pub kind: &'static str,
}

/// A checked query, not yet run.
#[derive(Clone, Debug)]
pub struct Planned {
    plan: LogicalPlan,
}

impl Planned {
    /// Parameters in order, with their types where the query tells them.
    pub fn parameters(&self) -> Result<Vec<(String, Option<DataType>)>, Error> {
        let mut found: Vec<_> = self.plan.get_parameter_types().map_err(|e| query_error(&e))?.into_iter().collect();
        found.sort_by_key(|(name, _)| name.trim_start_matches('$').parse::<u32>().unwrap_or(u32::MAX));
        Ok(found)
    }

    /// The same query with values in place of its parameters.
    pub fn bind(self, values: Vec<ScalarValue>) -> Result<Self, Error> {
        let wanted = self.parameters()?.len();
        if wanted != values.len() {
            let message = format!("the query has {wanted} parameters and {} values were given", values.len());
            return Err(Error::new(ErrorCode::InvalidArgument, message));
        }
        if values.is_empty() {
            return Ok(self);
        }
        let plan = self.plan.with_param_values(ParamValues::from(values)).map_err(|e| query_error(&e))?;
        Ok(Self { plan })
    }
}

impl QuerySession {
    /// The catalog version that it reads.
    pub fn version(&self) -> u64 {
        self.scope.version
    }

    /// The tenant.
    pub fn tenant(&self) -> TenantId {
        self.scope.tenant
    }

    /// The SQL catalog: the tenant's slug.
    pub fn catalog_name(&self) -> &str {
        &self.slug
    }

    /// Parses, resolves and checks a query. Nothing runs.
    pub async fn plan(&self, sql: &str) -> Result<Planned, Error> {
        if sql.len() > MAX_SQL {
            return Err(Error::new(ErrorCode::InvalidArgument, format!("the statement is {} bytes long; at most {MAX_SQL}", sql.len())));
        }
        let dialect = self.state.config().options().sql_parser.dialect;
        let mut statement = self.state.sql_to_statement(sql, &dialect).map_err(|e| query_error(&e))?;
        match &mut statement {
            DfStatement::Statement(s) => {
                let hidden = self.hidden(s).await?;
                omit_hidden(s, &hidden);
                number_placeholders(s);
            }
            DfStatement::Explain(e) => {
                if let DfStatement::Statement(s) = e.statement.as_mut() {
                    let hidden = self.hidden(s).await?;
                    omit_hidden(s, &hidden);
                }
            }
            DfStatement::CopyTo(_) => return Err(refused("COPY")),
            DfStatement::CreateExternalTable(_) => return Err(refused("CREATE EXTERNAL TABLE")),
            DfStatement::Reset(_) => return Err(refused("RESET")),
        }
        let plan = self.state.statement_to_plan(statement).await.map_err(|e| query_error(&e))?;
        read_only(&plan)?;
        Ok(Planned { plan })
    }

    /// The columns that `SELECT *` leaves out, for each table that the statement names.
    async fn hidden(&self, statement: &datafusion::sql::sqlparser::ast::Statement) -> Result<Hidden, Error> {
        let mut hidden = Hidden::new();
        let mut names = Vec::new();
        let _ = datafusion::sql::sqlparser::ast::visit_relations(statement, |name| {
            names.push(name.clone());
            std::ops::ControlFlow::<()>::Continue(())
        });
        for name in names {
            let parts: Vec<String> = name.0.iter().filter_map(|p| p.as_ident()).map(normalized).collect();
            let (layers, table) = match parts.as_slice() {
                [table] => (SEARCH.to_vec(), table),
                [schema, table] => (layer(schema), table),
                [catalog, schema, table] if *catalog == self.slug => (layer(schema), table),
                _ => continue,
            };
            let spelt = name.to_string();
            for l in layers {
                if l == Layer::System && super::system::SystemTable::by_name(table).is_some() {
                    break;
                }
                let Some(found) = self.scope.find(l, table).map_err(Error::from)? else { continue };
                if !matches!(l, Layer::Bronze | Layer::System) {
                    let schema = super::schema::decode_schema(&found.name, &found.schema_ipc).map_err(Error::from)?;
                    hidden.insert(spelt, schema.fields().iter().map(|f| f.name().clone()).filter(|n| is_hidden(n)).collect());
                }
                break;
            }
        }
        Ok(hidden)
    }

    /// The schema of a query's answer, without running it.
    pub fn schema(&self, planned: &Planned) -> Result<SchemaRef, Error> {
        let optimized = self.state.optimize(&planned.plan).map_err(|e| query_error(&e))?;
        Ok(client_schema(optimized.schema().as_arrow()))
    }

    async fn physical(&self, planned: &Planned) -> Result<Arc<dyn ExecutionPlan>, Error> {
        self.state.create_physical_plan(&planned.plan).await.map_err(|e| query_error(&e))
    }

    /// Runs a query. Dropping the stream cancels it; the tenant's memory and the time limit hold.
    pub async fn run(&self, planned: Planned) -> Result<QueryStream, Error> {
        let timeout = self.scope.options.timeout;
        let plan = tokio::time::timeout(timeout, self.physical(&planned)).await.map_err(|_| too_long(timeout))??;
        let stream = execute_stream(plan, self.state.task_ctx()).map_err(|e| query_error(&e))?;
        Ok(QueryStream::new(stream, timeout))
    }

    /// Plans, runs and gathers a query whose answer is known to be small.
    pub async fn collect(&self, sql: &str) -> Result<Vec<RecordBatch>, Error> {
        let planned = self.plan(sql).await?;
        self.run(planned).await?.try_collect().await
    }

    /// Every table of the tenant, by schema and name.
    pub fn tables(&self) -> Result<Vec<TableListing>, Error> {
        let mut out = Vec::new();
        for layer in SEARCH {
            let kind = if layer == Layer::System { "SYSTEM TABLE" } else { "TABLE" };
            out.extend(self.scope.names(layer).map_err(Error::from)?.into_iter().map(|name| TableListing { layer, name, kind }));
        }
        out.sort_by(|a, b| (a.layer.as_str(), &a.name).cmp(&(b.layer.as_str(), &b.name)));
        Ok(out)
    }

    /// A table's columns.
    pub async fn table_schema(&self, layer: Layer, name: &str) -> Result<SchemaRef, Error> {
        let reference = datafusion::sql::TableReference::full(self.slug.clone(), layer.as_str(), name);
        let schema = self.state.schema_for_ref(reference).map_err(|e| query_error(&e))?;
        let table = schema.table(name).await.map_err(|e| query_error(&e))?;
        let table = table.ok_or_else(|| Error::new(ErrorCode::NotFound, format!("table {layer}.{name} does not exist")))?;
        Ok(client_schema(&table.schema()))
    }
}

fn layer(schema: &str) -> Vec<Layer> {
    SEARCH.into_iter().filter(|l| l.as_str() == schema).collect()
}

/// Unquoted names are lower case, as DataFusion reads them.
fn normalized(ident: &datafusion::sql::sqlparser::ast::Ident) -> String {
    if ident.quote_style.is_some() {
        ident.value.clone()
    } else {
        ident.value.to_ascii_lowercase()
    }
}
