//! Pages of lists: a token is the place to go on, and nothing is kept for it.

use lakewright_proto::{Error, ErrorCode};

/// Cuts a page out of a whole, ordered list.
pub(super) fn page<T>(all: Vec<T>, size: u32, token: &str) -> Result<(Vec<T>, String), Error> {
    let start: usize = if token.is_empty() {
        0
    } else {
        token.parse().map_err(|_| Error::new(ErrorCode::InvalidArgument, format!("page token {token:?} is not one of ours")))?
    };
    let size = limit(size);
    let total = all.len();
    let rows: Vec<T> = all.into_iter().skip(start).take(size).collect();
    let end = start + rows.len();
    Ok((rows, if end < total { end.to_string() } else { String::new() }))
}

/// Rows of a page.
pub(super) fn limit(size: u32) -> usize {
    match size {
        0 => 100,
        n => n.min(1_000) as usize,
    }
}
