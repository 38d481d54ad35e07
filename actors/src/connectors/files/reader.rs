//! The shard reader: runs the engine's steps on the blocking pool.

use std::time::Duration;

use async_trait::async_trait;
use lakewright_proto::SourcePosition;

use super::engine::{Engine, Step};
use crate::connectors::{Fetch, ShardReader, SourceError};

/// Reads the files of one shard.
pub struct FilesReader {
    engine: Option<Box<Engine>>,
    poll: Duration,
}

impl FilesReader {
    /// Over an engine; `poll`: how long an idle shard waits.
    pub fn new(engine: Engine, poll: Duration) -> Self {
        Self { engine: Some(Box::new(engine)), poll }
    }
}

#[async_trait]
impl ShardReader for FilesReader {
    async fn next(&mut self, max_bytes: usize) -> Result<Fetch, SourceError> {
        loop {
            // A call that was cancelled took the engine with it.
            let Some(mut engine) = self.engine.take() else {
                return Err(SourceError::Retry {
                    message: "the reader was interrupted; open it again from the last position".to_owned(),
                    after: None,
                });
            };
            let stepped = tokio::task::spawn_blocking(move || {
                let step = engine.step(max_bytes);
                (engine, step)
            });
            let (engine, step) = stepped.await.map_err(|e| SourceError::Retry {
                message: format!("reading files failed inside ({e}); open the reader again"),
                after: None,
            })?;
            self.engine = Some(engine);
            match step? {
                Step::Batch(b) => return Ok(Fetch::Batch(*b)),
                Step::Progress(p, notices) => return Ok(Fetch::Progress(p, notices)),
                Step::Wait(d) => tokio::time::sleep(d).await,
                Step::Idle => return Ok(Fetch::Idle(self.poll)),
            }
        }
    }

    async fn acknowledge(&mut self, _position: &SourcePosition) -> Result<(), SourceError> {
        Ok(())
    }
}
