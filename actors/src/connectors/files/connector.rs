//! The connector kind `files`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use lakewright_proto::{Error, ErrorCode, SourcePosition, TenantId};
use lakewright_storage::catalog::records::RunScope;
use serde_json::Value;

use super::config::FilesConfig;
use super::engine::Engine;
use super::listing::{Found, Listing};
use super::position::Position;
use super::reader::FilesReader;
use crate::connectors::reach::SourceReach;
use crate::connectors::{Connector, ConnectorKind, OpenShard, ShardReader, SourceError, SourceHost, SourceShard, StreamInfo, StreamPlan};

/// The kind.
pub struct FilesKind;

#[async_trait]
impl ConnectorKind for FilesKind {
    fn name(&self) -> &'static str {
        "files"
    }

    fn check(&self, config: &Value) -> Vec<String> {
        FilesConfig::parse(config).err().unwrap_or_default()
    }

    fn out_of_reach(&self, config: &Value, _: TenantId, reach: &SourceReach) -> Vec<String> {
        FilesConfig::parse(config).map_or_else(|faults| faults, |c| c.out_of_reach(reach))
    }

    fn secret_keys(&self) -> &'static [&'static str] {
        &["secret_access_key"]
    }

    fn build(&self, config: &Value, _: Arc<dyn SourceHost>) -> Result<Box<dyn Connector>, Error> {
        let config =
            FilesConfig::parse(config).map_err(|faults| Error::new(ErrorCode::InvalidArgument, format!("files: {}", faults.join("; "))))?;
        Ok(Box::new(FilesConnector { config: Arc::new(config) }))
    }
}

struct FilesConnector {
    config: Arc<FilesConfig>,
}

impl FilesConnector {
    async fn list(&self) -> Result<Vec<Found>, SourceError> {
        let listing = Listing::open(&self.config)?;
        tokio::task::spawn_blocking(move || listing.list())
            .await
            .map_err(|e| SourceError::Retry { message: format!("listing {} failed inside: {e}", self.config.url), after: None })?
    }
}

#[async_trait]
impl Connector for FilesConnector {
    async fn test(&self) -> Result<String, SourceError> {
        let found = self.list().await?;
        let bytes: u64 = found.iter().map(|f| f.size).sum();
        let place = if self.config.is_local() { "directory" } else { "prefix" };
        if found.is_empty() {
            return Ok(format!("{place} {} can be listed; no file in it matches {}", self.config.url, self.config.file_pattern()));
        }
        Ok(format!("{place} {} has {} files that match {}, {bytes} bytes", self.config.url, found.len(), self.config.file_pattern()))
    }

    async fn discover(&self) -> Result<Vec<StreamInfo>, SourceError> {
        let mut streams: BTreeMap<String, (u64, u64)> = BTreeMap::new();
        for f in self.list().await? {
            let s = streams.entry(self.config.stream_of(&f.name)).or_default();
            *s = (s.0 + 1, s.1 + f.size);
        }
        if streams.is_empty() && self.config.stream_by.is_none() {
            streams.insert(self.config.stream.clone(), (0, 0));
        }
        let info = |(name, (files, bytes)): (String, (u64, u64))| StreamInfo {
            description: format!("{files} files, {bytes} bytes, under {}", self.config.url),
            // How many records that is cannot be told without reading.
            estimate: None,
            name,
        };
        Ok(streams.into_iter().map(info).collect())
    }

    async fn shards(&self, _stream: &str, scope: RunScope) -> Result<Vec<SourceShard>, SourceError> {
        if scope == RunScope::Backfill {
            return Err(SourceError::Fatal(
                "files have no quota to spare, so a backfill is a full run: `lakewright run start ... --full`".into(),
            ));
        }
        let n = self.config.shards;
        let key = |i: u32| if n == 1 { "0".to_owned() } else { format!("{i}/{n}") };
        Ok((0..n).map(|i| SourceShard { key: key(i), parents: Vec::new() }).collect())
    }

    async fn open(&self, open: OpenShard) -> Result<Box<dyn ShardReader>, SourceError> {
        let (stream, shard, position) = (open.stream.as_str(), &open.shard, open.position.as_ref());
        let unknown = || SourceError::Fatal(format!("stream {stream} has no shard {:?}; it has {} shards", shard.key, self.config.shards));
        let place = match shard.key.split_once('/') {
            None if shard.key == "0" => (0, 1),
            Some((i, n)) => (i.parse().map_err(|_| unknown())?, n.parse().map_err(|_| unknown())?),
            None => return Err(unknown()),
        };
        if place.1 != self.config.shards || place.0 >= place.1 {
            return Err(unknown());
        }
        let listing = Listing::open(&self.config)?;
        let engine = Engine::new(listing, self.config.clone(), stream, place, Position::decode(position)?);
        Ok(Box::new(FilesReader::new(engine, Duration::from_millis(self.config.poll_ms))))
    }

    async fn plan(&self, stream: &str, _: Option<&SourcePosition>, _: RunScope) -> Result<StreamPlan, SourceError> {
        let found: Vec<Found> = self.list().await?.into_iter().filter(|f| self.config.stream_of(&f.name) == stream).collect();
        let bytes: u64 = found.iter().map(|f| f.size).sum();
        let detail = format!("{} files, {bytes} bytes; a run reads those that are new or have grown since the last one", found.len());
        Ok(StreamPlan { stream: stream.to_owned(), detail, ..StreamPlan::default() })
    }
}
