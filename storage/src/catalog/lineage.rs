//! Lineage: edges join commits to commit ranges. They are the commit records themselves, so no
//! edge can dangle: a commit and its edge are written in one command.

use lakewright_proto::{CommitSeq, ConnectorId, FileId, RunId, ShardId, SourcePosition, TableId};
use serde::{Deserialize, Serialize};

use super::keyspace::*;
use super::records::*;
use super::view::{Read, View};
use crate::error::Result;

/// A point of the lineage graph.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LineageNode {
    /// A stretch of a source.
    Source {
        /// The connector.
        connector: ConnectorId,
        /// The stream.
        stream: String,
        /// The shard.
        shard: ShardId,
        /// The position before; none: the beginning.
        from: Option<SourcePosition>,
        /// The position after.
        to: Option<SourcePosition>,
    },
    /// A Bronze commit.
    Bronze {
        /// Its number.
        commit: CommitSeq,
        /// Its run.
        run: RunId,
        /// The files that hold its records now.
        files: Vec<FileId>,
    },
    /// A Silver commit.
    Silver {
        /// The table.
        table: TableId,
        /// The bucket.
        bucket: u32,
        /// The watermark it reached.
        to: CommitSeq,
        /// The transform job.
        job: String,
    },
    /// The rows of a mart for one day.
    Gold {
        /// The table.
        table: TableId,
        /// The day, in days since 1970.
        date: u32,
    },
}

/// What was made of what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LineageEdge {
    /// The input.
    pub from: LineageNode,
    /// The output.
    pub to: LineageNode,
}

impl View<'_> {
    /// The newest Silver commits of a table, at most `limit`, newest first.
    pub fn silver_commits(&self, table: TableId, limit: usize) -> Result<Vec<(u32, SilverCommit)>> {
        let mut all = Vec::new();
        for bucket in 0..self.table(table)?.buckets {
            let mut to = CommitSeq(u64::MAX);
            while all.len() < limit.saturating_mul(bucket as usize + 1) {
                let Some(((.., at), commit)) = self.previous::<SilverCommits>(&(table, bucket), &(table, bucket, to))? else { break };
                all.push((bucket, commit));
                let Some(before) = at.0.checked_sub(1) else { break };
                to = CommitSeq(before);
            }
        }
        all.sort_by_key(|(_, c)| std::cmp::Reverse(c.to));
        all.truncate(limit);
        Ok(all)
    }

    /// The edges into a Silver commit: one from each Bronze commit it consumed.
    pub fn silver_inputs(&self, table: TableId, bucket: u32, commit: &SilverCommit) -> Result<Vec<LineageEdge>> {
        let to = LineageNode::Silver { table, bucket, to: commit.to, job: commit.job.clone() };
        let mut edges = Vec::new();
        let mut from = CommitSeq(commit.from.0 + 1);
        while let Some((seq, bronze)) = self.next_commit(from)? {
            if seq > commit.to {
                break;
            }
            if bronze.feeds.contains(&table) {
                edges.push(LineageEdge { from: self.bronze_node(&bronze)?, to: to.clone() });
            }
            from = CommitSeq(seq.0 + 1);
        }
        Ok(edges)
    }

    /// A Bronze commit as a point of the graph, with the files that hold its records now.
    pub fn bronze_node(&self, commit: &BronzeCommit) -> Result<LineageNode> {
        Ok(LineageNode::Bronze { commit: commit.seq, run: commit.run, files: self.commit_files(commit)? })
    }

    fn next_commit(&self, from: CommitSeq) -> Result<Option<(CommitSeq, BronzeCommit)>> {
        self.next::<BronzeCommits>(&EmptyPrefix, &from)
    }

    /// The edge from the source into a Bronze commit (for a replay: from the commits it checked again).
    pub fn bronze_inputs(&self, commit: &BronzeCommit) -> Result<Vec<LineageEdge>> {
        let to = self.bronze_node(commit)?;
        match &commit.source {
            BronzeSource::Read { previous, position, .. } => {
                let from = LineageNode::Source {
                    connector: commit.connector_id,
                    stream: commit.stream.clone(),
                    shard: commit.shard,
                    from: previous.clone(),
                    to: Some(position.clone()),
                };
                Ok(vec![LineageEdge { from, to }])
            }
            BronzeSource::Replay { offsets } => {
                let mut edges = Vec::new();
                let mut covered = 0;
                for offset in offsets {
                    if *offset < covered {
                        continue;
                    }
                    let address = lakewright_proto::RecordAddress { shard: commit.shard, offset: *offset };
                    let first = self.commit_of(address)?;
                    if let BronzeSource::Read { first_offset, count, .. } = &first.source {
                        covered = first_offset + count;
                    }
                    edges.push(LineageEdge { from: self.bronze_node(&first)?, to: to.clone() });
                }
                Ok(edges)
            }
        }
    }

    /// The edges out of a Bronze commit: into the Silver commit of each table it feeds.
    /// A table that has not consumed it yet has none.
    pub fn bronze_outputs(&self, commit: &BronzeCommit) -> Result<Vec<LineageEdge>> {
        let mut edges = Vec::new();
        for table in &commit.feeds {
            for bucket in 0..self.table(*table)?.buckets {
                let key = (*table, bucket, commit.seq);
                if let Some((_, silver)) = self.next::<SilverCommits>(&(*table, bucket), &key)? {
                    if silver.from < commit.seq {
                        let to = LineageNode::Silver { table: *table, bucket, to: silver.to, job: silver.job };
                        edges.push(LineageEdge { from: self.bronze_node(commit)?, to });
                    }
                }
            }
        }
        Ok(edges)
    }
}

