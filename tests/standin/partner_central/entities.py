"""The kinds of records: what each is sorted and filtered by, what its List tells, and the id it is kept under."""

from __future__ import annotations

from typing import Any

from . import cosell_body, opportunity_body
from .oddities import Oddities
from .store import Body, Entity
from .timestamps import parse

TASKS = ("engagement_by_accepting_invitation_task", "engagement_from_opportunity_task", "opportunity_from_engagement_task")


def all_of(odd: Oddities, account: str) -> list[Entity]:
    return [
        Entity("opportunity", opportunity_body.keys, lambda body: opportunity_body.brief(body, odd)),
        Entity("aws_opportunity_summary", lambda body: {}, _same),
        Entity("solution", _solution_keys, _same),
        Entity("engagement", cosell_body.engagement_keys, lambda body: cosell_body.engagement_brief(body, odd)),
        Entity(
            "engagement_invitation",
            lambda body: cosell_body.invitation_keys(body, account),
            lambda body: cosell_body.invitation_brief(body, account),
        ),
        Entity("resource_association", _association_keys, _same),
        *(Entity(name, _task_keys, _same) for name in TASKS),
    ]


def _same(body: Body) -> Body:
    return body


def _solution_keys(body: Body) -> dict[str, Any]:
    return {
        "Identifier": body["Id"],
        "Name": body["Name"],
        "Status": body["Status"],
        "Category": body.get("Category") or "",
        "CreatedDate": parse(body["CreatedDate"]),
        "AwsMarketplaceSolutionArn": body.get("AwsMarketplaceSolutionArn"),
    }


def _association_keys(body: Body) -> dict[str, Any]:
    return {
        "Id": identifier("resource_association", body),
        "EngagementIdentifier": body["EngagementId"],
        "ResourceType": body["ResourceType"],
        "ResourceIdentifier": body["ResourceId"],
        "CreatedBy": body.get("CreatedBy") or body.get("ResourceOwner"),
    }


def _task_keys(body: Body) -> dict[str, Any]:
    """Whatever ids it has; those that it lacks match no filter."""
    ids = ("TaskId", "TaskStatus", "OpportunityId", "EngagementId", "EngagementInvitationId", "ContextId")
    return {"StartTime": parse(body["StartTime"]), **{name: body.get(name) for name in ids}}


def identifier(entity: str, body: Body) -> str:
    if entity == "aws_opportunity_summary":
        return str(body["RelatedOpportunityId"])
    if "TaskId" in body:
        return str(body["TaskId"])
    if entity == "resource_association":
        return f"{body['EngagementId']}/{body['ResourceId']}"
    return str(body["Id"])


def catalog(body: Body) -> str:
    """The bodies of engagements and tasks name their catalog in the ARN alone."""
    return str(body.get("Catalog") or (body.get("Arn") or body.get("TaskArn") or "catalog/AWS/").split("catalog/", 1)[1].split("/", 1)[0])
