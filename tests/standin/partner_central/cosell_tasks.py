"""Tasks that engagements and opportunities come from: what each made, and the operations that list them."""

from __future__ import annotations

from collections.abc import Callable

from . import timestamps
from .cosell import one_of
from .lists import answer_list
from .store import Body
from .world import World

ACCEPT = "engagement_by_accepting_invitation_task"
FROM_OPPORTUNITY = "engagement_from_opportunity_task"
FROM_ENGAGEMENT = "opportunity_from_engagement_task"

# entity -> (operation, request member -> key)
_COMMON = {"TaskStatus": "TaskStatus", "TaskIdentifier": "TaskId", "OpportunityIdentifier": "OpportunityId"}
TASKS: dict[str, tuple[str, dict[str, str]]] = {
    ACCEPT: (
        "ListEngagementByAcceptingInvitationTasks",
        {**_COMMON, "EngagementInvitationIdentifier": "EngagementInvitationId"},
    ),
    FROM_OPPORTUNITY: ("ListEngagementFromOpportunityTasks", {**_COMMON, "EngagementIdentifier": "EngagementId"}),
    FROM_ENGAGEMENT: (
        "ListOpportunityFromEngagementTasks",
        {**_COMMON, "EngagementIdentifier": "EngagementId", "ContextIdentifier": "ContextId"},
    ),
}


def done(world: World, entity: str, at: int, **ids: str) -> None:
    """A task that ended well; before some of them one that did not, which made nothing."""
    if world.random.random() < 0.1:
        _put(world, entity, at - timestamps.NS, "FAILED", {k: v for k, v in ids.items() if not k.startswith("Opportunity")})
    _put(world, entity, at, "COMPLETE", {**ids, "ResourceSnapshotJobId": world.name("job-", 13)})


def _put(world: World, entity: str, at: int, status: str, ids: dict[str, str]) -> None:
    task = world.name("task-", 13)
    body: Body = {
        "Message": None if status == "COMPLETE" else "The request was throttled.",
        "ReasonCode": None if status == "COMPLETE" else "RequestThrottled",
        "StartTime": timestamps.nanos(at),
        "TaskArn": f"arn:aws:partnercentral:us-east-1:{world.account}:catalog/AWS/{entity.replace('_', '-')}/{task}",
        "TaskId": task,
        "TaskStatus": status,
        **ids,
    }
    world.put(entity, body, at, lag=False)


def lister(entity: str) -> Callable[[World, Body], bytes]:
    operation, members = TASKS[entity]

    def list_tasks(world: World, request: Body) -> bytes:
        sort = request.get("Sort") or {"SortBy": "StartTime", "SortOrder": "DESCENDING"}
        return answer_list(world, operation, request, entity, "TaskSummaries", sort, one_of(request, members))

    return list_tasks
