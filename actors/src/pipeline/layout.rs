//! What kind of value a pack expects at each path of a record, and which values it keeps as JSON.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use arrow_schema::{DataType, Fields, Schema};
use lakewright_storage::pack::Path;
use xxhash_rust::xxh3::xxh3_64;

/// The path of the record itself.
pub const ROOT: u64 = 0x6c61_6b65;

/// The path of a field, by its key's hash.
pub fn child(parent: u64, key: u64) -> u64 {
    let mixed = (parent.rotate_left(23) ^ key).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed ^ (mixed >> 29)
}

/// The path of a list's entries.
pub fn element(list: u64) -> u64 {
    child(list, 0x5b5d)
}

/// Kinds of JSON values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Null fits everywhere.
    Null,
    /// A text, number or truth value.
    Scalar,
    /// An object.
    Object,
    /// A list.
    List,
}

/// What is expected at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slot {
    /// The path as people write it.
    pub path: String,
    /// The kind that columns are decoded from; none: any.
    pub kind: Option<Kind>,
    /// The value is kept as JSON.
    pub keep: bool,
    /// The column that gathers it.
    pub column: Option<u16>,
}

/// What the places of a column are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Domain {
    /// The records.
    Rows,
    /// The entries of the lists of a column.
    Entries(u16),
}

/// A column to gather: of scalars, or of lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ColumnDef {
    /// Lists, not scalars.
    pub list: bool,
    /// Its places.
    pub domain: Domain,
}

/// Path hashes are hashes already.
#[derive(Default)]
pub struct Same(u64);

impl Hasher for Same {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = xxh3_64(bytes);
    }

    fn write_u64(&mut self, n: u64) {
        self.0 = n;
    }
}

/// Slots by path.
#[derive(Default)]
pub struct Layout {
    slots: Vec<Slot>,
    columns: Vec<ColumnDef>,
    by_path: HashMap<u64, u16, BuildHasherDefault<Same>>,
}

impl Layout {
    /// The layout of what is decoded by `projection`, and of the values at `kept` paths.
    pub fn new<'a>(projection: &Schema, kept: impl IntoIterator<Item = &'a Path>) -> Self {
        let mut layout = Self::default();
        layout.fields(ROOT, "$", projection.fields(), Domain::Rows);
        for path in kept {
            let (mut hash, mut text) = (ROOT, "$".to_owned());
            let names: Vec<&str> = path.field_names().collect();
            for (i, name) in names.iter().enumerate() {
                hash = child(hash, xxh3_64(name.as_bytes()));
                text = format!("{text}.{name}");
                let last = i + 1 == names.len();
                layout.add(hash, Slot { path: text.clone(), kind: (!last).then_some(Kind::Object), keep: last, column: None });
            }
        }
        layout
    }

    fn add(&mut self, hash: u64, slot: Slot) {
        match self.by_path.get(&hash) {
            Some(at) => {
                let there = &mut self.slots[usize::from(*at)];
                there.keep |= slot.keep;
                there.kind = there.kind.or(slot.kind);
            }
            None => {
                self.by_path.insert(hash, self.slots.len() as u16);
                self.slots.push(slot);
            }
        }
    }

    fn fields(&mut self, parent: u64, text: &str, fields: &Fields, domain: Domain) {
        for field in fields {
            let path = format!("{text}.{}", field.name());
            self.value(child(parent, xxh3_64(field.name().as_bytes())), path, field.data_type(), domain);
        }
    }

    fn value(&mut self, hash: u64, path: String, data_type: &DataType, domain: Domain) {
        let (kind, column) = match data_type {
            DataType::Struct(_) => (Kind::Object, None),
            DataType::List(_) => (Kind::List, Some(ColumnDef { list: true, domain })),
            _ => (Kind::Scalar, Some(ColumnDef { list: false, domain })),
        };
        // A list's column comes before the columns of its entries.
        let number = self.columns.len() as u16;
        self.columns.extend(column);
        match data_type {
            DataType::Struct(fields) => self.fields(hash, &path, fields, domain),
            DataType::List(item) => self.value(element(hash), format!("{path}[*]"), item.data_type(), Domain::Entries(number)),
            _ => {}
        }
        self.add(hash, Slot { path, kind: Some(kind), keep: false, column: column.map(|_| number) });
    }

    /// The columns to gather, in the projection's order.
    pub fn columns(&self) -> &[ColumnDef] {
        &self.columns
    }

    /// The slot of a path.
    pub fn slot(&self, path: u64) -> Option<u16> {
        self.by_path.get(&path).copied()
    }

    /// What a slot expects.
    pub fn expects(&self, slot: u16) -> &Slot {
        &self.slots[usize::from(slot)]
    }

    /// The slot of a path as people write it.
    pub fn named(&self, path: &str) -> Option<u16> {
        self.slots.iter().position(|s| s.path == path).map(|i| i as u16)
    }
}
