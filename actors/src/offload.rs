//! IO beside actors: a handler never awaits slow work; the work runs in a task and its result
//! comes back as a message. Dropping the handle ends the work.

use std::future::Future;
use std::panic::AssertUnwindSafe;

use futures::FutureExt;
use ractor::{ActorRef, Message};
use tokio::task::AbortHandle;
use tokio_util::task::TaskTracker;

use crate::error::WorkError;

/// Work under way beside an actor.
#[derive(Debug)]
pub struct Work {
    abort: AbortHandle,
}

impl Drop for Work {
    fn drop(&mut self) {
        self.abort.abort();
    }
}

/// Runs `work`, then sends its result to the actor. A panic is a failure like any other.
pub fn beside<M, T>(
    tracker: &TaskTracker,
    actor: ActorRef<M>,
    work: impl Future<Output = Result<T, WorkError>> + Send + 'static,
    to_message: impl FnOnce(Result<T, WorkError>) -> M + Send + 'static,
) -> Work
where
    M: Message,
    T: Send + 'static,
{
    let task = tracker.spawn(async move {
        let result = match AssertUnwindSafe(work).catch_unwind().await {
            Ok(result) => result,
            Err(panic) => Err(WorkError::Restart(format!("it panicked: {}", panic_text(&panic)))),
        };
        // An actor that is gone has no use for the result.
        let _ = actor.cast(to_message(result));
    });
    Work { abort: task.abort_handle() }
}

/// The text of a panic.
pub fn panic_text(panic: &Box<dyn std::any::Any + Send>) -> String {
    panic
        .downcast_ref::<&str>()
        .map(|s| (*s).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no text".to_owned())
}
