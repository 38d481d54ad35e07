"""The wire forms of engagements and invitations: summaries, sort and filter keys."""

from __future__ import annotations

from typing import Any

from . import timestamps
from .oddities import Oddities
from .store import Body

_INVITATION_BRIEF = (
    "Arn",
    "Catalog",
    "EngagementId",
    "EngagementTitle",
    "ExpirationDate",
    "Id",
    "InvitationDate",
    "PayloadType",
    "Receiver",
    "SenderAwsAccountId",
    "SenderCompanyName",
    "Status",
)


def engagement_keys(body: Body) -> dict[str, Any]:
    return {
        "CreatedDate": timestamps.parse(body["CreatedAt"]),
        "CreatedBy": body.get("CreatedBy"),
        "ContextTypes": frozenset(context["Type"] for context in body.get("Contexts") or []),
        "EngagementIdentifier": body["Id"],
    }


def engagement_brief(body: Body, odd: Oddities) -> Body:
    cut = timestamps.hundredths if odd["engagement-precision"] else (lambda text: text)
    out = {k: body.get(k) for k in ("Arn", "CreatedAt", "CreatedBy", "Id", "MemberCount", "Title")}
    out["CreatedAt"] = cut(body["CreatedAt"])
    out["ContextTypes"] = sorted({context["Type"] for context in body.get("Contexts") or []})
    if body.get("ModifiedAt"):
        out["ModifiedAt"], out["ModifiedBy"] = cut(body["ModifiedAt"]), body["ModifiedBy"]
    return out


def participant(body: Body, account: str) -> str:
    return "SENDER" if body.get("SenderAwsAccountId") == account else "RECEIVER"


def invitation_keys(body: Body, account: str) -> dict[str, Any]:
    expires = body.get("ExpirationDate")
    return {
        "InvitationDate": timestamps.parse(body["InvitationDate"]),
        "ParticipantType": participant(body, account),
        "PayloadType": body.get("PayloadType"),
        "Status": body.get("Status"),
        "EngagementIdentifier": body.get("EngagementId"),
        "SenderAwsAccountId": body.get("SenderAwsAccountId"),
        "Expires": timestamps.parse(expires) if expires else None,
    }


def invitation_brief(body: Body, account: str) -> Body:
    """Recorded summaries without an engagement do not say which side the caller is on; the others do."""
    out = {k: body[k] for k in _INVITATION_BRIEF if k in body}
    if body.get("EngagementId"):
        out["ParticipantType"] = participant(body, account)
    return out
