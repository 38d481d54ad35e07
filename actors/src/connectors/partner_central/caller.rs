//! Makes a call until it is answered: within the quota, with backoff and jitter, the session renewed where it is over.

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_partnercentralselling::Client;
use lakewright_storage::catalog::records::QuotaClass;
use rand::Rng as _;
use tokio::sync::Mutex;

use super::api::{self, Answer, Call, CallError};
use super::config::Config;
use super::credentials;
use super::pace::{NotYet, Pace};
use crate::connectors::{SourceError, SourceHost};

/// Attempts of one call before its reader is started anew.
const ATTEMPTS: u32 = 8;
const BACKOFF_MIN: Duration = Duration::from_millis(200);
const BACKOFF_MAX: Duration = Duration::from_secs(20);
/// Ways in that are tried for one call.
const SESSIONS: u32 = 3;

/// How a call ended, other than with an answer.
#[derive(Debug)]
pub enum Ended {
    /// There is no such record, or none any more.
    Gone,
    /// The source refuses this one record: why.
    Refused(String),
    /// The list's token is not good any more: begin the list again.
    BadToken,
    /// The quota does not allow it for so long.
    Wait(Duration, String),
    /// It failed.
    Failed(SourceError),
}

/// Answers of which so many are all refusals say something of the permissions, not of the records.
const REFUSALS: usize = 3;

/// Where every one of several records is refused: why that is no answer. Their position must not move past them.
pub(super) fn refuses_all<'a>(answers: impl Iterator<Item = &'a Result<Answer, Ended>>) -> Option<Ended> {
    let (mut refusals, mut first) = (0, None);
    for answer in answers {
        let Err(Ended::Refused(why)) = answer else { return None };
        refusals += 1;
        first.get_or_insert(why);
    }
    let first = first.filter(|_| refusals >= REFUSALS)?;
    let message = format!("the source lists {refusals} records and refuses to show each of them: check its permissions ({first})");
    Some(Ended::Failed(SourceError::Retry { message, after: Some(Duration::from_secs(30)) }))
}

/// A way in, and how often it was renewed.
#[derive(Clone)]
struct Session {
    client: Client,
    number: u64,
}

/// The API of one account and catalog.
pub struct Caller {
    config: Arc<Config>,
    session: Mutex<Option<Session>>,
    pace: Pace,
}

impl Caller {
    /// Nothing is asked before the first call.
    pub fn new(config: Arc<Config>, account: &str, host: Arc<dyn SourceHost>) -> Self {
        let pace = Pace::new(host, account, &config);
        Self { config, session: Mutex::new(None), pace }
    }

    /// Makes a call. `coming`: how many of its kind will be made soon, this one included.
    pub async fn call(&self, call: &Call, class: QuotaClass, coming: usize) -> Result<Answer, Ended> {
        let (mut failures, mut sessions) = (0, 0);
        loop {
            match self.pace.take(class, coming).await {
                Ok(()) => {}
                Err(NotYet::Wait(wait, why)) => return Err(Ended::Wait(wait, why)),
                Err(NotYet::Failed(e)) => return Err(Ended::Failed(e)),
            }
            let session = self.session().await;
            let why = match api::call(&session.client, &self.config.catalog, call).await {
                Ok(answer) => return Ok(answer),
                Err(CallError::Gone) => return Err(Ended::Gone),
                Err(CallError::Refused(why)) => return Err(Ended::Refused(why)),
                Err(CallError::BadToken) => return Err(Ended::BadToken),
                Err(CallError::Fatal(why)) => return Err(Ended::Failed(SourceError::Fatal(why))),
                Err(CallError::Expired(why)) => {
                    self.renew(session.number).await;
                    sessions += 1;
                    if sessions >= SESSIONS {
                        let message =
                            format!("{why}; the credentials do not let us in, and getting new ones {SESSIONS} times did not help");
                        return Err(Ended::Failed(SourceError::Retry { message, after: None }));
                    }
                    why
                }
                Err(CallError::Throttled(why) | CallError::Again(why)) => why,
            };
            failures += 1;
            if failures >= ATTEMPTS {
                return Err(Ended::Failed(SourceError::Retry { message: format!("{why} ({failures} times)"), after: None }));
            }
            let wait = backoff(failures, rand::rng().random_range(0.0..1.0));
            tracing::debug!(why, ?wait, "a call is made again");
            tokio::time::sleep(wait).await;
        }
    }

    async fn session(&self) -> Session {
        let mut slot = self.session.lock().await;
        match &*slot {
            Some(session) => session.clone(),
            None => slot.insert(self.open(0).await).clone(),
        }
    }

    /// A new way in, unless somebody was quicker.
    async fn renew(&self, number: u64) {
        let mut slot = self.session.lock().await;
        if slot.as_ref().is_none_or(|s| s.number == number) {
            *slot = Some(self.open(number + 1).await);
        }
    }

    async fn open(&self, number: u64) -> Session {
        let sdk = credentials::sdk_config(&self.config).await;
        Session { client: credentials::client(&self.config, &sdk), number }
    }
}

/// How long to wait after so many failures: twice as long each time, and anywhere in the upper half of that.
fn backoff(failures: u32, jitter: f64) -> Duration {
    let whole = BACKOFF_MIN.saturating_mul(1 << failures.min(10)).min(BACKOFF_MAX);
    whole.mul_f64(0.5 + jitter / 2.0)
}

#[cfg(test)]
#[path = "caller_tests.rs"]
mod tests;
