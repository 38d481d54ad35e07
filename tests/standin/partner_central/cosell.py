"""Operations on engagements, invitations, resource associations and solutions."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from .lists import answer_list
from .store import Body, dumps
from .world import World

_NEWEST = {"SortBy": "CreatedDate", "SortOrder": "DESCENDING"}


def _bare(identifier: str) -> str:
    """An ARN may stand for the id that ends it."""
    return identifier.rsplit("/", 1)[-1] if identifier.startswith("arn:") else identifier


def one_of(request: Body, names: dict[str, str]) -> Callable[[dict[str, Any]], bool]:
    """request member -> key: a record passes if its key is among the values of each member given."""
    wanted = []
    for name, key in names.items():
        given = request.get(name)
        if given:
            wanted.append((key, frozenset(_bare(v) for v in (given if isinstance(given, list) else [given]))))
    return lambda keys: all(keys[key] in values for key, values in wanted)


def list_engagements(world: World, request: Body) -> bytes:
    basic = one_of(request, {"CreatedBy": "CreatedBy", "EngagementIdentifier": "EngagementIdentifier"})
    barred, types = frozenset(request.get("ExcludeCreatedBy") or ()), frozenset(request.get("ContextTypes") or ())
    without = frozenset(request.get("ExcludeContextTypes") or ())

    def accept(keys: dict[str, Any]) -> bool:
        has = keys["ContextTypes"]
        return basic(keys) and keys["CreatedBy"] not in barred and (not types or bool(types & has)) and not without & has

    return answer_list(world, "ListEngagements", request, "engagement", "EngagementSummaryList", request.get("Sort") or _NEWEST, accept)


def get_engagement(world: World, request: Body) -> bytes:
    return world.get("engagement", request["Catalog"], _bare(request["Identifier"]), "Engagement")


def list_engagement_members(world: World, request: Body) -> bytes:
    """Derived: who made it, the account itself, then others up to the count."""
    body = json.loads(world.get("engagement", request["Catalog"], _bare(request["Identifier"]), "Engagement"))
    accounts = [body.get("CreatedBy") or "aws"]
    accounts += [a for a in (world.account, "aws", "222222222222", "333333333333") if a not in accounts]
    members = [
        {"AccountId": a, "CompanyName": "AWS" if a == "aws" else "An AWS Partner Company", "WebsiteUrl": "http://www.test.com/"}
        for a in accounts[: body.get("MemberCount") or 1]
    ]
    return dumps({"EngagementMemberList": members, "NextToken": None})


def list_engagement_invitations(world: World, request: Body) -> bytes:
    accept = one_of(
        request,
        {
            "ParticipantType": "ParticipantType",
            "PayloadType": "PayloadType",
            "Status": "Status",
            "EngagementIdentifier": "EngagementIdentifier",
            "SenderAwsAccountId": "SenderAwsAccountId",
        },
    )
    sort = request.get("Sort") or {"SortBy": "InvitationDate", "SortOrder": "DESCENDING"}
    return answer_list(world, "ListEngagementInvitations", request, "engagement_invitation", "EngagementInvitationSummaries", sort, accept)


def get_engagement_invitation(world: World, request: Body) -> bytes:
    return world.get("engagement_invitation", request["Catalog"], _bare(request["Identifier"]), "Engagement invitation")


def list_engagement_resource_associations(world: World, request: Body) -> bytes:
    accept = one_of(request, {name: name for name in ("EngagementIdentifier", "ResourceType", "ResourceIdentifier", "CreatedBy")})
    sort = {"SortBy": "Id", "SortOrder": "ASCENDING"}
    return answer_list(
        world, "ListEngagementResourceAssociations", request, "resource_association", "EngagementResourceAssociationSummaries", sort, accept
    )


def list_solutions(world: World, request: Body) -> bytes:
    accept = one_of({**request, "AwsMarketplaceSolutionArn": None}, {n: n for n in ("Status", "Identifier", "Category")})
    arns = frozenset(request.get("AwsMarketplaceSolutionArn") or ())
    sort = request.get("Sort") or {"SortBy": "Identifier", "SortOrder": "ASCENDING"}
    return answer_list(
        world,
        "ListSolutions",
        request,
        "solution",
        "SolutionSummaries",
        sort,
        lambda keys: accept(keys) and (not arns or keys["AwsMarketplaceSolutionArn"] in arns),
    )
