"""The operations that are there, by name."""

from __future__ import annotations

from collections.abc import Callable

from . import cosell, cosell_tasks, opportunities, writes
from .store import Body
from .world import World

OPERATIONS: dict[str, Callable[[World, Body], bytes]] = {
    "ListOpportunities": opportunities.list_opportunities,
    "GetOpportunity": opportunities.get_opportunity,
    "GetAwsOpportunitySummary": opportunities.get_aws_opportunity_summary,
    "CreateOpportunity": writes.create_opportunity,
    "UpdateOpportunity": writes.update_opportunity,
    "ListSolutions": cosell.list_solutions,
    "ListEngagements": cosell.list_engagements,
    "GetEngagement": cosell.get_engagement,
    "ListEngagementMembers": cosell.list_engagement_members,
    "ListEngagementInvitations": cosell.list_engagement_invitations,
    "GetEngagementInvitation": cosell.get_engagement_invitation,
    "ListEngagementResourceAssociations": cosell.list_engagement_resource_associations,
    **{operation: cosell_tasks.lister(entity) for entity, (operation, _) in cosell_tasks.TASKS.items()},
}
