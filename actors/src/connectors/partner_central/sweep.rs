//! Compares the whole list of opportunities with what is known: what the list of changes missed is got,
//! and what is in no list is asked for once more before it counts as gone.

use std::collections::HashMap;

use lakewright_storage::catalog::records::QuotaClass;

use super::absence::compare;
use super::api::Call;
use super::caller::Ended;
use super::changes::Wanted;
use super::connector::Source;
use super::pages;
use super::streams::Stream;
use crate::connectors::SourceError;

#[derive(Default)]
enum Stage {
    #[default]
    Begin,
    Listing(String),
    Listed,
    Done,
}

/// A comparison under way. It begins anew after a restart: only a list that was read whole says what is gone.
#[derive(Default)]
pub struct Sweep {
    stage: Stage,
    listed: HashMap<Box<str>, Option<i64>>,
}

/// What a comparison found.
pub struct Found {
    /// Records to get.
    pub wanted: Vec<Wanted>,
    /// Why absent ones are not looked at.
    pub refused: Option<String>,
}

impl Sweep {
    /// The next step; none: it is over. What it found is to be got before the next one.
    pub async fn step(&mut self, source: &Source, stream: Stream, fresh: &HashMap<Box<str>, i64>) -> Result<Option<Found>, Ended> {
        let nothing = || Some(Found { wanted: Vec::new(), refused: None });
        match std::mem::take(&mut self.stage) {
            Stage::Begin => self.list(source, stream, None).await.map(|()| nothing()),
            Stage::Listing(token) => self.list(source, stream, Some(token)).await.map(|()| nothing()),
            Stage::Listed => {
                let known =
                    source.host.known(stream.name(), Some(source.scope_of(stream)), source.config.max_keys).await.map_err(Ended::Failed)?;
                // AWS's side has no date of its own: a list cannot say that it was missed.
                let mut found = compare(&self.listed, &known, stream == Stream::Opportunity, source.config.max_delete_percent);
                if stream == Stream::AwsSummary {
                    found.missed.clear();
                }
                let listed = &self.listed;
                let changed = |id: &str| listed.get(id).copied().flatten();
                found.missed.retain(|id| !matches!((fresh.get(id.as_str()), changed(id)), (Some(read), Some(c)) if *read >= c));
                let missed = found.missed.into_iter().map(|id| Wanted { changed: changed(&id), id, in_order: false });
                let absent = found.absent.into_iter().map(|(id, version)| Wanted { id, changed: Some(version), in_order: false });
                let wanted = missed.chain(absent).collect();
                self.listed = HashMap::new();
                self.stage = Stage::Done;
                Ok(Some(Found { wanted, refused: found.refused }))
            }
            Stage::Done => Ok(None),
        }
    }

    async fn list(&mut self, source: &Source, stream: Stream, token: Option<String>) -> Result<(), Ended> {
        let call = Call::ListOpportunities { after: None, token: token.clone() };
        let answer = match source.caller.call(&call, QuotaClass::Sweep, 1).await {
            Ok(answer) => answer,
            Err(Ended::BadToken) => {
                *self = Self::default();
                return Ok(());
            }
            Err(e) => {
                self.stage = token.map_or(Stage::Begin, Stage::Listing);
                return Err(e);
            }
        };
        let again = |message: String| Ended::Failed(SourceError::Retry { message, after: None });
        let page = pages::parse(stream, &answer.body).map_err(again)?;
        if page.unreadable > 0 {
            // A list of which a part is unknown says nothing of what is gone.
            return Err(again(format!("{} entries of {} cannot be read", page.unreadable, call.label())));
        }
        for item in page.items {
            self.listed.insert(item.id.into(), item.changed);
        }
        if self.listed.len() > source.config.max_keys {
            let message = format!("the source lists more than {} keys: too many to compare; raise max_keys", source.config.max_keys);
            return Err(Ended::Failed(SourceError::Fatal(message)));
        }
        self.stage = page.token.map_or(Stage::Listed, Stage::Listing);
        Ok(())
    }
}
