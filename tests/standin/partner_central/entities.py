"""The kinds of records: what each is sorted and filtered by, and what its List tells."""
from __future__ import annotations

from typing import Any

from . import opportunity_body
from .oddities import Oddities
from .store import Body, Entity


def all_of(odd: Oddities) -> list[Entity]:
    return [
        Entity("opportunity", opportunity_body.keys, lambda body: opportunity_body.brief(body, odd)),
        Entity("aws_opportunity_summary", _none, _same),
    ]


def _none(_: Body) -> dict[str, Any]:
    return {}


def _same(body: Body) -> Body:
    return body


def identifier(entity: str, body: Body) -> str:
    """The id that a record is kept under."""
    if entity == "aws_opportunity_summary":
        return body["RelatedOpportunityId"]
    if entity == "resource_association":
        return f"{body['EngagementId']}/{body['ResourceId']}"
    return body["Id"]
