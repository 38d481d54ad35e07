//! From raw records to typed, checked rows: one pass, columnar, and pure. A source's batch and the
//! Bronze rows made of it come out the same, which is what recovery, replay and rebuild stand on.
//!
//! - [`scan`]: one look at each record's bytes: whole, not too deep, its shape, values of the wrong
//!   kind; [`layout`] says which are wrong, [`kept`] makes columns of what stays JSON.
//! - [`gather`]: just the fields that the pack names, scalars as text, columns filled by the scan.
//! - [`entity`]: text to types, rules, content hashes; [`told`] the keys, versions and operations;
//!   [`row_state`] keeps the marks.
//! - [`profile`]: what accepted rows look like, for the comparison of runs.
//! - [`outputs`]: quality results and dead letters; [`bronze`]: the raw rows.

pub mod bronze;
pub mod entity;
pub mod extra;
pub mod extract;
pub mod gather;
pub mod hash;
pub mod kept;
pub mod layout;
pub mod marks;
pub mod money;
pub mod outputs;
pub mod parse;
pub mod profile;
pub mod projection;
pub mod reject;
pub mod row_state;
pub mod rules;
pub mod scan;
pub mod texts;
pub mod told;
pub mod typed;

use std::collections::BTreeMap;
use std::panic::{catch_unwind, AssertUnwindSafe};

use arrow_array::{Array, RecordBatch, StringArray};
use arrow_schema::{ArrowError, SchemaRef};
use lakewright_proto::{ConnectorId, Error, ErrorCode, RunId, ShardId, TenantId};
use lakewright_storage::pack::{Entity, FieldSource, FieldType, KeyScope, Pack, Path, RuleCheck};
use lakewright_storage::table::{schemas, StreamCounts};
use parking_lot::Mutex;

pub use entity::EntityBatch;

use crate::connectors::RawBatch;
use bronze::Input;
use entity::{Checked, Records};
use extra::Extra;
use layout::Layout;
use outputs::{DeadLetters, Payload, Place};
use reject::{Reason, Reject};
use scan::{Scan, Scanner};

/// For whom records are checked.
#[derive(Clone, Debug)]
pub struct Context {
    /// The tenant.
    pub tenant: TenantId,
    /// The connector.
    pub connector: ConnectorId,
    /// The run.
    pub run: RunId,
    /// The key scope where the record tells none.
    pub key_scope: String,
    /// Whether the configuration names it: then a record's own scope lies within it.
    pub key_scope_told: bool,
    /// The version where the record tells none.
    pub scan: i64,
}

/// What a batch of records became.
#[derive(Debug)]
pub struct PipelineOutput {
    /// One row per record.
    pub bronze: RecordBatch,
    /// Accepted rows, entity by entity.
    pub entities: Vec<EntityBatch>,
    /// One row per record and entity.
    pub quality: RecordBatch,
    /// One row per rejected record and entity.
    pub dead_letters: RecordBatch,
    /// Counted before anything is written.
    pub counts: StreamCounts,
}

struct Target {
    entity: Entity,
    schema: SchemaRef,
    extra: Mutex<Extra>,
}

/// Checks the records of one stream with one pack version.
pub struct Pipeline {
    context: Context,
    pack: String,
    targets: Vec<Target>,
    projection: SchemaRef,
    layout: Layout,
}

fn fault(e: ArrowError) -> Error {
    Error::new(ErrorCode::Internal, format!("checking records: {e}"))
}

impl Pipeline {
    /// For the entities of a pack that take the stream.
    pub fn new(pack: &Pack, stream: &str, context: Context) -> Result<Self, Error> {
        let targets: Vec<Target> = pack
            .entities_for(stream)
            .map(|e| Target { schema: e.silver_schema(), extra: Mutex::new(Extra::new(e)), entity: e.clone() })
            .collect();
        let projection = projection::projection(targets.iter().flat_map(|t| paths(&t.entity)));
        let layout = Layout::new(&projection, targets.iter().flat_map(|t| kept(&t.entity)));
        Ok(Self { context, pack: pack.hash().to_owned(), targets, projection, layout })
    }

    /// The pack version.
    pub fn pack_hash(&self) -> &str {
        &self.pack
    }

