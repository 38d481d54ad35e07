//! One build of a mart: its query over one snapshot, files of its rows, and the command that swaps them in.

use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow_array::{ArrayRef, Date32Array, Int64Array, RecordBatch, TimestampMicrosecondArray};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use chrono::NaiveDate;
use futures::TryStreamExt as _;
use lakewright_proto::{CommitSeq, Error, ErrorCode, FileId, Layer, ShardEpoch, TableId, TenantId};
use lakewright_storage::catalog::command::{Command, CommitGold, TableSpec};
use lakewright_storage::catalog::records::GoldBuild;
use lakewright_storage::crash;
use lakewright_storage::pack::Mart;
use lakewright_storage::parquet::{FileWriter, Owner, Profile, Span};
use lakewright_storage::paths::{gold_root, Day, Key};
use lakewright_storage::query::{decode_schema, encode_schema, QueryEngine};
use lakewright_storage::table::evolve::evolve;
use lakewright_storage::table::schemas::gold_columns;
use lakewright_storage::table::DataFile;

use super::plan::day;
use crate::services::Services;

/// Rows of a mart at most: it is a table of sums, not of records.
const MAX_ROWS: u64 = 10_000_000;

/// What was built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Built {
    /// Its rows.
    pub rows: u64,
    /// The catalog version that it is of.
    pub snapshot: u64,
    /// How long it took.
    pub took: Duration,
}

/// Builds a mart as of the day of `now`, of the newest snapshot. An older build that ends later is refused.
pub async fn build(services: &Services, engine: &QueryEngine, tenant: TenantId, pack: &str, mart: &Mart, now: i64) -> Result<Built, Error> {
    let begun = Instant::now();
    let reads = {
        let session = engine.session(tenant, None)?;
        session.tables_of(&session.plan(&mart.sql).await?)?
    };
    if let Some((layer, name)) = reads.iter().find(|(layer, _)| *layer != Layer::Silver) {
        let message = format!("mart {} reads {layer}.{name}; marts are made of Silver alone", mart.name);
        return Err(Error::new(ErrorCode::InvalidArgument, message));
    }
    // The snapshot and where its inputs stand are of one view: what is committed after it leads to another build.
    let (snapshot, inputs) = {
        let view = services.catalog.view();
        (view.version()?, super::inputs(&view, tenant, &reads)?.into_iter().map(|i| i.input).collect())
    };
    let session = engine.session(tenant, Some(snapshot))?;
    let planned = session.plan(&mart.sql).await?;
    let schema = columns(mart, &session.schema(&planned)?)?;
    let spec = spec(services, tenant, mart, &schema)?;
    let table = {
        let view = services.catalog.view();
        view.table_by_name(tenant, Layer::Gold, &mart.name)?.map_or(spec.id, |t| t.id)
    };
    let written = decode_schema(&spec.name, &spec.schema_ipc)?;
    let mut rows = session.run(planned).await?;
    let mut writer: Option<(FileId, FileWriter)> = None;
    let date = day(now);
    let as_of = NaiveDate::from_ymd_opt(1970, 1, 1).and_then(|d| d.checked_add_days(chrono::Days::new(u64::from(date))));
    let as_of = as_of.ok_or_else(|| Error::new(ErrorCode::Internal, "the clock is out of the calendar"))?;
    let mut total = 0;
    while let Some(batch) = rows.try_next().await? {
        total += batch.num_rows() as u64;
        if total > MAX_ROWS {
            return Err(Error::new(
                ErrorCode::ResourceExhausted,
                format!("mart {} has more than {MAX_ROWS} rows; group by less", mart.name),
            ));
        }
        let (_, writer) = match &mut writer {
            Some(writer) => writer,
            None => {
                let file = FileId::generate();
                let key = Key::Gold { tenant, mart: mart.name.clone(), date: Day(as_of), file };
                writer.insert((file, FileWriter::start(&services.store, key, &written, &Profile::Gold)?))
            }
        };
        writer.write(with_own_columns(&written, &batch, now, snapshot, date)?).await?;
    }
    let mut files: Vec<DataFile> = Vec::new();
    if let Some((file, writer)) = writer {
        let span = Span::Watermark { from: CommitSeq(0), to: CommitSeq(snapshot) };
        let mut footer = services.footer(tenant, table, file, Owner::Bucket(0), ShardEpoch(0), span);
        footer.pack = Some(pack.to_owned());
        files.push(writer.finish(&footer).await?);
    }
    crash::point("gold.files.written");
    let took = begun.elapsed();
    let build = GoldBuild {
        date,
        snapshot,
        inputs,
        files: files.iter().map(|f| f.id).collect(),
        rows: total,
        pack: pack.to_owned(),
        took_us: i64::try_from(took.as_micros()).unwrap_or(i64::MAX),
        built_at: 0,
    };
    services.catalog.propose("node", Command::CommitGold(CommitGold { tenant, spec, build, files })).await?;
    crash::point("gold.commit.after");
    Ok(Built { rows: total, snapshot, took })
}

