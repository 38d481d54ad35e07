//! What Raft says of itself, for the admin API.

use lakewright_proto::admin as pb;
use openraft::ServerState;

use super::types::Raft;

/// A handle that only looks.
#[derive(Clone)]
pub struct RaftStatus(Raft);

impl RaftStatus {
    /// Looks at this Raft.
    pub fn new(raft: Raft) -> Self {
        Self(raft)
    }

    /// Where it stands now.
    pub fn state(&self) -> pb::RaftState {
        let m = self.0.metrics().borrow().clone();
        let role = match m.state {
            ServerState::Leader => pb::RaftRole::Leader,
            ServerState::Follower => pb::RaftRole::Follower,
            ServerState::Candidate => pb::RaftRole::Candidate,
            _ => pb::RaftRole::Learner,
        };
        let index = |id: Option<super::types::LogId>| id.map_or(0, |id| id.index);
        pb::RaftState {
            role: role as i32,
            term: m.current_term,
            leader: m.current_leader.unwrap_or(0),
            last_log: m.last_log_index.unwrap_or(0),
            last_applied: index(m.last_applied),
            last_snapshot: index(m.snapshot),
            last_purged: index(m.purged),
            voters: m.membership_config.voter_ids().collect(),
        }
    }
}