    /// Checks a source's batch. Its first record gets `first_offset`.
    pub fn normalise(&self, batch: &RawBatch, shard: ShardId, first_offset: u64, ingested_at: i64) -> Result<PipelineOutput, Error> {
        let input = bronze::from_source(batch, shard.0, first_offset, ingested_at);
        let rows = bronze::to_rows(&input, &self.context).map_err(fault)?;
        self.check(&input, rows, ingested_at)
    }

    /// Checks Bronze rows again. The rows must be of one shard, their offsets ascending.
    pub fn normalise_bronze(&self, rows: &RecordBatch) -> Result<PipelineOutput, Error> {
        let input = bronze::from_rows(rows).map_err(fault)?;
        let checked_at = if input.ingested_at.is_empty() { 0 } else { input.ingested_at.value(0) };
        self.check(&input, rows.clone(), checked_at)
    }

    fn check(&self, input: &Input, bronze: RecordBatch, checked_at: i64) -> Result<PipelineOutput, Error> {
        match self.check_all(input, bronze.clone(), checked_at, BTreeMap::new()) {
            Ok(Ok(output)) => Ok(output),
            Ok(Err(e)) => Err(fault(e)),
            // A check panicked: find whose record it was, refuse those, and check the others.
            Err(_) => {
                let poison = self.poison(&bronze, checked_at);
                match self.check_all(input, bronze, checked_at, poison) {
                    Ok(output) => output.map_err(fault),
                    Err(why) => Err(Error::new(ErrorCode::Internal, format!("checking records panicked: {why}"))),
                }
            }
        }
    }

    fn check_all(
        &self,
        input: &Input,
        bronze: RecordBatch,
        checked_at: i64,
        poison: BTreeMap<usize, Reject>,
    ) -> Result<Result<PipelineOutput, ArrowError>, String> {
        catch_unwind(AssertUnwindSafe(|| self.output(input, bronze, checked_at, poison))).map_err(|p| crate::offload::panic_text(&p))
    }

    /// Halves the records until those are found that a check panics on.
    fn poison(&self, bronze: &RecordBatch, checked_at: i64) -> BTreeMap<usize, Reject> {
        let mut out = BTreeMap::new();
        let mut spans = vec![(0, bronze.num_rows())];
        while let Some((from, n)) = spans.pop() {
            let rows = bronze.slice(from, n);
            let Ok(input) = bronze::from_rows(&rows) else { continue };
            match self.check_all(&input, rows, checked_at, BTreeMap::new()) {
                Err(why) if n == 1 => {
                    tracing::error!(row = from, why, "a check panicked on a record");
                    out.insert(from, Reject::new(Reason::Internal, format!("a check failed on it: {why}")));
                }
                Err(_) => spans.extend([(from, n / 2), (from + n / 2, n - n / 2)]),
                Ok(_) => {}
            }
        }
        out
    }

