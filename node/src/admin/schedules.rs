//! Schedules: when the clock starts a connector's runs.

use lakewright_actors::schedule::{put_off, Rule};
use lakewright_actors::services::now_us;
use lakewright_proto::{admin as pb, Error, ErrorCode};
use lakewright_storage::catalog::command::Command;
use lakewright_storage::catalog::keyspace::{Connectors, Schedules};
use lakewright_storage::catalog::records::Schedule;
use lakewright_storage::catalog::Read as _;
use tonic::Request;

use super::access::not_found;
use super::convert::time;
use super::pages::page;
use super::service::AdminService;
use crate::auth::Action;

const SECOND: i64 = 1_000_000;
/// A start may be put off by this at most.
const MAX_JITTER_SECONDS: u64 = 24 * 3_600;

impl AdminService {
    pub(super) async fn set_schedule_(&self, request: Request<pb::SetScheduleRequest>) -> Result<pb::Schedule, Error> {
        let caller = self.caller(&request, &request.get_ref().tenant, Action::ManageConnectors)?;
        let r = request.into_inner();
        let connector = self.connector(caller.tenant.id, &r.connector)?;
        if r.jitter_seconds > MAX_JITTER_SECONDS {
            return Err(Error::new(ErrorCode::InvalidArgument, "a start is put off by at most a day"));
        }
        let zone = if r.zone.is_empty() { "UTC".to_owned() } else { r.zone };
        let rule = Rule::parse(&r.cron, &zone)?;
        let next_at = rule.next(now_us()).ok_or_else(|| Error::new(ErrorCode::InvalidArgument, format!("{:?} never comes", r.cron)))?;
        let schedule = Schedule {
            tenant_id: connector.tenant_id,
            connector_id: connector.id,
            cron: r.cron,
            zone,
            jitter_us: r.jitter_seconds as i64 * SECOND,
            created_at: 0,
            next_at,
            last_at: None,
            missed: 0,
            last_error: None,
            retry_at: 0,
        };
        self.propose(&caller.principal, "", Command::SetSchedule(schedule)).await?;
        let key = (connector.tenant_id, connector.id);
        let set = self.services().catalog.view().get::<Schedules>(&key).map_err(Error::from)?;
        set.map(|s| message(&s, &connector.name)).ok_or_else(|| not_found("the new schedule"))
    }

    pub(super) async fn list_schedules_(&self, request: Request<pb::ListSchedulesRequest>) -> Result<pb::ListSchedulesResponse, Error> {
        let caller = self.caller(&request, &request.get_ref().tenant, Action::ReadConnectors)?;
        let r = request.into_inner();
        let view = self.services().catalog.view();
        let mut all = Vec::new();
        for (key, schedule) in view.scan::<Schedules>(&caller.tenant.id).map_err(Error::from)? {
            let connector = view.get::<Connectors>(&key).map_err(Error::from)?;
            all.push(message(&schedule, connector.as_ref().map_or("", |c| c.name.as_str())));
        }
        all.sort_by(|a, b| a.connector.cmp(&b.connector));
        let (schedules, next_page_token) = page(all, r.page_size, &r.page_token)?;
        Ok(pb::ListSchedulesResponse { schedules, next_page_token })
    }

    pub(super) async fn clear_schedule_(&self, request: Request<pb::ClearScheduleRequest>) -> Result<pb::ClearScheduleResponse, Error> {
        let caller = self.caller(&request, &request.get_ref().tenant, Action::ManageConnectors)?;
        let connector = self.connector(caller.tenant.id, &request.get_ref().connector)?;
        let command = Command::ClearSchedule { tenant: connector.tenant_id, connector: connector.id };
        self.propose(&caller.principal, "", command).await?;
        Ok(pb::ClearScheduleResponse {})
    }
}

fn message(s: &Schedule, connector: &str) -> pb::Schedule {
    pb::Schedule {
        connector_id: s.connector_id.to_string(),
        connector: connector.to_owned(),
        cron: s.cron.clone(),
        zone: s.zone.clone(),
        jitter_seconds: (s.jitter_us / SECOND) as u64,
        created_at: Some(time(s.created_at)),
        next_at: (s.next_at < i64::MAX).then(|| time((s.next_at + put_off(s)).max(s.retry_at))),
        last_at: s.last_at.map(time),
        missed: s.missed,
        last_error: s.last_error.clone().unwrap_or_default(),
    }
}
