"""The wire form of an opportunity: every member that recorded bodies have, and the summary that a List makes of it."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Any

from . import timestamps
from .oddities import Oddities
from .store import Body

_ADDRESS = {"City": None, "CountryCode": None, "PostalCode": None, "StateOrRegion": None}
_LIFECYCLE = {
    "ClosedLostReason": None,
    "NextSteps": None,
    "ReviewComments": None,
    "ReviewStatus": None,
    "ReviewStatusReason": None,
    "Stage": None,
    "TargetCloseDate": None,
}
_PERSON = {"BusinessTitle": None, "Email": None, "FirstName": None, "LastName": None, "Phone": None}
_SPEND = {"Amount": None, "CurrencyCode": None, "EstimationUrl": None, "Frequency": None, "TargetCompany": None}

# As recorded GetOpportunity bodies have it; a dict stands for a structure, a list of one dict for its items.
FULL: Body = {
    "Arn": None,
    "Catalog": None,
    "CreatedDate": None,
    "Customer": {
        "Account": {
            "Address": {**_ADDRESS, "StreetAddress": None},
            "AwsAccountId": None,
            "CompanyName": None,
            "Duns": None,
            "Industry": None,
            "OtherIndustry": None,
            "WebsiteUrl": None,
        },
        "Contacts": [_PERSON],
    },
    "Id": None,
    "LastModifiedDate": None,
    "LifeCycle": {**_LIFECYCLE, "NextStepsHistory": None},
    "Marketing": {"AwsFundingUsed": None, "CampaignName": None, "Channels": None, "Source": None, "UseCases": None},
    "NationalSecurity": None,
    "OpportunityTeam": [_PERSON],
    "OpportunityType": None,
    "PartnerOpportunityIdentifier": None,
    "PrimaryNeedsFromAws": None,
    "Project": {
        "AdditionalComments": None,
        "ApnPrograms": None,
        "AwsPartition": None,
        "CompetitorName": None,
        "CustomerBusinessProblem": None,
        "CustomerUseCase": None,
        "DeliveryModels": None,
        "ExpectedCustomerSpend": [_SPEND],
        "OtherCompetitorNames": None,
        "OtherSolutionDescription": None,
        "RelatedOpportunityIdentifier": None,
        "SalesActivities": None,
        "Title": None,
    },
    "RelatedEntityIdentifiers": {"AwsMarketplaceOfferSets": None, "AwsMarketplaceOffers": None, "AwsProducts": None, "Solutions": None},
    "SoftwareRevenue": None,
}
_BRIEF: Body = {
    "Arn": None,
    "Catalog": None,
    "CreatedDate": None,
    "Customer": {"Account": {"Address": _ADDRESS, "CompanyName": None, "Industry": None, "OtherIndustry": None, "WebsiteUrl": None}},
    "Id": None,
    "LastModifiedDate": None,
    "LifeCycle": _LIFECYCLE,
    "OpportunityType": None,
    "PartnerOpportunityIdentifier": None,
    "Project": {"DeliveryModels": None, "ExpectedCustomerSpend": [_SPEND]},
}


def filled(value: Any, template: Any) -> Any:
    """A body with null for each member of the template that it lacks; its own further members stay."""
    if isinstance(template, dict) and isinstance(value, dict):
        return {**{k: filled(value.get(k), t) for k, t in template.items()}, **{k: v for k, v in value.items() if k not in template}}
    if isinstance(template, list) and isinstance(value, list):
        return [filled(v, template[0]) for v in value]
    return value


def stripped(value: Any) -> Any:
    """A body without its nulls."""
    if isinstance(value, dict):
        return {k: stripped(v) for k, v in value.items() if v is not None}
    if isinstance(value, list):
        return [stripped(v) for v in value]
    return value


def wire(body: Body, odd: Oddities) -> Body:
    """How Get sends it."""
    made: Body = filled(body, FULL) if odd["explicit-nulls"] else stripped(body)
    return made


def _cut(value: Any, template: Any) -> Any:
    """The members of the template alone, and unknown ones of the top level's structures left out."""
    if isinstance(template, dict) and isinstance(value, dict):
        return {k: _cut(value[k], t) for k, t in template.items() if k in value}
    if isinstance(template, list) and isinstance(value, list):
        return [_cut(v, template[0]) for v in value]
    return value


def brief(body: Body, odd: Oddities) -> Body:
    """How List sends it."""
    out: Body = _cut(body, _BRIEF)
    project = body.get("Project") or {}
    if project.get("ExpectedContractDuration"):
        out["Project"]["ExpectedContractDuration"] = project["ExpectedContractDuration"]
    if odd["amount-text"]:
        for entry in (out.get("Project") or {}).get("ExpectedCustomerSpend") or []:
            if entry.get("Amount"):
                entry["Amount"] = list_amount(entry["Amount"])
    return out


def list_amount(text: str) -> str:
    """531 and 531. and 531.00 become 531.0; 12.34 stays."""
    try:
        value = Decimal(text)
    except InvalidOperation:
        return text
    whole, _, fraction = format(value, "f").partition(".")
    return f"{whole}.{fraction.rstrip('0') or '0'}"


def keys(body: Body) -> dict[str, Any]:
    """What ListOpportunities sorts and filters by."""
    life, account = body.get("LifeCycle") or {}, (body.get("Customer") or {}).get("Account") or {}
    return {
        "LastModifiedDate": timestamps.parse(body["LastModifiedDate"]),
        "CreatedDate": timestamps.parse(body["CreatedDate"]),
        "Identifier": body["Id"],
        "CustomerCompanyName": account.get("CompanyName") or "",
        "TargetCloseDate": life.get("TargetCloseDate") or "",
        "Stage": life.get("Stage"),
        "ReviewStatus": life.get("ReviewStatus"),
    }