impl View<'_> {
    /// The edges into a day's rows of a mart: from the Silver commits since the day before it was built for.
    pub fn gold_inputs(&self, table: TableId, date: u32) -> Result<Vec<LineageEdge>> {
        let Some(build) = self.get::<GoldBuilds>(&(table, date))? else { return Ok(Vec::new()) };
        let before = match date.checked_sub(1) {
            Some(day) => self.previous::<GoldBuilds>(&table, &(table, day))?.map(|(_, b)| b),
            None => None,
        };
        let to = LineageNode::Gold { table, date };
        let mut edges = Vec::new();
        for input in &build.inputs {
            let from = before.iter().flat_map(|b| &b.inputs).find(|i| i.table == input.table).map_or(CommitSeq(0), |i| i.watermark);
            for bucket in 0..self.table(input.table)?.buckets {
                let last = (input.table, bucket, input.watermark);
                let commits = self.between::<SilverCommits>(&(input.table, bucket, CommitSeq(from.0 + 1)), &last, usize::MAX)?;
                let node = |(_, c): (_, SilverCommit)| LineageNode::Silver { table: input.table, bucket, to: c.to, job: c.job };
                edges.extend(commits.into_iter().map(|pair| LineageEdge { from: node(pair), to: to.clone() }));
            }
        }
        Ok(edges)
    }

    /// The edges out of a Silver commit: into the first day of each mart that has it.
    pub fn silver_outputs(&self, table: TableId, bucket: u32, commit: &SilverCommit) -> Result<Vec<LineageEdge>> {
        let from = LineageNode::Silver { table, bucket, to: commit.to, job: commit.job.clone() };
        let mut edges = Vec::new();
        for gold in self.tables(self.table(table)?.tenant_id)?.into_iter().filter(|t| t.layer == lakewright_proto::Layer::Gold) {
            let has = |b: &GoldBuild| b.inputs.iter().any(|i| i.table == table && i.watermark >= commit.to);
            if let Some(((_, date), _)) = self.scan::<GoldBuilds>(&gold.id)?.into_iter().find(|(_, b)| has(b)) {
                edges.push(LineageEdge { from: from.clone(), to: LineageNode::Gold { table: gold.id, date } });
            }
        }
        Ok(edges)
    }
}

/// The whole of a space, as a prefix.
struct EmptyPrefix;

impl super::codec::KeyPart for EmptyPrefix {
    fn put(&self, _: &mut Vec<u8>) {}
    fn take(_: &mut &[u8]) -> Option<Self> {
        Some(Self)
    }
}
