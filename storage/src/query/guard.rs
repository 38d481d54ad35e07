//! What a query may do: read.

use datafusion::execution::context::SQLOptions;
use datafusion::logical_expr::LogicalPlan;
use lakewright_proto::{Error, ErrorCode};

/// Refuses everything but reading.
pub(super) fn read_only(plan: &LogicalPlan) -> Result<(), Error> {
    let options = SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false);
    options.verify_plan(plan).map_err(|e| refused(&e.strip_backtrace()))
}

/// The refusal of anything that is not a query.
pub(super) fn refused(what: &str) -> Error {
    let what = what.strip_prefix("Error during planning: ").unwrap_or(what);
    Error::new(
        ErrorCode::InvalidArgument,
        format!("{what}: Flight SQL is read-only; tables are written by connectors and packs (see `lakewright connector` and `lakewright pack`)"),
    )
}
