//! Columns of what a pack asks for, gathered while records are scanned: every scalar as the text
//! that stands in the record, so that numbers stay exact. A place that gets no value is null.

use std::sync::Arc;

use arrow_array::{ArrayRef, ListArray, RecordBatch, RecordBatchOptions, StringArray, StructArray};
use arrow_buffer::{Buffer, NullBufferBuilder, OffsetBuffer, ScalarBuffer};
use arrow_schema::{ArrowError, DataType, FieldRef, Fields, SchemaRef};

use super::layout::{Domain, Layout};
use super::texts::unescape;

/// One column of the layout.
enum Column {
    Texts(Texts),
    Lists(Lists),
}

/// A text, or null, for each place of its domain.
#[derive(Default)]
struct Texts {
    bytes: Vec<u8>,
    /// Where each text ends.
    ends: Vec<i32>,
    valid: Vec<bool>,
}

impl Texts {
    fn pad(&mut self, places: usize) {
        let end = self.bytes.len() as i32;
        self.ends.resize(places.max(self.ends.len()), end);
        self.valid.resize(self.ends.len(), false);
    }

    fn truncate(&mut self, places: usize) {
        if self.ends.len() > places {
            self.ends.truncate(places);
            self.valid.truncate(places);
            self.bytes.truncate(self.ends.last().map_or(0, |e| *e as usize));
        }
    }

    fn finish(mut self, places: usize) -> Result<StringArray, ArrowError> {
        self.pad(places);
        let mut offsets = Vec::with_capacity(places + 1);
        offsets.push(0);
        offsets.extend(self.ends);
        StringArray::try_new(OffsetBuffer::new(ScalarBuffer::from(offsets)), Buffer::from_vec(self.bytes), nulls(&self.valid))
    }
}

/// A list, or null, for each place of its domain; its entries are a domain of their own.
#[derive(Default)]
struct Lists {
    /// Where each list's entries begin.
    starts: Vec<i32>,
    valid: Vec<bool>,
    entries: usize,
}

impl Lists {
    fn pad(&mut self, places: usize) {
        let end = self.entries as i32;
        self.starts.resize(places.max(self.starts.len()), end);
        self.valid.resize(self.starts.len(), false);
    }
}

fn nulls(valid: &[bool]) -> Option<arrow_buffer::NullBuffer> {
    let mut builder = NullBufferBuilder::new(valid.len());
    builder.append_slice(valid);
    builder.finish()
}

/// The columns of a batch of records.
pub struct Gather<'a> {
    layout: &'a Layout,
    columns: Vec<Column>,
    row: usize,
}

impl<'a> Gather<'a> {
    /// For the columns of a layout.
    pub fn new(layout: &'a Layout) -> Self {
        let column = |list: &bool| if *list { Column::Lists(Lists::default()) } else { Column::Texts(Texts::default()) };
        Self { layout, columns: layout.columns().iter().map(|c| column(&c.list)).collect(), row: 0 }
    }

    /// The record that comes next.
    pub fn begin(&mut self, row: usize) {
        self.row = row;
    }

    /// The place that a value of a column gets now: a row, or an entry of the list around it.
    fn place(&self, domain: Domain) -> Option<usize> {
        match domain {
            Domain::Rows => Some(self.row),
            Domain::Entries(list) => match self.columns.get(usize::from(list))? {
                Column::Lists(lists) => lists.entries.checked_sub(1),
                Column::Texts(_) => None,
            },
        }
    }

