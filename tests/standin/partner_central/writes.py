"""CreateOpportunity and UpdateOpportunity, so far as a client needs them to see its own writes come back."""

from __future__ import annotations

from . import aws_side, opportunity_make, timestamps
from .errors import business, conflict, not_found
from .load import OWNER
from .store import Body, dumps
from .world import World

_CLOSED_FOR_UPDATES = ("Submitted", "In review")
_NOT_OF_THE_BODY = ("ClientToken", "Origin", "Tags", "Identifier", "LastModifiedDate", "Catalog")


def create_opportunity(world: World, request: Body) -> bytes:
    """The same ClientToken gives the same opportunity."""
    token, now = request["ClientToken"], world.clock.now()
    made = world.tokens.get(token)
    if made is None:
        body: Body = {k: v for k, v in request.items() if k not in _NOT_OF_THE_BODY}
        identifier = f"O{world.next_number():08d}"
        life = {"Stage": "Prospect", **(body.get("LifeCycle") or {}), "ReviewStatus": "Pending Submission"}
        if (body.get("Customer") or {}).get("Account") is None:
            raise business("Customer.Account", "is required", "REQUIRED_FIELD_MISSING")
        body.update(
            Id=identifier,
            Catalog=request["Catalog"],
            Arn=f"arn:aws:partnercentral:us-east-1:{world.account}:catalog/{request['Catalog']}/opportunity/{identifier}",
            CreatedDate=timestamps.seconds(now),
            LastModifiedDate=timestamps.millis(now),
            LifeCycle=life,
            RelatedEntityIdentifiers={"AwsMarketplaceOfferSets": [], "AwsMarketplaceOffers": [], "AwsProducts": [], "Solutions": []},
        )
        body.setdefault("OpportunityTeam", [dict(OWNER)])
        world.put("opportunity", body, now)
        world.put("aws_opportunity_summary", aws_side.first(world, body, request.get("Origin")), now, lag=False)
        world.tokens[token] = made = (request["Catalog"], identifier)
        if world.store.journal is not None:
            world.store.journal.token(world.account, token, made)
    version = world.store.get("opportunity", *made)
    if version is None:
        raise conflict("The opportunity of this ClientToken is gone.")
    body = version.load()
    return dumps(
        {
            "Id": body["Id"],
            "PartnerOpportunityIdentifier": body.get("PartnerOpportunityIdentifier"),
            "LastModifiedDate": body["LastModifiedDate"],
        }
    )


def update_opportunity(world: World, request: Body) -> bytes:
    """The members given take the place of the old ones; the caller must have seen the newest state."""
    version = world.store.get("opportunity", request["Catalog"], request["Identifier"])
    if version is None:
        raise not_found("Opportunity", request["Identifier"])
    if timestamps.parse(request["LastModifiedDate"]) != version.keys["LastModifiedDate"]:
        raise conflict("The opportunity has been modified since the given LastModifiedDate.")
    if version.keys["ReviewStatus"] in _CLOSED_FOR_UPDATES:
        raise business("LifeCycle.ReviewStatus", f"an opportunity that is {version.keys['ReviewStatus']} can not be updated")
    body, now = version.load(), world.clock.now()
    review = (body.get("LifeCycle") or {}).get("ReviewStatus")
    body.update({k: v for k, v in request.items() if k not in _NOT_OF_THE_BODY})
    body["LifeCycle"] = {**(body.get("LifeCycle") or {}), "ReviewStatus": review}
    opportunity_make.touch(body, now)
    world.put("opportunity", body, now)
    return dumps({"Id": body["Id"], "LastModifiedDate": body["LastModifiedDate"]})
