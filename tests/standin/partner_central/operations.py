"""The operations that are there, by name."""
from __future__ import annotations

from collections.abc import Callable

from . import opportunities
from .store import Body
from .world import World

OPERATIONS: dict[str, Callable[[World, Body], bytes]] = {
    "ListOpportunities": opportunities.list_opportunities,
    "GetOpportunity": opportunities.get_opportunity,
    "GetAwsOpportunitySummary": opportunities.get_aws_opportunity_summary,
}
