//! Lineage: walks over the catalog's edges, in breadth, both ways.

use std::collections::{HashMap, VecDeque};

use lakewright_proto::{admin as pb, CommitSeq, Error, ErrorCode, Layer, RecordAddress, TenantId};
use lakewright_storage::catalog::keyspace::{GoldBuilds, SilverCommits};
use lakewright_storage::catalog::{LineageEdge, LineageNode, Read as _, View};
use tonic::Request;

use super::access::not_found;
use super::convert::time;
use super::service::AdminService;
use crate::auth::Action;

/// The share of a walk's nodes that may be the Silver commits it starts with, from a table: the rest is for their inputs.
const TABLE_COMMITS_SHARE: usize = 10;

struct Walk<'a> {
    view: View<'a>,
    tenant: TenantId,
    down: bool,
    max_depth: u32,
    limit: usize,
    seen: HashMap<LineageNode, u32>,
    answer: pb::WalkLineageResponse,
}

impl AdminService {
    pub(super) async fn walk_lineage_(&self, request: Request<pb::WalkLineageRequest>) -> Result<pb::WalkLineageResponse, Error> {
        let caller = self.caller(&request, &request.get_ref().tenant, Action::ReadLineage)?;
        let r = request.into_inner();
        let tenant = caller.tenant.id;
        let down = r.direction() == pb::LineageDirection::Down;
        let table = match &r.from {
            Some(pb::walk_lineage_request::From::Table(name)) => Some(self.table(tenant, name)?),
            _ => None,
        };
        let mut walk = Walk {
            view: self.services().catalog.view(),
            tenant,
            down,
            max_depth: if r.max_depth == 0 { u32::MAX } else { r.max_depth },
            limit: if r.limit == 0 { 1_000 } else { r.limit.min(100_000) as usize },
            seen: HashMap::new(),
            answer: pb::WalkLineageResponse::default(),
        };
        let mut start = VecDeque::new();
        match r.from {
            Some(pb::walk_lineage_request::From::Table(_)) => {
                let table = table.ok_or_else(|| not_found("the table"))?;
                if table.layer == Layer::Gold {
                    let days = walk.view.scan::<GoldBuilds>(&table.id).map_err(Error::from)?;
                    // The newest day is made of all that the others are made of, and of what came since.
                    start.extend(days.last().map(|((_, date), _)| LineageNode::Gold { table: table.id, date: *date }));
                } else if table.layer != Layer::Silver {
                    return Err(Error::new(
                        ErrorCode::InvalidArgument,
                        "a walk starts at a Gold or Silver table, a Bronze commit or a record",
                    ));
                }
                let most = (walk.limit / TABLE_COMMITS_SHARE).max(1);
                let mut commits = if table.layer == Layer::Gold {
                    Vec::new()
                } else {
                    walk.view.silver_commits(table.id, most + 1).map_err(Error::from)?
                };
                walk.answer.truncated = commits.len() > most;
                commits.truncate(most);
                for (bucket, c) in commits {
                    start.push_back(LineageNode::Silver { table: table.id, bucket, to: c.to, job: c.job });
                }
            }
            Some(pb::walk_lineage_request::From::Commit(seq)) => start.push_back(walk.bronze(CommitSeq(seq))?),
            Some(pb::walk_lineage_request::From::Address(address)) => {
                let address: RecordAddress = address.parse()?;
                let commit = walk.view.commit_of(address).map_err(Error::from)?;
                start.push_back(walk.bronze(commit.seq)?);
            }
            None => return Err(Error::new(ErrorCode::InvalidArgument, "say where to start: a table, a commit or an address")),
        }
        walk.run(start)?;
        Ok(walk.answer)
    }
}

