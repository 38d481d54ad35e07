//! Lookups: columns of a row that stand in other Silver tables, found over one step or more.
//!
//! A merge fills them into the rows that it writes; [`super::refresh`] fills them anew into rows
//! that a change of another table concerns.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use arrow::compute::{cast, interleave, take_record_batch};
use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{new_null_array, Array as _, ArrayRef, Int64Array, RecordBatch, StringArray, UInt32Array};
use arrow_schema::DataType;
use futures::stream::BoxStream;
use futures::{StreamExt as _, TryStreamExt as _};
use roaring::RoaringTreemap;
use xxhash_rust::xxh3::Xxh3Builder;

use super::read::live_rows;
use crate::deletion_vector;
use crate::error::{Result, StorageError};
use crate::object::Store;
use crate::pack::{Entity, FieldSource, Lookup};
use crate::table::BucketState;

/// Rows that one batch may lead to, over all steps: beyond it the tables are not what a lookup is for.
const MAX_MATCHES: usize = 4_000_000;

/// Join values as one text.
pub(super) type Tuple = String;
pub(super) type Tuples = HashSet<Tuple, Xxh3Builder>;
type Wanted = HashMap<Tuple, Vec<u32>, Xxh3Builder>;

/// A column that is looked up.
struct Field {
    name: String,
    lookup: usize,
    theirs: String,
}

/// What a table looks up, and the tables that it looks into as they are at one version.
pub struct Lookups {
    store: Store,
    lookups: Vec<Lookup>,
    fields: Vec<Field>,
    sources: BTreeMap<String, BucketState>,
    settled: bool,
}

impl Lookups {
    /// Those of an entity; none: it looks nothing up. `sources` are the tables by name. `settled`: the
    /// table's rows hold what is looked up in these very states.
    pub fn new(store: Store, entity: &Entity, sources: BTreeMap<String, BucketState>, settled: bool) -> Option<Self> {
        let lookups = entity.lookups().to_vec();
        let fields: Vec<Field> = entity
            .fields()
            .iter()
            .filter_map(|f| match &f.source {
                FieldSource::Lookup(name, theirs) => {
                    let lookup = lookups.iter().position(|l| l.name == *name)?;
                    Some(Field { name: f.name.clone(), lookup, theirs: theirs.clone() })
                }
                _ => None,
            })
            .collect();
        (!fields.is_empty()).then_some(Self { store, lookups, fields, sources, settled })
    }

    /// The names of the columns that are looked up.
    pub fn columns(&self) -> impl Iterator<Item = &str> {
        self.fields.iter().map(|f| f.name.as_str())
    }

    /// Whether the table's rows hold what these tables say.
    pub fn is_settled(&self) -> bool {
        self.settled
    }

    /// The columns of a table that are compared with ours.
    pub fn joins(&self, table: &str) -> Vec<String> {
        let steps = self.lookups.iter().flat_map(|l| &l.steps).filter(|s| s.table == table);
        let mut columns: Vec<String> = steps.flat_map(|s| s.on.iter().map(|(theirs, _)| theirs.clone())).collect();
        columns.sort();
        columns.dedup();
        columns
    }

    /// How many lookups there are.
    pub(super) fn len(&self) -> usize {
        self.lookups.len()
    }

    /// The columns of the table itself that a lookup starts from.
    pub(super) fn starts(&self, lookup: usize) -> Vec<&str> {
        self.lookups[lookup].steps.first().map_or_else(Vec::new, |s| s.on.iter().map(|(_, ours)| ours.as_str()).collect())
    }

    /// The rows with what they look up.
    pub async fn fill(&self, rows: &RecordBatch) -> Result<RecordBatch> {
        let mut columns = rows.columns().to_vec();
        for (at, lookup) in self.lookups.iter().enumerate() {
            let fields: Vec<&Field> = self.fields.iter().filter(|f| f.lookup == at).collect();
            if fields.is_empty() {
                continue;
            }
            let theirs: Vec<&str> = fields.iter().map(|f| f.theirs.as_str()).collect();
            let found = self.find(lookup, rows, &theirs).await?;
            for field in fields {
                let index = rows.schema_ref().index_of(&field.name)?;
                columns[index] = found.column(&field.theirs, rows.schema_ref().field(index).data_type(), rows.num_rows())?;
            }
        }
        Ok(RecordBatch::try_new(rows.schema(), columns)?)
    }

