//! The streams of Partner Central.

use crate::connectors::StreamInfo;

/// A stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stream {
    /// Opportunities, as the partner sees them.
    Opportunity,
    /// AWS's side of opportunities.
    AwsSummary,
    /// Solutions.
    Solution,
    /// Engagements; those with a context of type Lead are leads.
    Engagement,
    /// Invitations to engagements, sent and received.
    Invitation,
    /// Which opportunity belongs to which engagement.
    Association,
}

impl Stream {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::Opportunity, Self::AwsSummary, Self::Solution, Self::Engagement, Self::Invitation, Self::Association];

    /// The stream of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.name() == name)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Opportunity => "opportunity",
            Self::AwsSummary => "aws_opportunity_summary",
            Self::Solution => "solution",
            Self::Engagement => "engagement",
            Self::Invitation => "engagement_invitation",
            Self::Association => "resource_association",
        }
    }

    /// The member of a body, and of a list's item, that names the record.
    pub fn id_field(self) -> &'static str {
        match self {
            Self::AwsSummary => "RelatedOpportunityId",
            Self::Association => "ResourceId",
            _ => "Id",
        }
    }

    /// Whether only a list of everything tells what changed.
    pub fn is_listed_whole(self) -> bool {
        !matches!(self, Self::Opportunity | Self::AwsSummary)
    }

    /// What people should know of it.
    pub fn info(self) -> StreamInfo {
        let description = match self {
            Self::Opportunity => "opportunities: those modified since the last run, each with a Get",
            Self::AwsSummary => "AWS's side of opportunities that were modified since the last run, each with a Get",
            Self::Solution => "solutions: the whole list, what changed is kept",
            Self::Engagement => "engagements and leads: the whole list, a Get for each that was modified",
            Self::Invitation => "invitations sent and received in the last 17 days, each with a Get",
            Self::Association => "which opportunities belong to which engagements: the whole list",
        };
        StreamInfo { name: self.name().to_owned(), description: description.to_owned(), estimate: None }
    }
}