impl Walk<'_> {
    fn bronze(&self, seq: CommitSeq) -> Result<LineageNode, Error> {
        let commit = self.view.bronze_commit(seq).map_err(Error::from)?;
        if commit.tenant_id != self.tenant {
            return Err(not_found(format_args!("commit {seq}")));
        }
        self.view.bronze_node(&commit).map_err(Error::from)
    }

    fn run(&mut self, mut next: VecDeque<LineageNode>) -> Result<(), Error> {
        for node in &next {
            self.add(node, 0)?;
        }
        while let Some(node) = next.pop_front() {
            let depth = self.seen.get(&node).copied().unwrap_or(0);
            if depth >= self.max_depth {
                continue;
            }
            for edge in self.edges(&node)? {
                let other = if self.down { edge.to.clone() } else { edge.from.clone() };
                if !self.seen.contains_key(&other) {
                    if self.seen.len() >= self.limit {
                        self.answer.truncated = true;
                        return Ok(());
                    }
                    self.add(&other, depth + 1)?;
                    next.push_back(other);
                }
                let job = match &edge.to {
                    LineageNode::Silver { job, .. } => job.clone(),
                    LineageNode::Bronze { run, .. } => run.to_string(),
                    LineageNode::Gold { .. } => "mart".to_owned(),
                    LineageNode::Source { .. } => String::new(),
                };
                self.answer.edges.push(pb::LineageEdge { from: id(&edge.from), to: id(&edge.to), job });
            }
        }
        Ok(())
    }

    fn edges(&self, node: &LineageNode) -> Result<Vec<LineageEdge>, Error> {
        let edges = match (node, self.down) {
            (LineageNode::Bronze { commit, .. }, down) => {
                let commit = self.view.bronze_commit(*commit).map_err(Error::from)?;
                if down {
                    self.view.bronze_outputs(&commit)
                } else {
                    self.view.bronze_inputs(&commit)
                }
            }
            (LineageNode::Silver { table, bucket, to, .. }, down) => {
                let key = (*table, *bucket, *to);
                let commit = self.view.get::<SilverCommits>(&key).map_err(Error::from)?.ok_or_else(|| not_found("the Silver commit"))?;
                if down {
                    self.view.silver_outputs(*table, *bucket, &commit)
                } else {
                    self.view.silver_inputs(*table, *bucket, &commit)
                }
            }
            (LineageNode::Gold { table, date }, false) => self.view.gold_inputs(*table, *date),
            _ => Ok(Vec::new()),
        };
        edges.map_err(Error::from)
    }

    fn add(&mut self, node: &LineageNode, depth: u32) -> Result<(), Error> {
        self.seen.insert(node.clone(), depth);
        let mut facts = HashMap::new();
        let mut fact = |key: &str, value: String| {
            facts.insert(key.to_owned(), value);
        };
        let (kind, label, at) = match node {
            LineageNode::Source { connector, stream, shard, from, to } => {
                fact("connector", connector.to_string());
                fact("shard", shard.to_string());
                fact("from", from.as_ref().map_or_else(|| "the beginning".into(), |p| p.0.clone()));
                fact("to", to.as_ref().map(|p| p.0.clone()).unwrap_or_default());
                (pb::LineageNodeKind::Source, format!("source {stream}"), None)
            }
            LineageNode::Bronze { commit, run, files } => {
                let record = self.view.bronze_commit(*commit).map_err(Error::from)?;
                fact("run", run.to_string());
                fact("pack", record.pack);
                fact("files", files.iter().map(|f| f.to_string()).collect::<Vec<_>>().join(","));
                fact("records", record.counts.read.to_string());
                (pb::LineageNodeKind::BronzeCommit, format!("bronze commit {commit} of {}", record.stream), Some(record.committed_at))
            }
            LineageNode::Silver { table, bucket, to, job } => {
                let name = self.view.table(*table).map_err(Error::from)?.name;
                let commit = self.view.get::<SilverCommits>(&(*table, *bucket, *to)).map_err(Error::from)?;
                fact("job", job.clone());
                let at = commit.map(|c| {
                    fact("rows", c.outcomes.total().to_string());
                    c.committed_at
                });
                (pb::LineageNodeKind::SilverCommit, format!("silver.{name} at {to}"), at)
            }
            LineageNode::Gold { table, date } => {
                let name = self.view.table(*table).map_err(Error::from)?.name;
                let build = self.view.get::<GoldBuilds>(&(*table, *date)).map_err(Error::from)?;
                let at = build.map(|b| {
                    fact("rows", b.rows.to_string());
                    fact("snapshot", b.snapshot.to_string());
                    fact("pack", b.pack);
                    b.built_at
                });
                (pb::LineageNodeKind::GoldCommit, format!("gold.{name} of day {date}"), at)
            }
        };
        self.answer.nodes.push(pb::LineageNode { id: id(node), kind: kind as i32, label, depth, facts, at: at.map(time) });
        Ok(())
    }
}

fn id(node: &LineageNode) -> String {
    match node {
        LineageNode::Source { shard, from, to, .. } => {
            let text = |p: &Option<lakewright_proto::SourcePosition>| p.as_ref().map_or(String::new(), |p| p.0.clone());
            let hash = uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_OID, format!("{}\0{}", text(from), text(to)).as_bytes());
            format!("source/{shard}/{hash}")
        }
        LineageNode::Bronze { commit, .. } => format!("bronze/{commit}"),
        LineageNode::Silver { table, bucket, to, .. } => format!("silver/{table}/{bucket}/{to}"),
        LineageNode::Gold { table, date } => format!("gold/{table}/{date}"),
    }
}
