//! Quotas: the charge of an ask, decided by the pure rules at catalog time.

use lakewright_proto::ErrorCode;

use super::super::command::Reply;
use super::super::keyspace::*;
use super::super::records::*;
use super::super::tx::{refuse, ApplyError, Tx};
use super::super::view::Read;

/// A quota's name is bounded: it is a key.
const MAX_NAME: usize = 200;

pub(super) fn take(tx: &mut Tx<'_>, ask: &QuotaAsk) -> Result<Reply, ApplyError> {
    if ask.name.is_empty() || ask.name.len() > MAX_NAME {
        return refuse(ErrorCode::InvalidArgument, format!("a quota's name has 1 to {MAX_NAME} bytes"));
    }
    tx.need::<Tenants>(&ask.tenant, || format!("tenant {}", ask.tenant))?;
    let mut quota = tx.get::<Quotas>(&ask.name)?.unwrap_or_default();
    let grant = crate::quota::decide(&mut quota, ask, tx.now);
    tx.put::<Quotas>(&ask.name, &quota)?;
    Ok(Reply::Quota(grant))
}
