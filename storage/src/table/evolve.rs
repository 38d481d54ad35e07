//! How a table's columns change with its pack: pure. A column keeps its id as long as the table
//! lives, and an id never means another column, since files are read by it.

use std::collections::HashSet;

use arrow_schema::{DataType, Field, Schema};

use super::schemas::{column, text_list, ELEMENT_ID, FIELD_ID, FIRST_FIELD_ID};

/// What bringing a table to a pack's columns does.
#[derive(Clone, Debug, PartialEq)]
pub struct Evolution {
    /// The table's columns after it: the pack's in its order, then those that it no longer names.
    pub schema: Schema,
    /// The last id given after it.
    pub last_id: i32,
    /// New columns: older rows are null in them.
    pub added: Vec<String>,
    /// Columns that the pack no longer names: they stay, and newer rows are null in them.
    pub left: Vec<String>,
    /// Columns whose type becomes a wider one: every value that is there has one value in it.
    pub widened: Vec<Refused>,
    /// Columns that cannot become what the pack wants.
    pub refused: Vec<Refused>,
}

/// A column of another type than what is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The column.
    pub column: String,
    /// Its type in the table.
    pub is: DataType,
    /// The pack's.
    pub wanted: DataType,
}

impl Evolution {
    /// Nothing about the columns changes.
    pub fn is_nothing(&self) -> bool {
        self.added.is_empty() && self.left.is_empty() && self.widened.is_empty() && self.refused.is_empty()
    }
}

/// Brings `old`, whose ids end at `last_id`, to the columns of `wanted`, whose own ids do not count.
/// Of a table without files (`empty`) a column may change its type: it is another column then.
pub fn evolve(old: &Schema, last_id: i32, wanted: &Schema, empty: bool) -> Evolution {
    let mut out = Evolution {
        schema: Schema::empty(),
        last_id: last_id.max(largest_id(old)),
        added: Vec::new(),
        left: Vec::new(),
        widened: Vec::new(),
        refused: Vec::new(),
    };
    let mut fields: Vec<Field> = Vec::with_capacity(wanted.fields().len());
    for field in wanted.fields() {
        let name = field.name();
        let id = match (old.field_with_name(name).ok(), id_of(field)) {
            (_, Some(own)) if own < FIRST_FIELD_ID => own,
            (Some(there), _) if same_type(there, field) => id_of(there).unwrap_or_default(),
            (Some(there), _) if !empty => {
                let (is, wanted) = (there.data_type().clone(), field.data_type().clone());
                let list = if widens(&is, &wanted) { &mut out.widened } else { &mut out.refused };
                list.push(Refused { column: name.clone(), is, wanted });
                id_of(there).unwrap_or_default()
            }
            (there, _) => {
                if there.is_none() {
                    out.added.push(name.clone());
                }
                out.last_id += 1;
                out.last_id
            }
        };
        fields.push(with_id(field, id));
    }
    for field in old.fields().iter().filter(|f| !empty && wanted.field_with_name(f.name()).is_err()) {
        out.left.push(field.name().clone());
        fields.push(field.as_ref().clone().with_nullable(true));
    }
    out.schema = Schema::new(fields);
    out
}

/// A change table's columns beside its table's: each has the id that it has there. `old` are those
/// that it has, and keeps.
pub fn follow(old: Option<&Schema>, wanted: &Schema, table: &Schema) -> Schema {
    let own = |field: &Field| table.field_with_name(field.name()).ok().and_then(id_of).or_else(|| id_of(field)).unwrap_or_default();
    let mut fields: Vec<Field> = wanted.fields().iter().map(|f| with_id(f, own(f))).collect();
    let left = old.into_iter().flat_map(|o| o.fields()).filter(|f| wanted.field_with_name(f.name()).is_err());
    fields.extend(left.map(|f| f.as_ref().clone()));
    Schema::new(fields)
}

/// What `apply` holds a new schema to, whoever made it. Answers the last id given.
pub fn check(old: &Schema, last_id: i32, new: &Schema, empty: bool) -> Result<i32, String> {
    let last_id = last_id.max(largest_id(old));
    let mut seen = HashSet::new();
    for field in new.fields() {
        let id = id_of(field).ok_or_else(|| format!("column {} has no id", field.name()))?;
        if !seen.insert(id) {
            return Err(format!("id {id} is given twice"));
        }
        match old.field_with_name(field.name()).ok() {
            Some(there) if id_of(there) == Some(id) && same_type(there, field) => {}
            // Files of before are read as the wider type.
            Some(there) if id_of(there) == Some(id) && id >= FIRST_FIELD_ID && widens(there.data_type(), field.data_type()) => {}
            Some(there) if id_of(there) == Some(id) => return Err(format!("column {} changes its type and keeps its id", field.name())),
            Some(_) if !empty => return Err(format!("column {} changes its id", field.name())),
            _ if id >= FIRST_FIELD_ID && id <= last_id => return Err(format!("id {id} of column {} was another column's", field.name())),
            _ => {}
        }
    }
    match old.fields().iter().find(|f| !empty && new.field_with_name(f.name()).is_err()) {
        Some(gone) => Err(format!("column {} vanishes", gone.name())),
        None => Ok(last_id.max(largest_id(new))),
    }
}

/// Whether every value of a type has one value in another, so that files of the one can be read as the other.
pub fn widens(from: &DataType, to: &DataType) -> bool {
    use DataType::{Boolean, Date32, Decimal128, Int64, Timestamp, Utf8};
    match (from, to) {
        // 19 digits before the point hold every whole number of 64 bits.
        (Int64, Decimal128(p, s)) => i32::from(*p) - i32::from(*s) >= 19,
        (Decimal128(p, s), Decimal128(q, t)) => {
            t >= s && i32::from(*q) - i32::from(*t) >= i32::from(*p) - i32::from(*s) && (p, s) != (q, t)
        }
        (Date32, Timestamp(_, _)) => true,
        (Int64 | Date32 | Boolean, Utf8) => true,
        _ => false,
    }
}

/// The largest id among a schema's columns.
pub fn largest_id(schema: &Schema) -> i32 {
    schema.fields().iter().filter_map(|f| id_of(f)).max().unwrap_or(0).max(FIRST_FIELD_ID - 1)
}

fn id_of(field: &Field) -> Option<i32> {
    field.metadata().get(FIELD_ID)?.parse().ok()
}

fn same_type(a: &Field, b: &Field) -> bool {
    match (a.data_type(), b.data_type()) {
        (DataType::List(a), DataType::List(b)) => a.data_type() == b.data_type(),
        (a, b) => a == b,
    }
}

/// The column under another id; a list's element has an id made of it.
fn with_id(field: &Field, id: i32) -> Field {
    let data_type = match field.data_type() {
        DataType::List(_) if id >= FIRST_FIELD_ID => text_list(ELEMENT_ID + id),
        other => other.clone(),
    };
    let mut metadata = field.metadata().clone();
    metadata.extend(column(id, field.name(), DataType::Null, true).metadata().clone());
    Field::new(field.name(), data_type, field.is_nullable()).with_metadata(metadata)
}

#[cfg(test)]
#[path = "evolve_tests.rs"]
mod tests;
