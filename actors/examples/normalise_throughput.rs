//! How fast records are checked, typed and hashed, without any file: MB/s and CPU microseconds a
//! record. `cargo run --release -p lakewright-actors -p lakewright-node --example normalise_throughput -- PACK_DIR STREAM FILE.ndjson`
#![expect(clippy::print_stdout, reason = "its output is what it is for")]

use std::error::Error;
use std::time::Instant;

use arrow_array::BinaryViewArray;
use lakewright_actors::connectors::{PayloadFormat, RawBatch};
use lakewright_actors::pipeline::{Context, Pipeline};
use lakewright_proto::{ConnectorId, RunId, ShardId, SourcePosition, TenantId};
use lakewright_storage::pack::Pack;
use lakewright_storage::table::StreamCounts;

const BATCH: usize = 8_192;

fn main() -> Result<(), Box<dyn Error>> {
    let [pack, stream, file] = <[String; 3]>::try_from(std::env::args().skip(1).collect::<Vec<_>>()).map_err(|_| "PACK_DIR STREAM FILE")?;
    let pack = Pack::parse(&[("entities.yaml".to_owned(), std::fs::read(format!("{pack}/entities.yaml"))?)])?;
    let context = Context {
        tenant: TenantId::generate(),
        connector: ConnectorId::generate(),
        run: RunId::generate(),
        key_scope: "bench".into(),
        key_scope_told: false,
        scan: 1,
    };
    let pipeline = Pipeline::new(&pack, &stream, context)?;
    let content = std::fs::read(file)?;
    let records: Vec<&[u8]> = content.split(|b| *b == b'\n').filter(|r| !r.is_empty()).collect();
    let started = Instant::now();
    let mut counts = StreamCounts::default();
    for (i, chunk) in records.chunks(BATCH).enumerate() {
        let batch = RawBatch {
            format: PayloadFormat::Json,
            csv_header: None,
            payload: BinaryViewArray::from_iter_values(chunk),
            location: None,
            key: None,
            version: None,
            event_time: None,
            operation: None,
            request_id: None,
            oversize: Vec::new(),
            notices: Vec::new(),
            position: SourcePosition(String::new()),
        };
        counts.add(&pipeline.normalise(&batch, ShardId(0), (i * BATCH) as u64, 0)?.counts);
    }
    let seconds = started.elapsed().as_secs_f64();
    println!("{counts:?}");
    println!(
        "{} records, {:.0} MB/s, {:.2} us a record",
        records.len(),
        content.len() as f64 / seconds / 1e6,
        seconds * 1e6 / records.len() as f64
    );
    Ok(())
}
