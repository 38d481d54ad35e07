//! A running query's batches: one schema for every client, a deadline, and an end when dropped.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use arrow_array::RecordBatch;
use arrow_schema::{Schema, SchemaRef};
use datafusion::error::DataFusionError;
use datafusion::execution::SendableRecordBatchStream;
use futures::{Stream, StreamExt};
use lakewright_proto::{Error, ErrorCode};
use std::sync::Arc;

use super::failure::query_error;

/// Output columns as clients are told of them before anything runs: without annotations, and
/// nullable, because planning and running differ in what they can prove not to be null.
pub(super) fn client_schema(schema: &Schema) -> SchemaRef {
    let plain = |f: &Arc<arrow_schema::Field>| arrow_schema::Field::new(f.name(), f.data_type().clone(), true);
    Arc::new(Schema::new(schema.fields().iter().map(plain).collect::<Vec<_>>()))
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
                let schema = self.schema.clone();
                let rows = arrow_array::RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
                let batch = RecordBatch::try_new_with_options(schema, batch.columns().to_vec(), &rows);
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