    fn output(
        &self,
        input: &Input,
        bronze: RecordBatch,
        checked_at: i64,
        poison: BTreeMap<usize, Reject>,
    ) -> Result<PipelineOutput, ArrowError> {
        let n = input.payload.len();
        let mut rejects = poison;
        let json = texts::records(input, &mut rejects);
        #[cfg(test)]
        tests::panic_on_poison(&json);
        let mut scanner = Scanner::new(&self.layout);
        let scans = scan_all(&mut scanner, &json, &mut rejects);
        let Scanner { gather, captures, mismatches, .. } = scanner;
        let decoded = gather.finish(&self.projection, n)?;
        let place = Place { context: &self.context, pack: &self.pack, shard: input.shard, offsets: &input.offsets, checked_at };
        let records = Records {
            decoded: &decoded,
            json: &json,
            rejects: &rejects,
            scans: &scans,
            layout: &self.layout,
            captures: &captures,
            mismatches: &mismatches,
            keys: input.keys.as_ref(),
            versions: input.versions.as_ref(),
            operations: input.operations.as_deref(),
            shard: input.shard,
            offsets: &input.offsets,
            ingested_at: &input.ingested_at,
        };
        // Of these rows alone, also where they are a slice of a larger batch.
        let bytes =
            input.payload.value_offsets().last().zip(input.payload.value_offsets().first()).map_or(0, |(to, from)| (to - from) as u64);
        let mut counts = StreamCounts { read: n as u64, bytes, ..StreamCounts::default() };
        let mut quality = Vec::new();
        let mut entities = Vec::new();
        let mut dead = DeadLetters::default();
        let mut taken = vec![false; n];
        for target in &self.targets {
            let checked = entity::check(&target.entity, &target.schema, &self.context, &self.pack, &target.extra, &records)?;
            quality.push(outputs::quality(&place, target.entity.name(), &checked)?);
            add_dead_letters(&mut dead, &place, target.entity.name(), &checked, input);
            let c = &checked.batch.counts;
            counts.accepted += c.accepted;
            counts.rejected += c.rejected;
            counts.flagged += c.flagged;
            counts.warned += c.warned;
            for (row, taken) in taken.iter_mut().enumerate() {
                *taken |= !checked.state.is_absent(row);
            }
            entities.push(checked.batch);
        }
        if !self.targets.is_empty() && self.targets.iter().all(|t| t.entity.only().is_some()) {
            counts.unmapped = taken.iter().filter(|taken| !**taken).count() as u64;
        }
        if self.targets.is_empty() {
            // Nobody takes the stream: what cannot be read is a dead letter all the same.
            for (row, reject) in &rejects {
                dead.add(&place, None, *row, None, reject, &payload(input, *row));
            }
            counts.rejected = rejects.len() as u64;
            counts.unmapped = (n - rejects.len()) as u64;
        }
        let quality = arrow::compute::concat_batches(&schemas::quality_results(), &quality)?;
        Ok(PipelineOutput { bronze, entities, quality, dead_letters: dead.finish(&place)?, counts })
    }
}

/// Every path whose value an entity looks at.
fn paths(entity: &Entity) -> Vec<&Path> {
    let mut out = vec![entity.key()];
    if let KeyScope::Path(path) = entity.scope() {
        out.push(path);
    }
    out.extend(entity.version().map(|v| v.0));
    out.extend(entity.partition());
    out.extend(entity.operation().map(|o| &o.path));
    out.extend(entity.only().map(|o| &o.path));
    out.extend(entity.fields().iter().filter_map(|f| match &f.source {
        FieldSource::Path(path, _) if f.kind != FieldType::Json => Some(path),
        _ => None,
    }));
    out.extend(entity.rules().iter().filter_map(|r| match &r.check {
        RuleCheck::Matches(path, _) => Some(path),
        _ => None,
    }));
    out
}

/// Paths whose values stay JSON.
fn kept(entity: &Entity) -> impl Iterator<Item = &Path> {
    entity.fields().iter().filter_map(|f| match &f.source {
        FieldSource::Path(path, _) if f.kind == FieldType::Json => Some(path),
        _ => None,
    })
}

fn scan_all(scanner: &mut Scanner<'_>, json: &StringArray, rejects: &mut BTreeMap<usize, Reject>) -> Vec<Option<Scan>> {
    (0..json.len())
        .map(|row| {
            if rejects.contains_key(&row) {
                return None;
            }
            match scanner.scan(row, json.value(row).as_bytes()) {
                Ok(scan) => Some(scan),
                Err((reason, detail)) => {
                    rejects.insert(row, Reject::new(reason, detail));
                    None
                }
            }
        })
        .collect()
}

fn payload(input: &Input, row: usize) -> Payload<'_> {
    let bytes = input.payload.value(row);
    let oversize = input.format.value(row).strip_prefix(bronze::OVERSIZE).and_then(|o| o.split_once(':'));
    Payload {
        bytes,
        length: oversize.and_then(|(n, _)| n.parse().ok()).unwrap_or(bytes.len() as u64),
        sha256: oversize.map(|(_, sha)| sha.to_owned()),
        location: input.location.as_ref().filter(|l| l.is_valid(row)).map(|l| l.value(row)),
    }
}

fn add_dead_letters(dead: &mut DeadLetters, place: &Place<'_>, entity: &str, checked: &Checked, input: &Input) {
    for (row, reject) in checked.state.rejects() {
        let key = checked.keys.is_valid(*row).then(|| checked.keys.value(*row));
        dead.add(place, Some(entity), *row, key, reject, &payload(input, *row));
    }
}

#[cfg(test)]
mod tests;
