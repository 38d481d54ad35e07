//! Rows of the tenant's own system tables, for calls that list them.

use arrow_array::cast::AsArray;
use arrow_array::types::{Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, RecordBatch};
use lakewright_proto::{Error, ErrorCode};
use lakewright_storage::catalog::records::Tenant;

use super::service::AdminService;

impl AdminService {
    /// Runs a query of ours for a tenant. Text that came from outside goes in through [`quote`].
    pub(super) async fn rows(&self, tenant: &Tenant, sql: &str) -> Result<Vec<RecordBatch>, Error> {
        self.engine().session(tenant.id, None)?.collect(sql).await
    }
}

/// A string literal.
pub(super) fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// `column = 'text'`, or nothing for an empty text.
pub(super) fn equals(column: &str, text: &str) -> Option<String> {
    (!text.is_empty()).then(|| format!("{column} = {}", quote(text)))
}

/// `WHERE a AND b`, or nothing.
pub(super) fn filter(parts: impl IntoIterator<Item = Option<String>>) -> String {
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    if parts.is_empty() {
        String::new()
    } else {
        format!("WHERE {}", parts.join(" AND "))
    }
}

/// A batch read by column name.
pub(super) struct Columns<'a>(pub &'a RecordBatch);

impl Columns<'_> {
    fn column(&self, name: &str) -> Result<&dyn Array, Error> {
        let missing = || Error::new(ErrorCode::Internal, format!("a system table has no column {name}"));
        self.0.column_by_name(name).map(|c| c.as_ref()).ok_or_else(missing)
    }

    pub fn text(&self, name: &str, row: usize) -> Result<String, Error> {
        let c = self.column(name)?;
        Ok(match c.as_string_opt::<i32>() {
            Some(s) if s.is_valid(row) => s.value(row).to_owned(),
            Some(_) => String::new(),
            None => c.as_string_view_opt().filter(|s| s.is_valid(row)).map(|s| s.value(row).to_owned()).unwrap_or_default(),
        })
    }

    pub fn number(&self, name: &str, row: usize) -> Result<i64, Error> {
        Ok(self.column(name)?.as_primitive_opt::<Int64Type>().filter(|a| a.is_valid(row)).map_or(0, |a| a.value(row)))
    }

    pub fn flag(&self, name: &str, row: usize) -> Result<bool, Error> {
        Ok(self.column(name)?.as_boolean_opt().is_some_and(|a| a.is_valid(row) && a.value(row)))
    }

    pub fn time(&self, name: &str, row: usize) -> Result<i64, Error> {
        let column = self.column(name)?;
        Ok(column.as_primitive_opt::<TimestampMicrosecondType>().filter(|a| a.is_valid(row)).map_or(0, |a| a.value(row)))
    }

    pub fn bytes(&self, name: &str, row: usize) -> Result<Vec<u8>, Error> {
        let c = self.column(name)?;
        Ok(match c.as_binary_opt::<i32>() {
            Some(b) if b.is_valid(row) => b.value(row).to_vec(),
            Some(_) => Vec::new(),
            None => c.as_binary_view_opt().filter(|b| b.is_valid(row)).map(|b| b.value(row).to_vec()).unwrap_or_default(),
        })
    }

    pub fn texts(&self, name: &str, row: usize) -> Result<Vec<String>, Error> {
        let c = self.column(name)?;
        let Some(list) = c.as_list_opt::<i32>().filter(|l| l.is_valid(row)) else { return Ok(Vec::new()) };
        let values = list.value(row);
        Ok(match values.as_string_opt::<i32>() {
            Some(s) => s.iter().flatten().map(str::to_owned).collect(),
            None => values.as_string_view_opt().map(|s| s.iter().flatten().map(str::to_owned).collect()).unwrap_or_default(),
        })
    }
}
