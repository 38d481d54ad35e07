//! How files are encoded: what is compressed how, and which columns carry statistics.

use std::collections::HashSet;
use std::hash::Hash;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal128Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{Array as _, ArrayRef, RecordBatch};
use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesBuilder};
use parquet::schema::types::ColumnPath;

use crate::error::Result;

/// Rows that are looked at before a file is begun.
const SAMPLE: usize = 1_024;
/// Bytes from which on a text is long.
const LONG: usize = 64;

/// The kind of file being written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Profile {
    /// Raw records: a payload that is only compressed, offsets that can be searched by page.
    Bronze,
    /// Typed rows of Silver, or their changes.
    Silver {
        /// `_partition_at`, or `_changed_at` of changes.
        time_column: String,
        /// Columns of long texts that all differ: only compressed.
        raw: Vec<String>,
    },
    /// Rows of a mart; their time is `_built_at`.
    Gold,
    /// A system table, whose rows have their time in this column.
    System {
        /// A `Timestamp(us)` column.
        time_column: String,
    },
}

impl Profile {
    /// Encoded bytes that may wait in a row group before it is cut. A merge has several files open.
    pub(super) fn row_group_memory(&self) -> usize {
        match self {
            Self::Silver { .. } => 16 << 20,
            _ => 64 << 20,
        }
    }

    pub(super) fn time_column(&self) -> &str {
        match self {
            Self::Bronze => "_ingested_at",
            Self::Gold => "_built_at",
            Self::System { time_column } | Self::Silver { time_column, .. } => time_column,
        }
    }

    /// `sample`: the first rows, which tell what a dictionary would be worth.
    pub(super) fn properties(&self, sample: &RecordBatch) -> Result<WriterProperties> {
        let b = WriterProperties::builder()
            .set_created_by(concat!("lakewright ", env!("CARGO_PKG_VERSION")).to_owned())
            .set_compression(Compression::ZSTD(ZstdLevel::try_new(1)?))
            .set_max_row_group_bytes(Some(64 << 20))
            .set_data_page_size_limit(1 << 20)
            .set_statistics_truncate_length(Some(64))
            .set_column_index_truncate_length(Some(64));
        let b = match self {
            Self::Bronze => {
                // Small pages of offsets: a record is found by decoding one page of each column.
                plain(b, "payload")
                    .set_statistics_enabled(EnabledStatistics::Chunk)
                    .set_data_page_row_count_limit(4096)
                    .set_column_statistics_enabled(ColumnPath::from("_offset"), EnabledStatistics::Page)
                    .set_column_dictionary_enabled(ColumnPath::from("_offset"), false)
                    .set_column_dictionary_enabled(ColumnPath::from("_location"), false)
                    .set_column_dictionary_enabled(ColumnPath::from("_source_key"), false)
            }
            Self::Gold => b.set_statistics_enabled(EnabledStatistics::Page),
            Self::Silver { raw, .. } => {
                let b = b.set_statistics_enabled(EnabledStatistics::Page).set_data_page_row_count_limit(8_192);
                raw.iter().fold(b, |b, column| plain(b, column))
            }
            Self::System { .. } => {
                plain(b, "payload").set_statistics_enabled(EnabledStatistics::Page).set_data_page_row_count_limit(20_000)
            }
        };
        Ok(sampled(b, sample).build())
    }
}

/// Columns whose values mostly differ get no dictionary, and long texts no minimum either: building
/// them costs more than the encoding itself and finds nothing.
fn sampled(mut b: WriterPropertiesBuilder, sample: &RecordBatch) -> WriterPropertiesBuilder {
    for (field, column) in sample.schema_ref().fields().iter().zip(sample.columns()) {
        let Some((distinct, values, bytes)) = variety(&column.slice(0, column.len().min(SAMPLE))) else { continue };
        if values < SAMPLE / 16 || distinct * 2 < values {
            continue;
        }
        let path = || ColumnPath::from(field.name().as_str());
        b = b.set_column_dictionary_enabled(path(), false);
        if bytes / values > LONG {
            b = b.set_column_statistics_enabled(path(), EnabledStatistics::None);
        }
    }
    b
}

/// Distinct values, values and bytes of a column of scalars.
fn variety(column: &ArrayRef) -> Option<(usize, usize, usize)> {
    fn count<'a, T: Eq + Hash + 'a>(values: impl Iterator<Item = T>, bytes: impl Fn(&T) -> usize) -> (usize, usize, usize) {
        let (mut n, mut size, mut seen) = (0, 0, HashSet::new());
        for value in values {
            n += 1;
            size += bytes(&value);
            seen.insert(value);
        }
        (seen.len(), n, size)
    }
    Some(match column.data_type() {
        DataType::Utf8 => count(column.as_string::<i32>().iter().flatten(), |v| v.len()),
        DataType::Binary => count(column.as_binary::<i32>().iter().flatten(), |v| v.len()),
        DataType::Utf8View => count(column.as_string_view().iter().flatten(), |v| v.len()),
        DataType::BinaryView => count(column.as_binary_view().iter().flatten(), |v| v.len()),
        DataType::Int64 => count(column.as_primitive::<Int64Type>().iter().flatten(), |_| 8),
        DataType::Timestamp(TimeUnit::Microsecond, _) => count(column.as_primitive::<TimestampMicrosecondType>().iter().flatten(), |_| 8),
        DataType::Decimal128(..) => count(column.as_primitive::<Decimal128Type>().iter().flatten(), |_| 16),
        _ => return None,
    })
}

/// Raw bytes: every value differs, so a dictionary or a minimum would cost and serve nothing.
fn plain(b: WriterPropertiesBuilder, column: &str) -> WriterPropertiesBuilder {
    let path = || ColumnPath::from(column);
    b.set_column_dictionary_enabled(path(), false)
        .set_column_statistics_enabled(path(), EnabledStatistics::None)
        .set_column_data_page_size_limit(path(), 1 << 20)
}

/// The schema as written: views are how batches travel, not how files are typed.
pub fn file_schema(schema: &Schema) -> SchemaRef {
    let field = |f: &Arc<Field>| match f.data_type() {
        DataType::BinaryView => Arc::new(f.as_ref().clone().with_data_type(DataType::Binary)),
        DataType::Utf8View => Arc::new(f.as_ref().clone().with_data_type(DataType::Utf8)),
        _ => f.clone(),
    };
    Arc::new(Schema::new_with_metadata(schema.fields().iter().map(field).collect::<Vec<_>>(), schema.metadata().clone()))
}
