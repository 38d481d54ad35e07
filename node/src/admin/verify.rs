//! Verifying a table against Bronze: a job beside the call, which tells its progress and its end.

use std::sync::Arc;
use std::time::Duration;

use lakewright_actors::error::WorkError;
use lakewright_actors::services::Services;
use lakewright_actors::verify::{verify_from_bronze, Progress, Report};
use lakewright_proto::{admin as pb, Error, ErrorCode, TableId};
use tokio::sync::{mpsc, watch, OwnedSemaphorePermit};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Status};

use super::service::AdminService;
use crate::auth::Action;

/// How often progress is told.
const PROGRESS: Duration = Duration::from_millis(500);

type Told = Result<pb::VerifyTableProgress, Status>;

impl AdminService {
    pub(super) async fn verify_table_from_bronze_(
        &self,
        request: Request<pb::VerifyTableFromBronzeRequest>,
    ) -> Result<ReceiverStream<Told>, Error> {
        let caller = self.caller(&request, &request.get_ref().tenant, Action::MaintainTables)?;
        let table = self.table(caller.tenant.id, &request.get_ref().table)?;
        if table.buckets == 0 {
            return Err(Error::new(ErrorCode::InvalidArgument, "only Silver tables are made from Bronze; name one as silver.TABLE"));
        }
        // Each holds some hundred MiB: one at a time keeps the node's memory flat.
        let permit = self.verifying().try_acquire_owned().map_err(|_| {
            Error::new(ErrorCode::ResourceExhausted, "another table is being verified from Bronze on this node; wait until that has ended")
        })?;
        let (tell, told) = mpsc::channel(4);
        let services = Arc::clone(self.services());
        self.services().work.spawn(job(services, table.id, permit, tell));
        Ok(ReceiverStream::new(told))
    }
}

/// The job. It ends when the table is compared, when the caller is gone, or when the node stops.
async fn job(services: Arc<Services>, table: TableId, permit: OwnedSemaphorePermit, tell: mpsc::Sender<Told>) {
    let (progress, mut moved) = watch::channel(Progress::default());
    let caller = tell.clone();
    let telling = async move {
        let mut every = tokio::time::interval(PROGRESS);
        loop {
            tokio::select! {
                () = caller.closed() => return,
                _ = every.tick() => {}
            }
            let changed = moved.has_changed().unwrap_or(false);
            // A caller that reads slowly misses some: the next one tells more.
            if changed && caller.try_send(Ok(message(&moved.borrow_and_update()))).is_err() && caller.is_closed() {
                return;
            }
        }
    };
    // The end of the telling drops its receiver, which ends the work; the end of the work has the last word.
    let work = Box::pin(verify_from_bronze(&services, table, &progress));
    let telling = tokio::spawn(telling);
    let outcome = work.await;
    telling.abort();
    let last = match outcome {
        Ok(report) => Ok(pb::VerifyTableProgress { report: Some(report_message(&report)), ..message(&progress.borrow()) }),
        Err(e) => Err(Status::from(failure(e))),
    };
    drop(permit);
    // A caller that is gone needs no answer.
    let _ = tell.send(last).await;
}

fn failure(e: WorkError) -> Error {
    match e {
        WorkError::Superseded(why) => Error::new(ErrorCode::Cancelled, format!("the verification was ended: {why}")),
        WorkError::Broken(why) => Error::new(ErrorCode::InvalidArgument, why),
        WorkError::Restart(why) => Error::new(ErrorCode::Unavailable, format!("the table could not be verified: {why}")),
    }
}

fn message(p: &Progress) -> pb::VerifyTableProgress {
    pb::VerifyTableProgress {
        commit: p.commit.0,
        watermark: p.watermark.0,
        records: p.records,
        rows_compared: p.compared,
        rows_to_compare: p.to_compare,
        report: None,
    }
}

fn report_message(r: &Report) -> pb::VerifyTableReport {
    pb::VerifyTableReport {
        watermark: r.watermark.0,
        commits_merged: r.commits,
        records_merged: r.records,
        rows_checked: r.comparison.rows,
        keys_checked: r.comparison.keys,
        faults: r.comparison.faults.clone(),
        fault_count: r.comparison.fault_count,
    }
}