/// The mart's columns as its table has them, without ids: our own, the day, then those of the query.
fn columns(mart: &Mart, query: &SchemaRef) -> Result<Schema, Error> {
    let mut fields = gold_columns();
    fields.push(describe(Field::new("as_of_date", DataType::Date32, false), "the UTC day that the row is of"));
    for field in query.fields() {
        if field.name().starts_with('_') || field.name() == "as_of_date" {
            let message = format!("mart {} names a column {:?}; names with a leading _ and as_of_date are ours", mart.name, field.name());
            return Err(Error::new(ErrorCode::InvalidArgument, message));
        }
        let field = field.as_ref().clone();
        fields.push(match mart.columns.get(field.name()) {
            Some(text) => describe(field, text),
            None => field,
        });
    }
    if let Some(missing) = mart.grain.iter().chain(mart.columns.keys()).find(|c| query.field_with_name(c).is_err()) {
        let message = format!("mart {} speaks of a column {missing:?} that its query does not have", mart.name);
        return Err(Error::new(ErrorCode::InvalidArgument, message));
    }
    Ok(Schema::new(fields))
}

fn describe(field: Field, text: &str) -> Field {
    let mut metadata = field.metadata().clone();
    metadata.insert("description".to_owned(), text.to_owned());
    field.with_metadata(metadata)
}

/// The table as it will be: columns keep their ids, those that the query has no more stay and are null.
fn spec(services: &Services, tenant: TenantId, mart: &Mart, wanted: &Schema) -> Result<TableSpec, Error> {
    let old = services.catalog.view().table_by_name(tenant, Layer::Gold, &mart.name)?;
    let (before, last_id, empty) = match &old {
        Some(t) => (decode_schema(&t.name, &t.schema_ipc)?.as_ref().clone(), t.last_field_id, t.files == 0),
        None => (Schema::empty(), 0, true),
    };
    let new = evolve(&before, last_id, wanted, empty);
    if let Some(r) = new.refused.first() {
        let message = format!(
            "mart {}: column {} is {} in its table and would be {}; earlier days keep their type, so give the column another name",
            mart.name, r.column, r.is, r.wanted
        );
        return Err(Error::new(ErrorCode::InvalidArgument, message));
    }
    Ok(TableSpec {
        id: TableId::generate(),
        layer: Layer::Gold,
        name: mart.name.clone(),
        subject: mart.name.clone(),
        root: gold_root(tenant, &mart.name),
        schema_ipc: encode_schema(&new.schema)?,
        streams: Vec::new(),
        changes: None,
        lookups: None,
        rebuild: None,
    })
}

fn with_own_columns(schema: &SchemaRef, batch: &RecordBatch, now: i64, snapshot: u64, date: u32) -> Result<RecordBatch, Error> {
    let n = batch.num_rows();
    let mut arrays: Vec<ArrayRef> = Vec::with_capacity(schema.fields().len());
    for field in schema.fields() {
        arrays.push(match field.name().as_str() {
            "_built_at" => Arc::new(TimestampMicrosecondArray::from_value(now, n).with_timezone("UTC")),
            "_snapshot" => Arc::new(Int64Array::from_value(snapshot as i64, n)),
            "as_of_date" => Arc::new(Date32Array::from_value(date as i32, n)),
            name => match batch.column_by_name(name) {
                Some(column) => Arc::clone(column),
                None => arrow_array::new_null_array(field.data_type(), n),
            },
        });
    }
    RecordBatch::try_new(Arc::clone(schema), arrays).map_err(|e| Error::new(ErrorCode::Internal, format!("rows of a mart: {e}")))
}
