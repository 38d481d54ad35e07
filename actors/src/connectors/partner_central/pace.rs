//! One reader's share of the quota: blocks of calls are charged in the catalog, and made at the pace that they were granted for.

use std::sync::Arc;
use std::time::Duration;

use lakewright_storage::catalog::records::{QuotaAsk, QuotaClass, QuotaGrant, QuotaLimit};
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::config::Config;
use crate::connectors::{SourceError, SourceHost};

/// A wait up to this is sat out; a longer one is told, so that what is gathered can be committed.
const SHORT: Duration = Duration::from_secs(3);
/// A granted call is made within this time of its instant, or not at all: the quota counts on it.
const SLACK: Duration = Duration::from_secs(8);
/// Calls of a block at most.
const BLOCK: u32 = 100;

/// Why no call may be made now.
#[derive(Debug)]
pub enum NotYet {
    /// The quota does not allow it for so long.
    Wait(Duration, String),
    /// The catalog could not be asked.
    Failed(SourceError),
}

/// Calls granted and not made.
#[derive(Debug)]
struct Block {
    left: u32,
    /// The soonest instant of the next call.
    next: Instant,
    /// When the last of them was to be made.
    last: Instant,
    spacing: Duration,
}

impl Block {
    fn new(left: u32, next: Instant, spacing: Duration) -> Self {
        Self { left, next, last: next + spacing * left.saturating_sub(1), spacing }
    }

    /// The instant of one more call. Slow answers make no burst of those behind, and old grants are let go.
    fn next(&mut self, now: Instant) -> Option<Instant> {
        let at = self.next.max(now);
        if self.left == 0 || at > self.last + SLACK {
            return None;
        }
        self.left -= 1;
        self.next = at + self.spacing;
        Some(at)
    }
}

/// Permission to call, one at a time.
pub struct Pace {
    host: Arc<dyn SourceHost>,
    name: String,
    per_second: u32,
    per_day: u32,
    block: Mutex<Block>,
}

/// The name of an account's quota for reading the selling API.
pub fn quota_name(account: &str) -> String {
    format!("{account}/partnercentral-selling/reads")
}

impl Pace {
    /// The pace of one reader.
    pub fn new(host: Arc<dyn SourceHost>, account: &str, config: &Config) -> Self {
        let block = Mutex::new(Block::new(0, Instant::now(), Duration::ZERO));
        Self { host, name: quota_name(account), per_second: config.reads_per_second, per_day: config.reads_per_day, block }
    }

    /// Waits until one more call may be made. `coming`: how many will be wanted, this one included.
    pub async fn take(&self, class: QuotaClass, coming: usize) -> Result<(), NotYet> {
        let mut block = self.block.lock().await;
        let at = loop {
            if let Some(at) = block.next(Instant::now()) {
                break at;
            }
            *block = self.charge(class, coming).await?;
        };
        drop(block);
        tokio::time::sleep_until(at).await;
        Ok(())
    }

    async fn charge(&self, class: QuotaClass, coming: usize) -> Result<Block, NotYet> {
        loop {
            let ask = QuotaAsk {
                name: self.name.clone(),
                tenant: self.host.tenant(),
                class,
                calls: u32::try_from(coming).unwrap_or(BLOCK).clamp(1, BLOCK),
                per_second: self.per_second,
                per_day: self.per_day,
            };
            let micros = |us: i64| Duration::from_micros(us.max(0).unsigned_abs());
            match self.host.take(ask).await.map_err(NotYet::Failed)? {
                QuotaGrant::Granted { calls, wait_us, spacing_us } => {
                    return Ok(Block::new(calls, Instant::now() + micros(wait_us), micros(spacing_us)));
                }
                QuotaGrant::Denied { wait_us, limit } => {
                    let wait = micros(wait_us);
                    if limit != QuotaLimit::Second || wait > SHORT {
                        return Err(NotYet::Wait(wait, self.why(limit)));
                    }
                    tokio::time::sleep(wait).await;
                }
            }
        }
    }

    fn why(&self, limit: QuotaLimit) -> String {
        match limit {
            QuotaLimit::Second => format!("all {} calls a second of quota {} are promised", self.per_second, self.name),
            QuotaLimit::Day => {
                format!("the {} calls of 24 hours of quota {} are used, or kept for what is more urgent", self.per_day, self.name)
            }
            QuotaLimit::Share => format!("this tenant's share of the {} calls of 24 hours of quota {} is used", self.per_day, self.name),
        }
    }
}

#[cfg(test)]
#[path = "pace_tests.rs"]
mod tests;
