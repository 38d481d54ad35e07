"""ListOpportunities, GetOpportunity and GetAwsOpportunitySummary."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from . import timestamps
from .errors import invalid
from .lists import answer_list
from .store import Body
from .world import World

_RANGES: dict[str, Callable[[str], Any]] = {"LastModifiedDate": timestamps.parse, "CreatedDate": timestamps.parse, "TargetCloseDate": str}
_CHOICES = {
    "LifeCycleStage": "Stage",
    "LifeCycleReviewStatus": "ReviewStatus",
    "CustomerCompanyName": "CustomerCompanyName",
    "Identifier": "Identifier",
}


def list_opportunities(world: World, request: Body) -> bytes:
    sort = request.get("Sort") or {"SortBy": "LastModifiedDate", "SortOrder": "DESCENDING"}
    ranges: dict[str, tuple[Any, Any]] = {}
    for name, read in _RANGES.items():
        given = request.get(name) or {}
        low, high = given.get("After" + name), given.get("Before" + name)
        ranges[name] = (None if low is None else read(low), None if high is None else read(high))
        if low is not None and high is not None and ranges[name][0] > ranges[name][1]:
            raise invalid(name, f"After{name} must not be later than Before{name}")
    choices = {key: frozenset(request[name]) for name, key in _CHOICES.items() if request.get(name)}
    low, high = ranges.pop(sort["SortBy"], (None, None))
    return answer_list(
        world, "ListOpportunities", request, "opportunity", "OpportunitySummaries", sort, _accept(ranges, choices), low, high
    )


def _accept(ranges: dict[str, tuple[Any, Any]], choices: dict[str, frozenset[str]]) -> Callable[[dict[str, Any]], bool]:
    """Both ends of a range belong to it: the documents say "on or after"."""
    bounds = [(name, low, high) for name, (low, high) in ranges.items() if low is not None or high is not None]

    def accept(keys: dict[str, Any]) -> bool:
        for name, low, high in bounds:
            if (low is not None and keys[name] < low) or (high is not None and keys[name] > high):
                return False
        return all(keys[name] in wanted for name, wanted in choices.items())

    return accept


def get_opportunity(world: World, request: Body) -> bytes:
    return world.get("opportunity", request["Catalog"], request["Identifier"], "Opportunity")


def get_aws_opportunity_summary(world: World, request: Body) -> bytes:
    return world.get("aws_opportunity_summary", request["Catalog"], request["RelatedOpportunityIdentifier"], "Opportunity")
