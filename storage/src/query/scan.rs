//! One table at one catalog version as DataFusion reads it: Parquet files less their deleted rows.

use std::fmt;
use std::sync::Arc;

use arrow_schema::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::stats::Precision;
use datafusion::common::{ColumnStatistics, Statistics};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::parquet::metadata::DFParquetMetadata;
use datafusion::datasource::physical_plan::parquet::CachedParquetFileReaderFactory;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::error::{DataFusionError, Result as DfResult};
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::empty::EmptyExec;
use datafusion::physical_plan::ExecutionPlan;
use lakewright_proto::{Error, ErrorCode, Layer, TenantId};

use super::access::without_deleted;
use super::deletes::DeletedRows;
use super::prune::TimeBounds;
use super::schema::{decode_schema, query_schema};
use crate::catalog::{SilverFile, TableSnapshot};
use crate::error::{Result, StorageError};

/// The lake's store in every session's registry.
pub(super) const STORE_URL: &str = "lakewright://store";

/// A table at a version.
pub(super) struct SnapshotTable {
    snapshot: TableSnapshot,
    schema: SchemaRef,
    deletes: Arc<dyn DeletedRows>,
}

impl fmt::Debug for SnapshotTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{} at {}", self.snapshot.table.layer, self.snapshot.table.name, self.snapshot.version)
    }
}

impl SnapshotTable {
    /// Refuses a snapshot that is another tenant's or names a file outside the tenant's paths:
    /// the wall between tenants does not rest on the catalog alone.
    pub(super) fn new(snapshot: TableSnapshot, tenant: TenantId, deletes: Arc<dyn DeletedRows>) -> Result<Self> {
        let wall = format!("tenant_id={tenant}");
        let outside = |path: &str| !path.split('/').any(|part| part == wall) || path.split('/').any(|part| part == "..");
        let vectors = snapshot.files.iter().filter_map(|f| f.vector.as_ref().map(|v| &v.path));
        let stray = snapshot.files.iter().map(|f| &f.file.path).chain(vectors).any(|p| outside(p));
        if stray || snapshot.table.tenant_id != tenant {
            tracing::error!(table = %snapshot.table.id, %tenant, "a snapshot reaches outside its tenant");
            let message = format!("table {}.{} names a file outside its tenant; it is not read", snapshot.table.layer, snapshot.table.name);
            return Err(Error::new(ErrorCode::Internal, message).into());
        }
        let schema = query_schema(decode_schema(&snapshot.table.name, &snapshot.table.schema_ipc)?.as_ref());
        Ok(Self { snapshot, schema, deletes })
    }

    /// Its schema and name.
    pub(super) fn name(&self) -> (Layer, String) {
        (self.snapshot.table.layer, self.snapshot.table.name.clone())
    }

    /// The column that `DataFile::time_range` speaks of.
    fn time_column(&self) -> &'static str {
        let has = |name| self.schema.column_with_name(name).is_some();
        match self.snapshot.table.layer {
            Layer::Silver if has("_change") => "",
            Layer::Silver if has("_partition_at") => "_partition_at",
            Layer::Bronze => "_ingested_at",
            _ => "",
        }
    }

    async fn file(&self, state: &dyn Session, f: &SilverFile) -> DfResult<PartitionedFile> {
        let mut file = PartitionedFile::new(f.file.path.clone(), f.file.size);
        // The catalog's keys are final: a percent sign in one must not be encoded again.
        file.object_meta.location = object_store::path::Path::parse(&f.file.path).map_err(|e| DataFusionError::External(Box::new(e)))?;
        if let Some(vector) = &f.vector {
            let deleted = self.deletes.deleted(vector).await.map_err(|e| DataFusionError::External(Box::new(e)))?;
            let runtime = state.runtime_env();
            let store = runtime.object_store(ObjectStoreUrl::parse(STORE_URL)?)?;
            let footer = DFParquetMetadata::new(store.as_ref(), &file.object_meta)
                .with_file_metadata_cache(Some(runtime.cache_manager.get_file_metadata_cache()))
                .fetch_metadata()
                .await?;
            let groups: Vec<u64> = footer.row_groups().iter().map(|g| g.num_rows().max(0) as u64).collect();
            let rows: u64 = groups.iter().sum();
            if deleted.max().is_some_and(|last| last >= rows) {
                let e = StorageError::corrupt(&vector.path, format!("it deletes rows beyond the {rows} of its file"));
                return Err(DataFusionError::External(Box::new(e)));
            }
            file = file.with_extension(without_deleted(&groups, &deleted));
        }
        Ok(file.with_statistics(Arc::new(self.statistics(std::slice::from_ref(&f)))))
    }

    fn statistics(&self, files: &[&SilverFile]) -> Statistics {
        let live = |f: &&SilverFile| f.file.rows.saturating_sub(f.vector.as_ref().map_or(0, |v| v.cardinality)) as usize;
        Statistics {
            num_rows: Precision::Exact(files.iter().map(live).sum()),
            total_byte_size: Precision::Inexact(files.iter().map(|f| f.file.size as usize).sum()),
            column_statistics: vec![ColumnStatistics::new_unknown(); self.schema.fields().len()],
        }
    }
}

#[async_trait]
impl TableProvider for SnapshotTable {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> DfResult<Vec<TableProviderFilterPushDown>> {
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> DfResult<Arc<dyn ExecutionPlan>> {
        let bounds = TimeBounds::of(self.time_column(), filters);
        let wanted: Vec<&SilverFile> = self.snapshot.files.iter().filter(|f| f.file.rows > 0 && bounds.meets(f.file.time_range)).collect();
        if wanted.is_empty() {
            let schema = datafusion::physical_plan::project_schema(&self.schema, projection)?;
            return Ok(Arc::new(EmptyExec::new(schema)));
        }
        let mut files = Vec::with_capacity(wanted.len());
        for f in &wanted {
            files.push(self.file(state, f).await?);
        }
        let url = ObjectStoreUrl::parse(STORE_URL)?;
        let runtime = state.runtime_env();
        let reader = CachedParquetFileReaderFactory::new(runtime.object_store(&url)?, runtime.cache_manager.get_file_metadata_cache());
        let source = ParquetSource::new(self.schema.clone())
            .with_table_parquet_options(state.default_table_options().parquet)
            .with_parquet_file_reader_factory(Arc::new(reader));
        let groups = FileGroup::new(files).split_files(state.config().target_partitions());
        let config = FileScanConfigBuilder::new(url, Arc::new(source))
            .with_file_groups(groups)
            .with_statistics(self.statistics(&wanted))
            .with_projection_indices(projection.cloned())?
            .with_limit(if filters.is_empty() { limit } else { None })
            .build();
        Ok(DataSourceExec::from_data_source(config))
    }
}
