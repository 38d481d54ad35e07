//! The schema of what a pack's paths name: scalars as text, in structs and lists as they stand in
//! the records.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::Array;
use arrow_schema::{DataType, Field, Fields, Schema, SchemaRef};
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
    for way in paths.into_iter().flat_map(Path::ways) {
        root.add(&way.0);
    }
    Arc::new(Schema::new(root.fields()))
}

/// The column of a name, in a batch or struct of the projection.
pub fn field<'a>(fields: &Fields, columns: &'a [arrow_array::ArrayRef], name: &str) -> Option<&'a Arc<dyn Array>> {
    columns.get(fields.iter().position(|f| f.name() == name)?)
}
