//! How a pack version says that a column is made: the field's own words.

use serde_json::Value;

/// The definition of a table's column in `entities.yaml`, as JSON.
pub fn definition(entities_yaml: &[u8], table: &str, column: &str) -> Option<String> {
    let whole: Value = serde_yaml_ng::from_slice(entities_yaml).ok()?;
    let entity = whole.get("entities")?.as_array()?.iter().find(|e| e.get("table").and_then(Value::as_str) == Some(table))?;
    let field = entity.get("fields")?.as_array()?.iter().find(|f| f.get("name").and_then(Value::as_str) == Some(column))?;
    Some(field.to_string())
}
