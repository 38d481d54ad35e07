//! A running query's batches: one schema for every client, a deadline, and an end when dropped.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use arrow::compute::cast;
use arrow_array::{RecordBatch, RecordBatchOptions};
use arrow_schema::{ArrowError, DataType, Field, FieldRef, Schema, SchemaRef};
use datafusion::error::DataFusionError;
use datafusion::execution::SendableRecordBatchStream;
use futures::{Stream, StreamExt};
use lakewright_proto::{Error, ErrorCode};

use super::failure::query_error;

/// Output columns as clients are told of them before anything runs: without annotations, and
/// nullable, because planning and running differ in what they can prove not to be null.
pub(super) fn client_schema(schema: &Schema) -> SchemaRef {
    let plain = |f: &FieldRef| Field::new(f.name(), client_type(f.data_type()), true);
    Arc::new(Schema::new(schema.fields().iter().map(plain).collect::<Vec<_>>()))
}

/// Types that every Arrow client knows: no views, no dictionaries.
fn client_type(data_type: &DataType) -> DataType {
    let inner = |f: &FieldRef| Arc::new(f.as_ref().clone().with_data_type(client_type(f.data_type())));
    match data_type {
        DataType::Utf8View => DataType::Utf8,
        DataType::BinaryView => DataType::Binary,
        DataType::Dictionary(_, values) => client_type(values),
        DataType::List(f) | DataType::ListView(f) => DataType::List(inner(f)),
        DataType::LargeList(f) | DataType::LargeListView(f) => DataType::LargeList(inner(f)),
        DataType::FixedSizeList(f, n) => DataType::FixedSizeList(inner(f), *n),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(inner).collect()),
        DataType::Map(f, sorted) => DataType::Map(inner(f), *sorted),
        other => other.clone(),
    }
}

/// A batch under the client's schema.
fn client_batch(schema: &SchemaRef, batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    let pairs = batch.columns().iter().zip(schema.fields());
    let columns = pairs.map(|(c, f)| if c.data_type() == f.data_type() { Ok(c.clone()) } else { cast(c, f.data_type()) });
    let rows = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(schema.clone(), columns.collect::<Result<_, _>>()?, &rows)
}

/// The batches of one query. Dropping it cancels the query.
pub struct QueryStream {
    inner: Option<SendableRecordBatchStream>,
    schema: SchemaRef,
    deadline: Pin<Box<tokio::time::Sleep>>,
    timeout: Duration,
}

impl QueryStream {
    pub(super) fn new(inner: SendableRecordBatchStream, timeout: Duration) -> Self {
        let schema = client_schema(&inner.schema());
        Self { inner: Some(inner), schema, deadline: Box::pin(tokio::time::sleep(timeout)), timeout }
    }

    /// The schema of its batches.
    pub fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }
}

/// What a query that ran too long says.
pub(super) fn too_long(timeout: Duration) -> Error {
    Error::new(
        ErrorCode::ResourceExhausted,
        format!("the query ran longer than {} s and was cancelled; filter more, or raise query.timeout", timeout.as_secs_f64()),
    )
}

impl Stream for QueryStream {
    type Item = Result<RecordBatch, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.inner.is_some() && self.deadline.as_mut().poll(cx).is_ready() {
            self.inner = None;
            let timeout = self.timeout;
            return Poll::Ready(Some(Err(too_long(timeout))));
        }
        let Some(inner) = self.inner.as_mut() else { return Poll::Ready(None) };
        match inner.poll_next_unpin(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Some(Ok(batch))) => {
                let batch = client_batch(&self.schema, &batch);
                Poll::Ready(Some(batch.map_err(|e| query_error(&DataFusionError::from(e)))))
            }
            Poll::Ready(Some(Err(e))) => {
                self.inner = None;
                Poll::Ready(Some(Err(query_error(&e))))
            }
            Poll::Ready(None) => {
                self.inner = None;
                Poll::Ready(None)
            }
        }
    }
}
