//! Dead letters: listed, inspected, replayed.

use std::collections::{BTreeMap, BTreeSet};

use lakewright_actors::replay::{replay, MAX_ADDRESSES};
use lakewright_proto::{admin as pb, Error, RecordAddress, RunId, ShardId};
use lakewright_storage::catalog::keyspace::Runs;
use lakewright_storage::catalog::records::Tenant;
use lakewright_storage::catalog::Read as _;
use tonic::Request;

use super::access::not_found;
use super::convert::{self, time};
use super::open_letters::{with_replays, Chosen, LastChecks};
use super::pages::limit;
use super::quality::next;
use super::service::AdminService;
use super::sql::{equals, filter, quote, Columns};
use crate::auth::Action;

const PLAIN: &str = "tenant_id, connector_id, ingestion_run_id, entity, address_shard, address_offset, source_key, reason, detail, rule, \
                     location, payload_bytes, payload_sha256, pack, rejected_at";

/// Letters of one record from which the one to show is taken.
const SHOWN: usize = 8;
/// Letters looked through at a time for open ones.
const OPEN_PAGE: usize = 10_000;

impl AdminService {
    async fn letters(&self, tenant: &Tenant, sql: &str, with_payload: bool) -> Result<Vec<pb::DeadLetter>, Error> {
        let mut out = Vec::new();
        for batch in self.rows(tenant, sql).await? {
            let c = Columns(&batch);
            for row in 0..batch.num_rows() {
                out.push(pb::DeadLetter {
                    tenant_id: c.text("tenant_id", row)?,
                    connector_id: c.text("connector_id", row)?,
                    ingestion_run_id: c.text("ingestion_run_id", row)?,
                    entity: c.text("entity", row)?,
                    address: format!("{}/{}", c.number("address_shard", row)?, c.number("address_offset", row)?),
                    source_key: c.text("source_key", row)?,
                    reason: c.text("reason", row)?,
                    detail: c.text("detail", row)?,
                    rule: c.text("rule", row)?,
                    location: c.text("location", row)?,
                    payload_bytes: c.number("payload_bytes", row)? as u64,
                    payload_sha256: c.text("payload_sha256", row)?,
                    pack: c.text("pack", row)?,
                    rejected_at: Some(time(c.time("rejected_at", row)?)),
                    payload: if with_payload { c.bytes("payload", row)? } else { Vec::new() },
                    open: true,
                });
            }
        }
        Ok(out)
    }

    pub(super) async fn list_dead_letters_(
        &self,
        request: Request<pb::ListDeadLettersRequest>,
    ) -> Result<pb::ListDeadLettersResponse, Error> {
        let caller = self.caller(&request, &request.get_ref().tenant, Action::ReadDeadLetters)?;
        let r = request.into_inner();
        let connector = if r.connector.is_empty() { String::new() } else { self.connector(caller.tenant.id, &r.connector)?.id.to_string() };
        let wanted = filter([
            equals("connector_id", &connector),
            equals("ingestion_run_id", &r.run_id),
            equals("entity", &r.entity),
            equals("reason", &r.reason),
        ]);
        let (size, mut start) = (limit(r.page_size), r.page_token.parse::<usize>().unwrap_or(0));
        let (mut dead_letters, mut checks) = (Vec::new(), LastChecks::default());
        loop {
            let sql = format!(
                "SELECT {PLAIN} FROM system.dead_letters {wanted} ORDER BY rejected_at DESC, address_shard, address_offset, entity \
                 LIMIT {} OFFSET {start}",
                if r.open_only { OPEN_PAGE } else { size } + 1
            );
            let mut found = self.letters(&caller.tenant, &sql, false).await?;
            checks.mark(&self.services().catalog, caller.tenant.id, &mut found)?;
            if !r.open_only {
                let next_page_token = next(&mut found, start, size);
                return Ok(pb::ListDeadLettersResponse { dead_letters: found, next_page_token });
            }
            let more = found.len() > OPEN_PAGE;
            for letter in found.into_iter().take(OPEN_PAGE) {
                if dead_letters.len() == size {
                    return Ok(pb::ListDeadLettersResponse { dead_letters, next_page_token: start.to_string() });
                }
                start += 1;
                dead_letters.extend(letter.open.then_some(letter));
            }
            if !more {
                return Ok(pb::ListDeadLettersResponse { dead_letters, next_page_token: String::new() });
            }
        }
    }