    async fn find(&self, lookup: &Lookup, rows: &RecordBatch, theirs: &[&str]) -> Result<Found> {
        let mut wanted = Wanted::default();
        let starts: Vec<&str> = lookup.steps.first().map_or_else(Vec::new, |s| s.on.iter().map(|(_, o)| o.as_str()).collect());
        each_tuple(rows, &starts, |row, tuple| {
            match wanted.get_mut(tuple) {
                Some(rows) => rows.push(row),
                None => drop(wanted.insert(tuple.to_owned(), vec![row])),
            };
        })?;
        for (i, step) in lookup.steps.iter().enumerate() {
            if wanted.is_empty() {
                break;
            }
            let on: Vec<&str> = step.on.iter().map(|(theirs, _)| theirs.as_str()).collect();
            let Some(next) = lookup.steps.get(i + 1) else {
                return self.newest(&step.table, &on, lookup.latest.as_deref(), theirs, &wanted).await;
            };
            let onward: Vec<&str> = next.on.iter().map(|(_, ours)| ours.as_str()).collect();
            let mut reached = Wanted::default();
            let mut matches = 0;
            let mut batches = self.rows_of(&step.table, &[on.clone(), onward.clone()].concat());
            while let Some(batch) = batches.try_next().await? {
                let mut from: HashMap<u32, &Vec<u32>> = HashMap::new();
                each_tuple(&batch, &on, |row, tuple| {
                    if let Some(rows) = wanted.get(tuple) {
                        matches += rows.len();
                        from.insert(row, rows);
                    }
                })?;
                each_tuple(&batch, &onward, |row, tuple| {
                    if let Some(rows) = from.get(&row) {
                        match reached.get_mut(tuple) {
                            Some(there) => there.extend(*rows),
                            None => drop(reached.insert(tuple.to_owned(), (*rows).clone())),
                        }
                    }
                })?;
                if matches > MAX_MATCHES {
                    return Err(too_many(lookup, &step.table));
                }
            }
            wanted = reached;
        }
        Ok(Found::default())
    }

    /// Of the last table's rows that match, the newest for each row of ours.
    async fn newest(&self, table: &str, on: &[&str], latest: Option<&str>, theirs: &[&str], wanted: &Wanted) -> Result<Found> {
        let mut found = Found::default();
        let order = ["_commit_seq", "_address_offset", "_address_shard"];
        let columns = [on, theirs, latest.as_slice(), &order].concat();
        let mut batches = self.rows_of(table, &columns);
        while let Some(batch) = batches.try_next().await? {
            let mut orders = Vec::with_capacity(4);
            if let Some(name) = latest {
                orders.push(whole_numbers(&batch, name)?);
            }
            for name in order {
                orders.push(whole_numbers(&batch, name)?);
            }
            let mut taken: Vec<u32> = Vec::new();
            let number = found.batches.len();
            each_tuple(&batch, on, |row, tuple| {
                let Some(rows) = wanted.get(tuple) else { return };
                let at = row as usize;
                let rank: Vec<Option<i64>> = orders.iter().map(|o| o.is_valid(at).then(|| o.value(at))).collect();
                let mut better = false;
                for target in rows {
                    if found.best.get(target).is_none_or(|b| b.rank < rank) {
                        found.best.insert(*target, Best { rank: rank.clone(), batch: number, row: taken.len() });
                        better = true;
                    }
                }
                if better {
                    taken.push(row);
                }
            })?;
            if !taken.is_empty() {
                let picked: Vec<usize> = theirs.iter().filter_map(|name| batch.schema_ref().index_of(name).ok()).collect();
                found.batches.push(take_record_batch(&batch.project(&picked)?, &UInt32Array::from(taken))?);
            }
        }
        Ok(found)
    }

    /// Where rows of ours that changed rows of a table concern start from, by lookup.
    pub(super) async fn concerned(&self, table: &str, changed: &[RecordBatch]) -> Result<Vec<Tuples>> {
        let mut out = Vec::with_capacity(self.lookups.len());
        for lookup in &self.lookups {
            let mut starts = Tuples::default();
            for (i, step) in lookup.steps.iter().enumerate().filter(|(_, s)| s.table == table) {
                let on: Vec<&str> = step.on.iter().map(|(theirs, _)| theirs.as_str()).collect();
                let mut tuples = Tuples::default();
                for batch in changed {
                    each_tuple(batch, &on, |_, tuple| insert(&mut tuples, tuple))?;
                }
                starts.extend(self.back(lookup, i, tuples).await?);
            }
            out.push(starts);
        }
        Ok(out)
    }

    /// From values of a step's columns back to those of the first one's.
    async fn back(&self, lookup: &Lookup, from: usize, mut tuples: Tuples) -> Result<Tuples> {
        for i in (0..from).rev() {
            if tuples.is_empty() {
                break;
            }
            let (step, next) = (&lookup.steps[i], &lookup.steps[i + 1]);
            let on: Vec<&str> = step.on.iter().map(|(theirs, _)| theirs.as_str()).collect();
            let onward: Vec<&str> = next.on.iter().map(|(_, ours)| ours.as_str()).collect();
            let mut before = Tuples::default();
            let mut batches = self.rows_of(&step.table, &[on.clone(), onward.clone()].concat());
            while let Some(batch) = batches.try_next().await? {
                let mut hit: HashSet<u32> = HashSet::new();
                each_tuple(&batch, &onward, |row, tuple| {
                    if tuples.contains(tuple) {
                        hit.insert(row);
                    }
                })?;
                each_tuple(&batch, &on, |row, tuple| {
                    if hit.contains(&row) {
                        insert(&mut before, tuple);
                    }
                })?;
                if before.len() > MAX_MATCHES {
                    return Err(too_many(lookup, &step.table));
                }
            }
            tuples = before;
        }
        Ok(tuples)
    }

