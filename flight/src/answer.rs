//! Batches -> Flight data, counted, cancellable.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use arrow_array::RecordBatch;
use arrow_flight::encode::FlightDataEncoderBuilder;
use arrow_flight::error::FlightError;
use arrow_flight::FlightData;
use arrow_schema::SchemaRef;
use futures::{Stream, StreamExt, TryStreamExt};
use lakewright_storage::query::QueryStream;
use tonic::{Response, Status};

use crate::running::{cancelled, Slot};

/// Bytes of one message: large enough to be cheap, small enough for clients with the 4 MiB default.
const MESSAGE: usize = 2 << 20;

pub(crate) type DataStream = Pin<Box<dyn Stream<Item = Result<FlightData, Status>> + Send>>;

/// An answer that is in memory.
pub(crate) fn batch(batch: RecordBatch) -> Response<DataStream> {
    encode(batch.schema(), futures::stream::iter([Ok(batch)]))
}

/// A running query's answer.
pub(crate) fn query(stream: QueryStream, slot: Slot, tenant: &str) -> Response<DataStream> {
    let schema = stream.schema();
    let cancel = slot.cancelled.clone();
    let stop = Box::pin(async move {
        let mut cancel = cancel;
        // The sender lives in the slot's registry: an error means that the query is over anyway.
        let _ = cancel.wait_for(|c| *c).await;
    });
    let labels = [("tenant", tenant.to_owned())];
    metrics::counter!("lakewright_queries_total", &labels).increment(1);
    let counted = Counted { stream: Some(stream), _slot: slot, stop, labels, began: Instant::now() };
    encode(schema, counted)
}

fn encode(schema: SchemaRef, batches: impl Stream<Item = Result<RecordBatch, FlightError>> + Send + 'static) -> Response<DataStream> {
    let encoded = FlightDataEncoderBuilder::new().with_schema(schema).with_max_flight_data_size(MESSAGE).build(batches);
    Response::new(Box::pin(encoded.map_err(|e| match e {
        FlightError::Tonic(status) => *status,
        e => Status::internal(e.to_string()),
    })))
}

type Stop = Pin<Box<dyn std::future::Future<Output = ()> + Send>>;

struct Counted {
    stream: Option<QueryStream>,
    _slot: Slot,
    stop: Stop,
    labels: [(&'static str, String); 1],
    began: Instant,
}

impl Stream for Counted {
    type Item = Result<RecordBatch, FlightError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Some(mut stream) = self.stream.take() else { return Poll::Ready(None) };
        if self.stop.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Some(Err(Status::from(cancelled()).into())));
        }
        match stream.poll_next_unpin(cx) {
            Poll::Pending => {
                self.stream = Some(stream);
                Poll::Pending
            }
            Poll::Ready(Some(Ok(batch))) => {
                self.stream = Some(stream);
                metrics::counter!("lakewright_query_rows_total", &self.labels).increment(batch.num_rows() as u64);
                metrics::counter!("lakewright_query_bytes_total", &self.labels).increment(batch.get_array_memory_size() as u64);
                Poll::Ready(Some(Ok(batch)))
            }
            Poll::Ready(Some(Err(e))) => {
                metrics::counter!("lakewright_query_failures_total", &self.labels).increment(1);
                Poll::Ready(Some(Err(Status::from(e).into())))
            }
            Poll::Ready(None) => Poll::Ready(None),
        }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        metrics::histogram!("lakewright_query_seconds", &self.labels).record(self.began.elapsed().as_secs_f64());
    }
}

/// An answer without rows.
pub(crate) fn empty(schema: SchemaRef) -> Response<DataStream> {
    batch(RecordBatch::new_empty(Arc::clone(&schema)))
}
