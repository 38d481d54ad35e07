//! Batches -> Flight data, counted, cancellable.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use arrow_array::RecordBatch;
use arrow_flight::encode::FlightDataEncoderBuilder;
use arrow_flight::error::FlightError;
use arrow_flight::FlightData;
use arrow_schema::SchemaRef;
use bytes::Bytes;
use futures::{Stream, StreamExt};
use lakewright_storage::query::QueryStream;
use tonic::{Response, Status};

use crate::parked::Begun;
use crate::running::{cancelled, until_cancelled, Slot};

/// Bytes of one message: large enough to be cheap, small enough for clients with the 4 MiB default.
const MESSAGE: usize = 2 << 20;
/// Batches that are made ahead of the encoder.
const AHEAD: usize = 4;

pub(crate) type DataStream = Pin<Box<dyn Stream<Item = Result<FlightData, Status>> + Send>>;

/// An answer that is in memory.
pub(crate) fn batch(batch: RecordBatch) -> Response<DataStream> {
    encode(batch.schema(), futures::stream::iter([Ok(batch)]), Bytes::new())
}

/// A running query's answer; its passport goes with the schema and with the first rows.
pub(crate) fn query(begun: Begun, tenant: &str) -> Response<DataStream> {
    let Begun { stream, first, slot, ready } = begun;
    let passport = Bytes::from(ready.passport.to_json());
    let schema = stream.schema();
    let cancel = slot.cancelled.clone();
    let stop = Box::pin(until_cancelled(cancel));
    let labels = [("tenant", tenant.to_owned())];
    metrics::counter!("lakewright_queries_total", &labels).increment(1);
    let counted = Counted { first, stream: Some(stream), _slot: slot, stop, labels, began: Instant::now() };
    encode(schema, ahead(counted), passport)
}

/// Reads ahead of the encoder: the next rows are made while the ones before are written to the client.
fn ahead(mut batches: Counted) -> impl Stream<Item = Result<RecordBatch, FlightError>> + Send + 'static {
    let (send, receive) = tokio::sync::mpsc::channel(AHEAD);
    tokio::spawn(async move {
        loop {
            // A client that has gone ends its query, also while that has no rows to send.
            let next = tokio::select! {
                next = batches.next() => next,
                () = send.closed() => None,
            };
            let Some(batch) = next else { break };
            if send.send(batch).await.is_err() {
                break;
            }
        }
    });
    tokio_stream::wrappers::ReceiverStream::new(receive)
}

fn encode(
    schema: SchemaRef,
    batches: impl Stream<Item = Result<RecordBatch, FlightError>> + Send + 'static,
    about: Bytes,
) -> Response<DataStream> {
    let builder = FlightDataEncoderBuilder::new().with_schema(schema).with_max_flight_data_size(MESSAGE);
    let encoded = builder.with_metadata(about.clone()).build(batches).enumerate().map(move |(i, message)| match message {
        Ok(mut data) => {
            // The schema is the first message; many clients show metadata of batches alone.
            if i == 1 {
                data.app_metadata = about.clone();
            }
            Ok(data)
        }
        Err(FlightError::Tonic(status)) => Err(*status),
        Err(e) => Err(Status::internal(e.to_string())),
    });
    Response::new(Box::pin(encoded))
}

type Stop = Pin<Box<dyn std::future::Future<Output = ()> + Send>>;

struct Counted {
    first: Option<RecordBatch>,
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
        let next = match self.first.take() {
            Some(first) => Poll::Ready(Some(Ok(first))),
            None => stream.poll_next_unpin(cx),
        };
        match next {
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
