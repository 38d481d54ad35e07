//! Writing a data file as a stream: encoding runs on the blocking pool, finished bytes leave in
//! parts, and memory holds one row group at most.

use std::time::{SystemTime, UNIX_EPOCH};

use arrow_array::{Array, RecordBatch, TimestampMicrosecondArray};
use arrow_schema::{Schema, SchemaRef};
use bytes::Bytes;
use futures::stream::FuturesUnordered;
use futures::TryStreamExt;
use lakewright_proto::{Error, ErrorCode};
use object_store::{MultipartUpload, UploadPart};
use parquet::arrow::ArrowWriter;

use super::footer::Footer;
use super::profile::{file_schema, Profile};
use crate::error::{Result, StorageError};
use crate::object::Store;
use crate::paths::Key;
use crate::table::DataFile;

/// Smaller files go out in one put; larger ones in parts of this size.
const PART_BYTES: usize = 8 << 20;
/// Parts on their way at once.
const PARTS_IN_FLIGHT: usize = 2;

/// A data file being written. Nothing of it is visible before [`FileWriter::finish`]; dropping it
/// leaves nothing.
pub struct FileWriter {
    store: Store,
    key: Key,
    schema: SchemaRef,
    time_column: usize,
    profile: Profile,
    encoder: Encoder,
    upload: Option<Box<dyn MultipartUpload>>,
    in_flight: FuturesUnordered<UploadPart>,
    pub(super) size: u64,
    rows: u64,
    time_range: Option<(i64, i64)>,
    memory: usize,
}

/// The encoder is made with the first rows, and away while it works.
enum Encoder {
    None,
    Idle(Box<ArrowWriter<Vec<u8>>>),
    Busy,
}

fn lost() -> StorageError {
    Error::new(ErrorCode::Cancelled, "the file's writer was cancelled in the middle of a write; write the file again").into()
}

impl FileWriter {
    /// Starts the file `key` of rows with this schema (views allowed).
    pub fn start(store: &Store, key: Key, schema: &Schema, profile: &Profile) -> Result<Self> {
        let schema = file_schema(schema);
        let time_column = schema.index_of(profile.time_column())?;
        Ok(Self {
            store: store.clone(),
            key,
            schema,
            time_column,
            profile: profile.clone(),
            encoder: Encoder::None,
            upload: None,
            in_flight: FuturesUnordered::new(),
            size: 0,
            rows: 0,
            time_range: None,
            memory: 0,
        })
    }

    /// Bytes sent to the store, and those that it holds.
    pub fn bytes(&self) -> u64 {
        self.size + self.memory as u64
    }

    /// Bytes of memory that it holds.
    pub fn memory(&self) -> usize {
        self.memory
    }

    /// Rows so far.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Adds rows. Columns are matched by position; view columns are written as plain ones.
    pub async fn write(&mut self, batch: RecordBatch) -> Result<()> {
        if batch.num_rows() == 0 {
            return Ok(());
        }
        self.widen_time_range(&batch)?;
        self.rows += batch.num_rows() as u64;
        let encoder = std::mem::replace(&mut self.encoder, Encoder::Busy);
        let (schema, profile) = (self.schema.clone(), self.profile.clone());
        let (encoder, memory, full) = blocking(move || {
            let mut encoder = match encoder {
                Encoder::Idle(encoder) => encoder,
                Encoder::None => Box::new(ArrowWriter::try_new(Vec::new(), schema, Some(profile.properties(&batch)?))?),
                Encoder::Busy => return Err(lost()),
            };
            encoder.write(&batch)?;
            if encoder.memory_size() > profile.row_group_memory() {
                encoder.flush()?;
            }
            let full = (encoder.inner().len() >= PART_BYTES).then(|| std::mem::take(encoder.inner_mut()));
            let memory = encoder.memory_size() + encoder.inner().len();
            Ok((encoder, memory, full))
        })
        .await?;
        self.encoder = Encoder::Idle(encoder);
        self.memory = memory;
        match full {
            Some(part) => self.send(part).await,
            None => Ok(()),
        }
    }