    /// A scalar of the record, as its bytes stand there.
    pub fn scalar(&mut self, column: u16, raw: &[u8]) -> Result<(), &'static str> {
        let Some(place) = self.place(self.layout.columns()[usize::from(column)].domain) else { return Ok(()) };
        let Some(Column::Texts(texts)) = self.columns.get_mut(usize::from(column)) else { return Ok(()) };
        if texts.ends.len() > place {
            return Ok(());
        }
        texts.pad(place);
        match raw {
            [b'"', inner @ .., b'"'] if memchr::memchr(b'\\', inner).is_some() => unescape(inner, &mut texts.bytes)?,
            [b'"', inner @ .., b'"'] => texts.bytes.extend_from_slice(inner),
            raw => texts.bytes.extend_from_slice(raw),
        }
        texts.ends.push(texts.bytes.len() as i32);
        texts.valid.push(true);
        Ok(())
    }

    /// A list begins.
    pub fn list(&mut self, column: u16) {
        let Some(place) = self.place(self.layout.columns()[usize::from(column)].domain) else { return };
        let Some(Column::Lists(lists)) = self.columns.get_mut(usize::from(column)) else { return };
        if lists.starts.len() <= place {
            lists.pad(place);
            lists.starts.push(lists.entries as i32);
            lists.valid.push(true);
        }
    }

    /// An entry of the list begins, whatever it is.
    pub fn entry(&mut self, column: u16) {
        if let Some(Column::Lists(lists)) = self.columns.get_mut(usize::from(column)) {
            lists.entries += 1;
        }
    }

    /// Forgets what the record at hand brought.
    pub fn undo(&mut self) {
        // Lists stand before what is in them, so their entries are cut first.
        for at in 0..self.columns.len() {
            let places = match self.layout.columns()[at].domain {
                Domain::Rows => self.row,
                Domain::Entries(list) => match &self.columns[usize::from(list)] {
                    Column::Lists(lists) => lists.entries,
                    Column::Texts(_) => 0,
                },
            };
            match &mut self.columns[at] {
                Column::Texts(texts) => texts.truncate(places),
                Column::Lists(lists) => {
                    if let Some(start) = lists.starts.get(places) {
                        lists.entries = *start as usize;
                        lists.starts.truncate(places);
                        lists.valid.truncate(places);
                    }
                }
            }
        }
    }

    /// The columns of so many records, as the projection has them.
    pub fn finish(self, projection: &SchemaRef, rows: usize) -> Result<RecordBatch, ArrowError> {
        let mut columns: Vec<Option<Column>> = self.columns.into_iter().map(Some).collect();
        // The layout numbers its columns in the projection's order.
        let mut next = 0;
        let arrays = build(projection.fields(), rows, &mut columns, &mut next)?;
        RecordBatch::try_new_with_options(Arc::clone(projection), arrays, &RecordBatchOptions::new().with_row_count(Some(rows)))
    }
}

fn build(fields: &Fields, places: usize, columns: &mut [Option<Column>], next: &mut usize) -> Result<Vec<ArrayRef>, ArrowError> {
    fields.iter().map(|field| array(field, places, columns, next)).collect()
}

fn array(field: &FieldRef, places: usize, columns: &mut [Option<Column>], next: &mut usize) -> Result<ArrayRef, ArrowError> {
    if let DataType::Struct(fields) = field.data_type() {
        let children = build(fields, places, columns, next)?;
        return Ok(Arc::new(StructArray::try_new_with_length(fields.clone(), children, None, places)?));
    }
    let column = columns.get_mut(*next).and_then(Option::take);
    *next += 1;
    match (field.data_type(), column) {
        (DataType::Utf8, Some(Column::Texts(texts))) => Ok(Arc::new(texts.finish(places)?)),
        (DataType::List(item), Some(Column::Lists(mut lists))) => {
            lists.pad(places);
            lists.starts.push(lists.entries as i32);
            let values = array(item, lists.entries, columns, next)?;
            let offsets = OffsetBuffer::new(ScalarBuffer::from(lists.starts));
            Ok(Arc::new(ListArray::try_new(Arc::clone(item), offsets, values, nulls(&lists.valid))?))
        }
        (other, _) => Err(ArrowError::SchemaError(format!("{}: {other} is gathered by no column", field.name()))),
    }
}

#[cfg(test)]
#[path = "gather_tests.rs"]
mod tests;