    /// Columns of a table's live rows.
    fn rows_of<'a>(&'a self, table: &str, columns: &[&str]) -> BoxStream<'a, Result<RecordBatch>> {
        let mut columns: Vec<String> = columns.iter().map(|c| (*c).to_owned()).collect();
        columns.sort();
        columns.dedup();
        let Some(state) = self.sources.get(table) else { return futures::stream::empty().boxed() };
        let of_file = move |file: &'a crate::table::DataFile| {
            let columns = columns.clone();
            async move {
                let deleted = match state.deletion_vectors.iter().find(|v| v.data_file == file.id) {
                    Some(v) => deletion_vector::read(&self.store, v).await?,
                    None => RoaringTreemap::new(),
                };
                let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
                live_rows(&self.store, file, &deleted, Some(&columns)).await
            }
        };
        futures::stream::iter(&state.files).then(of_file).try_flatten().boxed()
    }
}

/// The row found for a row.
struct Best {
    rank: Vec<Option<i64>>,
    batch: usize,
    row: usize,
}

/// What was found for rows, by their number.
#[derive(Default)]
struct Found {
    batches: Vec<RecordBatch>,
    best: HashMap<u32, Best>,
}

impl Found {
    /// A column of what was found; null where nothing was.
    fn column(&self, name: &str, kind: &DataType, rows: usize) -> Result<ArrayRef> {
        if self.best.is_empty() {
            return Ok(new_null_array(kind, rows));
        }
        let mut arrays: Vec<ArrayRef> = vec![new_null_array(kind, 1)];
        for batch in &self.batches {
            arrays.push(match batch.column_by_name(name) {
                Some(column) if column.data_type() == kind => Arc::clone(column),
                Some(column) => cast(column, kind)?,
                // A file of before the column was added.
                None => new_null_array(kind, batch.num_rows()),
            });
        }
        let places: Vec<(usize, usize)> =
            (0..rows as u32).map(|row| self.best.get(&row).map_or((0, 0), |b| (b.batch + 1, b.row))).collect();
        let arrays: Vec<&dyn arrow_array::Array> = arrays.iter().map(AsRef::as_ref).collect();
        Ok(interleave(&arrays, &places)?)
    }
}

/// Calls with each row that has a value in all of the columns. A column that a file has not has none.
pub(super) fn each_tuple(batch: &RecordBatch, columns: &[&str], mut with: impl FnMut(u32, &str)) -> Result<()> {
    let mut texts: Vec<&StringArray> = Vec::with_capacity(columns.len());
    for name in columns {
        match batch.column_by_name(name) {
            Some(column) => {
                texts.push(column.as_string_opt::<i32>().ok_or_else(|| StorageError::corrupt("a lookup", format!("{name} is no text")))?)
            }
            None => return Ok(()),
        }
    }
    let mut tuple = Tuple::new();
    for row in 0..batch.num_rows() {
        if texts.iter().any(|t| t.is_null(row)) {
            continue;
        }
        tuple.clear();
        for text in &texts {
            let value = text.value(row);
            // With its length before it no value can look like two.
            tuple.push_str(&value.len().to_string());
            tuple.push(':');
            tuple.push_str(value);
        }
        with(row as u32, &tuple);
    }
    Ok(())
}

fn insert(into: &mut Tuples, tuple: &str) {
    if !into.contains(tuple) {
        into.insert(tuple.to_owned());
    }
}

fn whole_numbers(batch: &RecordBatch, name: &str) -> Result<Int64Array> {
    Ok(match batch.column_by_name(name) {
        // Days have 32 bits.
        Some(c) if c.data_type() == &DataType::Date32 => {
            cast(&cast(c, &DataType::Int32)?, &DataType::Int64)?.as_primitive::<Int64Type>().clone()
        }
        Some(c) => cast(c, &DataType::Int64)?.as_primitive::<Int64Type>().clone(),
        None => Int64Array::new_null(batch.num_rows()),
    })
}

fn too_many(lookup: &Lookup, table: &str) -> StorageError {
    let message = format!("lookup {:?} leads from a batch to more than {MAX_MATCHES} rows of {table}: its `on` is too wide", lookup.name);
    lakewright_proto::Error::new(lakewright_proto::ErrorCode::ResourceExhausted, message).into()
}