    /// Ends the row group at hand: its pages leave memory for the compressed bytes they became.
    pub async fn end_row_group(&mut self) -> Result<()> {
        let Encoder::Idle(mut encoder) = std::mem::replace(&mut self.encoder, Encoder::Busy) else {
            self.encoder = Encoder::None;
            return Ok(());
        };
        let (encoder, full) = blocking(move || {
            encoder.flush()?;
            let full = (encoder.inner().len() >= PART_BYTES).then(|| std::mem::take(encoder.inner_mut()));
            Ok((encoder, full))
        })
        .await?;
        self.memory = encoder.memory_size() + encoder.inner().len();
        self.encoder = Encoder::Idle(encoder);
        match full {
            Some(part) => self.send(part).await,
            None => Ok(()),
        }
    }

    fn widen_time_range(&mut self, batch: &RecordBatch) -> Result<()> {
        let column = batch.columns().get(self.time_column).and_then(|c| c.as_any().downcast_ref::<TimestampMicrosecondArray>());
        let times = column.ok_or_else(|| {
            StorageError::Coded(Error::new(
                ErrorCode::Internal,
                format!("column {} of {} must be Timestamp(us)", self.schema.field(self.time_column).name(), self.key),
            ))
        })?;
        if times.len() > times.null_count() {
            for t in times.iter().flatten() {
                let (a, b) = self.time_range.unwrap_or((t, t));
                self.time_range = Some((a.min(t), b.max(t)));
            }
        }
        Ok(())
    }

    async fn send(&mut self, bytes: Vec<u8>) -> Result<()> {
        while self.in_flight.len() >= PARTS_IN_FLIGHT {
            self.in_flight.try_next().await?;
        }
        if self.upload.is_none() {
            self.upload = Some(self.store.put_multipart(&self.key.to_string()).await?);
        }
        self.size += bytes.len() as u64;
        if let Some(upload) = &mut self.upload {
            // Servers want parts of one size: cut what a whole row group brought.
            let bytes = Bytes::from(bytes);
            for at in (0..bytes.len()).step_by(PART_BYTES) {
                let part = upload.put_part(bytes.slice(at..bytes.len().min(at + PART_BYTES)).into());
                self.in_flight.push(part);
            }
        }
        Ok(())
    }

    /// Writes the footer and makes the file visible, durable.
    pub async fn finish(mut self, footer: &Footer) -> Result<DataFile> {
        let mut encoder = match std::mem::replace(&mut self.encoder, Encoder::Busy) {
            Encoder::Idle(encoder) => encoder,
            Encoder::None => {
                let none = RecordBatch::new_empty(self.schema.clone());
                Box::new(ArrowWriter::try_new(Vec::new(), self.schema.clone(), Some(self.profile.properties(&none)?))?)
            }
            Encoder::Busy => return Err(lost()),
        };
        for kv in footer.encode() {
            encoder.append_key_value_metadata(kv);
        }
        let rest = blocking(move || Ok(encoder.into_inner()?)).await?;
        let path = self.key.to_string();
        if self.upload.is_none() && rest.len() <= PART_BYTES {
            self.size = rest.len() as u64;
            self.store.put(&path, rest.into()).await?;
        } else {
            let done = self.complete(rest).await;
            if let (Err(_), Some(mut upload)) = (&done, self.upload.take()) {
                // The first failure is the one to tell; a failed abort leaves parts that expire.
                let _ = upload.abort().await;
            }
            done?;
        }
        let created_at = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| i64::try_from(d.as_micros()).unwrap_or(i64::MAX));
        Ok(DataFile {
            id: self.key.file(),
            path,
            size: self.size,
            rows: self.rows,
            partition: self.key.partition(),
            time_range: self.time_range.unwrap_or((0, 0)),
            created_at,
        })
    }

    async fn complete(&mut self, rest: Vec<u8>) -> Result<()> {
        self.send(rest).await?;
        while self.in_flight.try_next().await?.is_some() {}
        match &mut self.upload {
            Some(upload) => Ok(upload.complete().await.map(drop)?),
            None => Err(lost()),
        }
    }
}

async fn blocking<T: Send + 'static>(f: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    match tokio::task::spawn_blocking(f).await {
        Ok(r) => r,
        Err(e) => Err(Error::new(ErrorCode::Internal, format!("encoding a data file: {e}")).into()),
    }
}

/// Writes a whole file from batches that are already at hand.
pub async fn write_file(
    store: &Store,
    key: Key,
    schema: &Schema,
    batches: impl IntoIterator<Item = RecordBatch>,
    footer: &Footer,
    profile: &Profile,
) -> Result<DataFile> {
    let mut w = FileWriter::start(store, key, schema, profile)?;
    for batch in batches {
        w.write(batch).await?;
    }
    w.finish(footer).await
}
