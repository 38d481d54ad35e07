//! Records to columns: arrow-json decodes just the fields that a pack names, every scalar as the
//! text that stands in the record, so that numbers stay exact.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::{Array, RecordBatch};
use arrow_json::reader::Decoder;
use arrow_json::ReaderBuilder;
use arrow_schema::{ArrowError, DataType, Field, Fields, Schema, SchemaRef};
use lakewright_storage::pack::{Path, Segment};

/// The fields that some paths name, as a tree.
#[derive(Default)]
struct Node {
    list: bool,
    children: BTreeMap<String, Node>,
}

impl Node {
    fn add(&mut self, segments: &[Segment]) {
        let Some((first, rest)) = segments.split_first() else { return };
        match first {
            Segment::Field(name) => self.children.entry(name.clone()).or_default().add(rest),
            Segment::Index(_) | Segment::Each => {
                self.list = true;
                self.add(rest);
            }
            Segment::Where(field, _) => {
                self.list = true;
                self.children.entry(field.clone()).or_default();
                self.add(rest);
            }
        }
    }

    fn data_type(&self) -> DataType {
        let value = if self.children.is_empty() { DataType::Utf8 } else { DataType::Struct(self.fields()) };
        if self.list {
            DataType::List(Arc::new(Field::new("item", value, true)))
        } else {
            value
        }
    }

    fn fields(&self) -> Fields {
        self.children.iter().map(|(name, node)| Field::new(name, node.data_type(), true)).collect()
    }
}

/// The schema that holds every value the paths name.
pub fn projection<'a>(paths: impl IntoIterator<Item = &'a Path>) -> SchemaRef {
    let mut root = Node::default();
    for path in paths {
        root.add(&path.0);
    }
    Arc::new(Schema::new(root.fields()))
}

/// A record that cannot be decoded: its place among those given, and why.
pub type Undecodable = (usize, String);

fn decoder(schema: &SchemaRef, rows: usize) -> Result<Decoder, ArrowError> {
    ReaderBuilder::new(Arc::clone(schema))
        .with_batch_size(rows + 1)
        .with_coerce_primitive(true)
        .with_ignore_type_conflicts(true)
        .build_decoder()
}

/// Decodes whole records. Row i of the answer is record i; a record that cannot be decoded is
/// named with its reason, and the others are decoded without it.
pub fn decode(schema: &SchemaRef, records: &[&[u8]]) -> Result<(RecordBatch, Vec<Undecodable>), ArrowError> {
    let (mut good, mut bad) = (Vec::new(), Vec::new());
    // Halves, first ones first: a few bad records cost a few decodes, however many there are.
    let mut spans = vec![(0, records.len())];
    while let Some((from, n)) = spans.pop() {
        match all(schema, &records[from..from + n])? {
            Ok(batch) => good.push(batch),
            Err(why) if n <= 1 => bad.push((from, why)),
            Err(_) => spans.extend([(from + n / 2, n - n / 2), (from, n / 2)]),
        }
    }
    let batch = match <[RecordBatch; 1]>::try_from(good) {
        Ok([batch]) => batch,
        Err(good) => arrow::compute::concat_batches(schema, &good)?,
    };
    Ok((batch, bad))
}

fn all(schema: &SchemaRef, records: &[&[u8]]) -> Result<Result<RecordBatch, String>, ArrowError> {
    let mut decoder = decoder(schema, records.len())?;
    for record in records {
        match decoder.decode(record) {
            Ok(n) if n == record.len() && !decoder.has_partial_record() => {}
            Ok(_) => return Ok(Err("it is not one whole record".into())),
            Err(e) => return Ok(Err(e.to_string())),
        }
    }
    match decoder.flush() {
        Ok(Some(batch)) if batch.num_rows() == records.len() => Ok(Ok(batch)),
        Ok(None) if records.is_empty() => Ok(Ok(RecordBatch::new_empty(Arc::clone(schema)))),
        Ok(batch) => Ok(Err(format!("{} records were read", batch.map_or(0, |b| b.num_rows())))),
        Err(e) => Ok(Err(e.to_string())),
    }
}

/// The column of a name, in a batch or struct of the projection.
pub fn field<'a>(fields: &Fields, columns: &'a [arrow_array::ArrayRef], name: &str) -> Option<&'a Arc<dyn Array>> {
    columns.get(fields.iter().position(|f| f.name() == name)?)
}
