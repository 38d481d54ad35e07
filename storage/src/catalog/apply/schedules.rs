//! Schedules: set, ended, and moved from one due instant to the next.

use lakewright_proto::{ConnectorId, ErrorCode, TenantId};

use super::super::command::Reply;
use super::super::keyspace::*;
use super::super::records::*;
use super::super::tx::{refuse, ApplyError, Tx};

type Done = Result<Reply, ApplyError>;

/// In place of the connector's schedule, if it has one.
pub(super) fn set(tx: &mut Tx<'_>, schedule: &Schedule) -> Done {
    let key = (schedule.tenant_id, schedule.connector_id);
    tx.need::<Connectors>(&key, || format!("connector {}", schedule.connector_id))?;
    let new = Schedule { created_at: tx.now, ..schedule.clone() };
    tx.put::<Schedules>(&key, &new)?;
    Ok(Reply::Done)
}

pub(super) fn clear(tx: &mut Tx<'_>, tenant: TenantId, connector: ConnectorId) -> Done {
    let key = (tenant, connector);
    tx.need::<Schedules>(&key, || format!("a schedule of connector {connector}"))?;
    tx.remove::<Schedules>(&key);
    Ok(Reply::Done)
}

pub(super) fn fired(tx: &mut Tx<'_>, tenant: TenantId, connector: ConnectorId, due: i64, what: &Fired) -> Done {
    let key = (tenant, connector);
    let mut schedule = tx.need::<Schedules>(&key, || format!("a schedule of connector {connector}"))?;
    if schedule.next_at != due {
        return refuse(ErrorCode::Conflict, format!("the schedule of connector {connector} is at {}, not {due}", schedule.next_at));
    }
    match what {
        Fired::Started { next_at, missed } => {
            if *next_at <= due {
                return refuse(ErrorCode::InvalidArgument, "a schedule goes forward");
            }
            schedule.last_at = Some(due);
            schedule.next_at = *next_at;
            schedule.missed += missed;
            (schedule.last_error, schedule.retry_at) = (None, 0);
        }
        Fired::Failed { error, retry_at } => {
            schedule.last_error = Some(error.clone());
            schedule.retry_at = *retry_at;
        }
    }
    tx.put::<Schedules>(&key, &schedule)?;
    Ok(Reply::Done)
}
