//! What a new version of a table's schema changes.

use arrow_schema::Schema;

use crate::table::schemas::FIELD_ID;

/// How one table's schema differs from the one it has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SchemaDiff {
    /// New columns with ids of their own: old rows are null in them.
    pub added: Vec<String>,
    /// Columns of another type, or whose id another column had: what is written cannot be read so.
    pub changed: Vec<String>,
    /// Columns that the new version lacks.
    pub removed: Vec<String>,
}

impl SchemaDiff {
    /// Compares by column ids, which are what files are read by, and by names.
    pub fn between(old: &Schema, new: &Schema) -> Self {
        let mut diff = Self::default();
        for field in new.fields() {
            let id = field.metadata().get(FIELD_ID);
            match old.field_with_name(field.name()) {
                Ok(o) if o.data_type() == field.data_type() && o.metadata().get(FIELD_ID) == id => {}
                Ok(_) => diff.changed.push(field.name().clone()),
                Err(_) if id.is_some() && old.fields().iter().any(|o| o.metadata().get(FIELD_ID) == id) => {
                    diff.changed.push(field.name().clone())
                }
                Err(_) => diff.added.push(field.name().clone()),
            }
        }
        diff.removed = old.fields().iter().filter(|o| new.field_with_name(o.name()).is_err()).map(|o| o.name().clone()).collect();
        diff
    }

    /// Nothing differs.
    pub fn is_equal(&self) -> bool {
        self.added.is_empty() && self.changed.is_empty() && self.removed.is_empty()
    }

    /// Only columns were added: no row has to be written again.
    pub fn only_adds(&self) -> bool {
        self.changed.is_empty() && self.removed.is_empty()
    }
}
