//! What a failed query tells its client.

use datafusion::error::DataFusionError;
use lakewright_proto::{Error, ErrorCode};

use super::names::SEARCH_PATH;
use crate::error::StorageError;

/// A query's failure with its code and sentence.
pub fn query_error(e: &DataFusionError) -> Error {
    let root = e.find_root();
    let code = match root {
        DataFusionError::SQL(..)
        | DataFusionError::Plan(_)
        | DataFusionError::SchemaError(..)
        | DataFusionError::NotImplemented(_)
        | DataFusionError::Configuration(_)
        | DataFusionError::Diagnostic(..) => ErrorCode::InvalidArgument,
        // Overflow, bad casts and divisions by zero come from the query's own values.
        DataFusionError::ArrowError(..) | DataFusionError::Execution(_) => ErrorCode::InvalidArgument,
        DataFusionError::ResourcesExhausted(m) => {
            let message = format!(
                "the query needs more memory than its tenant has left ({}); filter or aggregate more, run fewer queries at once, or raise query.memory_per_tenant",
                first_line(m)
            );
            return Error::new(ErrorCode::ResourceExhausted, message);
        }
        DataFusionError::ObjectStore(e) => return store_error(e),
        DataFusionError::ParquetError(e) => return Error::new(ErrorCode::DataLoss, format!("a data file cannot be read: {e}")),
        DataFusionError::External(inner) => {
            if let Some(e) = inner.downcast_ref::<StorageError>() {
                return Error::new(e.code(), e.to_string());
            }
            if let Some(e) = inner.downcast_ref::<Error>() {
                return e.clone();
            }
            if let Some(e) = inner.downcast_ref::<object_store::Error>() {
                return store_error(e);
            }
            ErrorCode::Internal
        }
        _ => ErrorCode::Internal,
    };
    Error::new(code, sentence(&root.strip_backtrace()))
}

fn store_error(e: &object_store::Error) -> Error {
    match e {
        object_store::Error::NotFound { .. } => Error::new(
            ErrorCode::Unavailable,
            "a data file of the query's snapshot is gone: the snapshot is older than the retention of dropped files; run the query again",
        ),
        e => Error::new(ErrorCode::Unavailable, format!("the object store failed during the query, run it again: {e}")),
    }
}

fn first_line(m: &str) -> &str {
    m.lines().next().unwrap_or_default()
}

/// Names as the user knows them: unqualified ones are looked up in a hidden schema.
fn sentence(message: &str) -> String {
    message.replace(&format!("{SEARCH_PATH}."), "")
}
