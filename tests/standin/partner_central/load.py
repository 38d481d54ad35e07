"""Opportunities from files: NDJSON of the generator, and recorded bodies of the service."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

from . import entities
from .shapes import Shapes
from .store import Body

_SOURCES = {
    "Marketing": "Marketing Activity",
    "Outbound": "Marketing Activity",
    "Inbound": "Marketing Activity",
    "Event": "Marketing Activity",
}
# Recorded bodies show these against the model; they are the service's, so a record is not refused for them.
_BORNE = ("REQUIRED_FIELD_MISSING", "INVALID_ENUM_VALUE", "is no member")

OWNER = {
    "BusinessTitle": "OpportunityOwner",
    "Email": "alliance.lead@partner.example",
    "FirstName": "Alliance",
    "LastName": "Lead",
    "Phone": None,
}


def api_form(line: Body) -> Body:
    """What the generator writes, as the API would send it; values stay as they are."""
    body = {k: v for k, v in line.items() if k not in ("TenantId", "Version", "_operation")}
    if isinstance(body.get("NationalSecurity"), bool):
        body["NationalSecurity"] = "Yes" if body["NationalSecurity"] else "No"
    marketing = dict(body.get("Marketing") or {})
    marketing["Source"] = _SOURCES.get(marketing.get("Source", ""), "None")
    body["Marketing"] = marketing
    related = dict(body.get("RelatedEntityIdentifiers") or {})
    related.setdefault("AwsMarketplaceOfferSets", [])
    body["RelatedEntityIdentifiers"] = related
    body.setdefault("OpportunityTeam", [dict(OWNER)])
    return body


def servable(shapes: Shapes, body: Body) -> bool:
    """Whether the service could send it: no fault of form, and what it needs to be listed is there."""
    if not all(isinstance(body.get(k), str) for k in ("Id", "LastModifiedDate", "CreatedDate")):
        return False
    account = (body.get("Customer") or {}).get("Account") or {}
    if not account.get("CompanyName"):
        return False
    try:
        date.fromisoformat((body.get("LifeCycle") or {}).get("TargetCloseDate") or "2000-01-01")
    except ValueError:
        return False
    faults = shapes.faults_of_output("GetOpportunity", body)
    return not any(f.code not in _BORNE and not f.message.startswith(_BORNE[2]) for f in faults)


def generated(path: Path, shapes: Shapes) -> tuple[list[tuple[Body, int]], int]:
    """The newest live state of each id in a file, with its version number, and how many lines were refused.

    Applied as a source's records are: a later LastModifiedDate wins, a deletion takes away."""
    rows: dict[tuple[str, str], tuple[str, Body | None, int]] = {}
    refused = 0
    for line in lines(path):
        key = (line.get("Catalog", ""), line.get("Id", ""))
        old = rows.get(key)
        if line.get("_operation") == "delete":
            if old is not None and line["LastModifiedDate"] >= old[0]:
                rows[key] = (line["LastModifiedDate"], None, old[2])
            continue
        body = api_form(line)
        if not servable(shapes, body):
            refused += 1
        elif old is None or body["LastModifiedDate"] > old[0]:
            rows[key] = (body["LastModifiedDate"], body, line.get("Version") or 1)
    return [(body, number) for _, body, number in rows.values() if body is not None], refused


def lines(path: Path) -> Iterator[Body]:
    with path.open("rb") as file:
        for line in file:
            if line.strip():
                yield json.loads(line)


# file -> the entity whose record it is; Lists in the second form give several.
_RECORDED_GETS = {
    "pc_GetOpportunity.json": "opportunity",
    "pc_lead_GetOpportunity_after.json": "opportunity",
    "pc_aws_referral_GetOpportunity_Check_Stage.json": "opportunity",
    "pc_GetAwsOpportunitySummary.json": "aws_opportunity_summary",
    "pc_GetEngagement.json": "engagement",
    "pc_lead_GetEngagement.json": "engagement",
    "pc_GetEngagementInvitation.json": "engagement_invitation",
    "pc_lead_GetEngagementInvitation.json": "engagement_invitation",
}
_RECORDED_LISTS = {
    "pc_ListSolutions.json": ("solution", "SolutionSummaries"),
    "pc_ListEngagementResourceAssociations.json": ("resource_association", "EngagementResourceAssociationSummaries"),
}


def recorded(folder: Path) -> Iterator[tuple[str, Body]]:
    """The recorded bodies that are records of their own, unchanged."""
    for name, entity in _RECORDED_GETS.items():
        yield entity, _read(folder / name)
    for name, (entity, member) in _RECORDED_LISTS.items():
        for body in _read(folder / name)[member]:
            yield entity, body


def place(entity: str, body: Body) -> tuple[str, str]:
    """Catalog and id of a recorded body."""
    return entities.catalog(body), entities.identifier(entity, body)


def _read(path: Path) -> Any:
    return json.loads(path.read_text())
