//! Names attached to rows: failed rules, warnings, flags. Most rows have none, so only those that
//! do are kept.

use std::sync::Arc;

use arrow_array::builder::{ListBuilder, StringBuilder};
use arrow_array::ListArray;
use arrow_schema::Field;

/// Names of rows.
#[derive(Default)]
pub struct Marks {
    names: Vec<String>,
    marks: Vec<(u32, u16)>,
}

impl Marks {
    /// Marks a row with a name; twice is once.
    pub fn add(&mut self, row: usize, name: &str) {
        let id = match self.names.iter().position(|n| n == name) {
            Some(id) => id,
            None => {
                self.names.push(name.to_owned());
                self.names.len() - 1
            }
        };
        self.marks.push((row as u32, id as u16));
    }

    /// Brings the marks into the order of rows.
    pub fn settle(&mut self) {
        self.marks.sort_unstable();
        self.marks.dedup();
    }

    /// The names of a row, once they are settled.
    pub fn of(&self, row: usize) -> impl Iterator<Item = &str> {
        let from = self.marks.partition_point(|(r, _)| (*r as usize) < row);
        self.marks[from..].iter().take_while(move |(r, _)| *r as usize == row).map(|(_, n)| self.names[*n as usize].as_str())
    }

    /// Whether a row has a mark.
    pub fn has(&self, row: usize) -> bool {
        self.of(row).next().is_some()
    }

    /// A list per chosen row; an empty list is null where `null_empty`.
    pub fn lists(&self, rows: impl Iterator<Item = usize>, item: &Arc<Field>, null_empty: bool) -> ListArray {
        let mut builder = ListBuilder::new(StringBuilder::new()).with_field(Arc::clone(item));
        for row in rows {
            let mut any = false;
            for name in self.of(row) {
                builder.values().append_value(name);
                any = true;
            }
            builder.append(any || !null_empty);
        }
        builder.finish()
    }
}