    pub(super) async fn get_dead_letter_(&self, request: Request<pb::GetDeadLetterRequest>) -> Result<pb::DeadLetter, Error> {
        let caller = self.caller(&request, &request.get_ref().tenant, Action::ReadDeadLetters)?;
        let r = request.into_inner();
        let a: RecordAddress = r.address.parse()?;
        let here = Some(format!("address_shard = {} AND address_offset = {}", a.shard, a.offset));
        let wanted = filter([here, equals("entity", &r.entity)]);
        let sql = format!("SELECT {PLAIN}, payload FROM system.dead_letters {wanted} ORDER BY rejected_at DESC LIMIT {SHOWN}");
        let mut found = self.letters(&caller.tenant, &sql, true).await?;
        LastChecks::default().mark(&self.services().catalog, caller.tenant.id, &mut found)?;
        // Letters of one record have one time: that of its reading. The open one is the newest.
        found.sort_by_key(|letter| !letter.open);
        found.into_iter().next().ok_or_else(|| not_found(format_args!("dead letter {a}")))
    }

    pub(super) async fn replay_dead_letters_(
        &self,
        request: Request<pb::ReplayDeadLettersRequest>,
    ) -> Result<pb::ReplayDeadLettersResponse, Error> {
        let caller = self.caller(&request, &request.get_ref().tenant, Action::ReplayDeadLetters)?;
        let r = request.into_inner();
        let addresses: Vec<RecordAddress> = r.addresses.iter().map(|a| a.parse()).collect::<Result<_, _>>()?;
        let chosen = (!addresses.is_empty()).then(|| {
            let mut by_shard: BTreeMap<ShardId, Vec<String>> = BTreeMap::new();
            addresses.iter().for_each(|a| by_shard.entry(a.shard).or_default().push(a.offset.to_string()));
            let each: Vec<_> = by_shard
                .into_iter()
                .map(|(shard, offsets)| format!("(address_shard = {shard} AND address_offset IN ({}))", offsets.join(", ")))
                .collect();
            format!("({})", each.join(" OR "))
        });
        let of_run = if r.run_id.is_empty() {
            None
        } else {
            let runs = with_replays(&self.services().catalog, caller.tenant.id, &r.run_id)?;
            Some(format!("ingestion_run_id IN ({})", runs.iter().map(|id| quote(id)).collect::<Vec<_>>().join(", ")))
        };
        let wanted = filter([of_run, equals("entity", &r.entity), equals("reason", &r.reason), chosen]);
        let chosen = self.open_letters(&caller.tenant, &wanted).await?;
        let mut by_run: BTreeMap<String, BTreeSet<RecordAddress>> = BTreeMap::new();
        for letter in &chosen.letters {
            // One that was replayed before and rejected again is replayed for the run that read it first.
            let run = self.reading_run(caller.tenant.id, &letter.ingestion_run_id)?;
            by_run.entry(run).or_default().insert(letter.address.parse()?);
        }
        let mut answer = pb::ReplayDeadLettersResponse { runs: Vec::new(), records: 0, skipped: chosen.skipped, mended: chosen.mended() };
        for (run, addresses) in by_run {
            answer.records += addresses.len() as u64;
            let addresses: Vec<_> = addresses.into_iter().collect();
            let id = replay(self.services(), &caller.principal.email, caller.tenant.id, run.parse()?, &addresses).await?;
            let run = self.services().catalog.view().get::<Runs>(&(caller.tenant.id, id)).map_err(Error::from)?;
            answer.runs.extend(run.map(|r| convert::run(&r, "")));
        }
        Ok(answer)
    }

    /// The open letters among those wanted, at most one replay's and a page more; and what is left out.
    async fn open_letters(&self, tenant: &Tenant, wanted: &str) -> Result<Chosen, Error> {
        let (mut chosen, mut checks, mut start) = (Chosen::default(), LastChecks::default(), 0);
        // Closed letters stay in the table: reading stops at so many open ones, not at so many rows.
        loop {
            let sql = format!(
                "SELECT {PLAIN} FROM system.dead_letters {wanted} ORDER BY rejected_at, address_shard, address_offset, entity \
                 LIMIT {MAX_ADDRESSES} OFFSET {start}"
            );
            let mut found = self.letters(tenant, &sql, false).await?;
            let count = found.len();
            checks.mark(&self.services().catalog, tenant.id, &mut found)?;
            chosen.add(found);
            start += count;
            if count < MAX_ADDRESSES || chosen.open() > MAX_ADDRESSES {
                return Ok(chosen);
            }
        }
    }

    fn reading_run(&self, tenant: lakewright_proto::TenantId, run: &str) -> Result<String, Error> {
        let id: RunId = run.parse()?;
        let found = self.services().catalog.view().get::<Runs>(&(tenant, id)).map_err(Error::from)?;
        Ok(found.and_then(|r| r.replay_of).unwrap_or(id).to_string())
    }
}
