//! Rows of a query as a table, JSON or CSV.

use std::sync::Arc;

use arrow::util::display::{ArrayFormatter, FormatOptions};
use arrow_array::RecordBatch;
use arrow_schema::{ArrowError, DataType};
use comfy_table::{CellAlignment, Table};
use lakewright_proto::{Error, ErrorCode};

use super::output::{new_table, Format, Output};

/// Writes batches as they come; a table for people is kept until its end, and is bounded.
pub(super) struct Printer {
    out: Output,
    left: usize,
    truncated: bool,
    rows: usize,
    table: Option<Table>,
    started: bool,
}

impl Printer {
    pub(super) fn new(out: Output, max_rows: usize) -> Self {
        Self { out, left: max_rows, truncated: false, rows: 0, table: None, started: false }
    }

    /// Writes rows; false: no more are wanted.
    pub(super) fn write(&mut self, batch: &RecordBatch) -> Result<bool, Error> {
        self.schema(batch)?;
        let batch = if batch.num_rows() > self.left {
            self.truncated = true;
            batch.slice(0, self.left)
        } else {
            batch.clone()
        };
        self.left -= batch.num_rows();
        self.rows += batch.num_rows();
        match self.out.format() {
            Format::Table => self.table_rows(&batch)?,
            Format::Json => self.json_rows(&batch)?,
            Format::Csv => self.csv_rows(&batch, false)?,
        }
        Ok(!self.truncated)
    }

    /// The head, once, so that an answer without rows has one too.
    pub(super) fn schema(&mut self, batch: &RecordBatch) -> Result<(), Error> {
        match self.out.format() {
            Format::Table if self.table.is_none() => {
                let mut table = new_table();
                let schema = batch.schema();
                table.set_header(schema.fields().iter().map(|f| f.name().as_str()));
                for (i, field) in schema.fields().iter().enumerate() {
                    if let (true, Some(column)) = (is_number(field.data_type()), table.column_mut(i)) {
                        column.set_cell_alignment(CellAlignment::Right);
                    }
                }
                self.table = Some(table);
            }
            Format::Csv if !self.started => {
                self.started = true;
                self.csv_rows(&batch.slice(0, 0), true)?;
            }
            _ => {}
        }
        Ok(())
    }

    pub(super) fn finish(self) -> Result<(), Error> {
        match self.out.format() {
            Format::Json => self.out.text(if self.started { "\n]\n" } else { "[]\n" }),
            Format::Csv => Ok(()),
            Format::Table => {
                if let Some(table) = &self.table {
                    self.out.line(&table.to_string())?;
                }
                let more = if self.truncated { " shown, there are more: raise --max-rows, or use --output csv" } else { "" };
                self.out.remark(&format!("{} row{}{more}", self.rows, if self.rows == 1 { "" } else { "s" }));
                Ok(())
            }
        }
    }

    fn table_rows(&mut self, batch: &RecordBatch) -> Result<(), Error> {
        let options = FormatOptions::default().with_null("NULL");
        let columns: Vec<_> =
            batch.columns().iter().map(|c| ArrayFormatter::try_new(c.as_ref(), &options)).collect::<Result<_, _>>().map_err(unreadable)?;
        let Some(table) = &mut self.table else { return Ok(()) };
        for row in 0..batch.num_rows() {
            let cells: Vec<String> = columns.iter().map(|c| c.value(row).try_to_string()).collect::<Result<_, _>>().map_err(unreadable)?;
            table.add_row(cells);
        }
        Ok(())
    }

    /// An array with a row a line, so that it can be read both as one document and by line.
    fn json_rows(&mut self, batch: &RecordBatch) -> Result<(), Error> {
        if batch.num_rows() == 0 {
            return Ok(());
        }
        let mut lines =
            arrow_json::WriterBuilder::new().with_explicit_nulls(true).build::<_, arrow_json::writer::LineDelimited>(Vec::new());
        lines.write(batch).and_then(|()| lines.finish()).map_err(unreadable)?;
        let bytes = lines.into_inner();
        let text = String::from_utf8_lossy(&bytes);
        let head = if self.started { ",\n" } else { "[\n" };
        self.started = true;
        self.out.text(&format!("{head}{}", text.trim_end().replace('\n', ",\n")))
    }

    fn csv_rows(&self, batch: &RecordBatch, header: bool) -> Result<(), Error> {
        // CSV knows no lists and structs: they are written as text.
        let flat = flatten(batch).map_err(unreadable)?;
        let mut bytes = Vec::new();
        arrow_csv::WriterBuilder::new().with_header(header).build(&mut bytes).write(&flat).map_err(unreadable)?;
        self.out.bytes(&bytes)
    }
}

fn flatten(batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    let options = FormatOptions::default();
    let mut fields = Vec::new();
    let mut columns = Vec::new();
    for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
        if field.data_type().is_nested() {
            let shown = ArrayFormatter::try_new(column.as_ref(), &options)?;
            let texts = (0..column.len()).map(|i| if column.is_null(i) { Ok(None) } else { shown.value(i).try_to_string().map(Some) });
            columns.push(Arc::new(texts.collect::<Result<arrow_array::StringArray, _>>()?) as _);
            fields.push(Arc::new(arrow_schema::Field::new(field.name(), DataType::Utf8, true)));
        } else {
            columns.push(Arc::clone(column));
            fields.push(Arc::clone(field));
        }
    }
    RecordBatch::try_new(Arc::new(arrow_schema::Schema::new(fields)), columns)
}

fn is_number(t: &DataType) -> bool {
    t.is_numeric()
}

fn unreadable(e: ArrowError) -> Error {
    Error::new(ErrorCode::Internal, format!("the rows cannot be shown: {e}"))
}
