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
use super::keys::ForeignKey;
use super::names::{Scope, SEARCH};
use super::passport::{passport, tables_read, Passport};
use super::size;
use super::star::{is_hidden, number_placeholders, omit_hidden, without_call, Hidden};
use super::stream::{client_schema, too_long, QueryStream};
use super::system::SystemTable;

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

impl Planned {
    /// The same query with values of a row in place of its parameters, the first column's for `$1`.
    pub fn bind_row(self, row: &RecordBatch, columns: &[String]) -> Result<Self, Error> {
        let value = |name: &String| {
            let missing = || Error::new(ErrorCode::InvalidArgument, format!("the row has no column {name:?}"));
            let column = row.column_by_name(name).ok_or_else(missing)?;
            ScalarValue::try_from_array(column, 0).map_err(|e| query_error(&e))
        };
        let values = columns.iter().map(value).collect::<Result<_, Error>>()?;
        self.bind(values)
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
        let dialect = self.state.config().options().sql_parser.dialect;
        size::check_text(sql, dialect.as_ref())?;
        let mut statement = self.state.sql_to_statement(sql, &dialect).map_err(|e| query_error(&e))?;
        match &mut statement {
            DfStatement::Statement(s) => {
                size::check_relations(s)?;
                refuse_updates(s)?;
                without_call(s);
                let hidden = self.hidden(s).await?;
                omit_hidden(s, &hidden);
                number_placeholders(s);
            }
            DfStatement::Explain(e) => {
                if let DfStatement::Statement(s) = e.statement.as_mut() {
                    size::check_relations(s)?;
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
                [table] => (self.scope.search.to_vec(), table),
                [schema, table] => (layer(schema), table),
                [catalog, schema, table] if *catalog == self.slug => (layer(schema), table),
                _ => continue,
            };
            let spelt = name.to_string();
            for l in layers {
                if l == Layer::System && SystemTable::by_name(table).is_some() {
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

    /// The stored tables that a query reads, each once.
    pub fn tables_of(&self, planned: &Planned) -> Result<Vec<(Layer, String)>, Error> {
        tables_read(&planned.plan)
    }

    /// How fresh and how good the tables are that a query reads. Some look-ups in the catalog; nothing runs.
    pub async fn passport(&self, planned: &Planned) -> Result<Passport, Error> {
        let tables = tables_read(&planned.plan)?;
        let scope = self.scope.clone();
        let read = move || passport(&scope, &tables).map_err(Error::from);
        let failed = |e| Error::new(ErrorCode::Internal, format!("reading the catalog: {e}"));
        tokio::task::spawn_blocking(read).await.map_err(failed)?
    }

    /// The columns of a table's primary key, in order; none: it has no key, or does not exist.
    pub fn primary_key(&self, layer: Layer, table: &str) -> Result<Vec<String>, Error> {
        if layer != Layer::Silver {
            return Ok(Vec::new());
        }
        self.scope.keys.primary(&self.scope.catalog, self.scope.tenant, table).map_err(Error::from)
    }

    /// Every foreign key between the tenant's Silver tables.
    pub fn foreign_keys(&self) -> Result<Vec<ForeignKey>, Error> {
        self.scope.keys.foreign(&self.scope.catalog, self.scope.tenant).map_err(Error::from)
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
    pub fn table_schema(&self, layer: Layer, name: &str) -> Result<SchemaRef, Error> {
        let missing = || Error::new(ErrorCode::NotFound, format!("table {layer}.{name} does not exist"));
        if layer == Layer::System && !self.scope.hidden.contains(&name) {
            if let Some(table) = SystemTable::by_name(name) {
                return Ok(client_schema(&super::rows::schema(table.columns())));
            }
        }
        // The catalog's record is enough: lists of files are not read.
        let table = self.scope.find(layer, name).map_err(Error::from)?.ok_or_else(missing)?;
        let schema = super::schema::decode_schema(&table.name, &table.schema_ipc).map_err(Error::from)?;
        Ok(client_schema(&super::schema::query_schema(&schema)))
    }
}

/// Updates are refused before names are looked up: what is wrong with them is not a missing table.
fn refuse_updates(statement: &datafusion::sql::sqlparser::ast::Statement) -> Result<(), Error> {
    use datafusion::sql::sqlparser::ast::Statement;
    match statement {
        Statement::Insert(_) => Err(refused("INSERT")),
        Statement::Update { .. } => Err(refused("UPDATE")),
        Statement::Delete(_) => Err(refused("DELETE")),
        Statement::Merge { .. } => Err(refused("MERGE")),
        Statement::Truncate { .. } => Err(refused("TRUNCATE")),
        _ => Ok(()),
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
