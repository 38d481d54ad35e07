//! Schedules: replaced whole, and moved forward by who saw them where they are.

use lakewright_proto::{ConnectorId, ErrorCode};

use super::world::*;
use crate::catalog::command::Command;
use crate::catalog::keyspace::Schedules;
use crate::catalog::records::{Fired, Schedule};
use crate::catalog::Read as _;

fn read(w: &World) -> Schedule {
    w.store.view().get::<Schedules>(&(tenant(), connector())).unwrap().unwrap()
}

fn fired(due: i64, fired: Fired) -> Command {
    Command::MoveSchedule { tenant: tenant(), connector: connector(), due, fired }
}

#[test]
fn an_instant_is_seen_to_once_and_time_goes_forward() {
    let mut w = World::new();
    assert_eq!(w.refused(Command::SetSchedule(Schedule { connector_id: ConnectorId(id(0x99)), ..a_schedule() })), ErrorCode::NotFound);
    w.done(Command::SetSchedule(a_schedule()));
    w.done(fired(10, Fired::Failed { error: "away".into(), retry_at: 12 }));
    assert_eq!((read(&w).next_at, read(&w).retry_at, read(&w).last_error.as_deref()), (10, 12, Some("away")));
    assert_eq!(w.refused(fired(10, Fired::Started { next_at: 10, missed: 0 })), ErrorCode::InvalidArgument);
    w.done(fired(10, Fired::Started { next_at: 40, missed: 2 }));
    assert_eq!(w.refused(fired(10, Fired::Started { next_at: 50, missed: 0 })), ErrorCode::Conflict);
    let s = read(&w);
    assert_eq!((s.last_at, s.next_at, s.missed, s.last_error, s.retry_at), (Some(10), 40, 2, None, 0));
    w.done(Command::SetSchedule(a_schedule()));
    assert_eq!(read(&w).next_at, 10);
    w.done(Command::ClearSchedule { tenant: tenant(), connector: connector() });
    assert_eq!(w.refused(fired(10, Fired::Started { next_at: 50, missed: 0 })), ErrorCode::NotFound);
}
