"""Invitations and engagements as they come about: sent, accepted, refused, expired; before, after and without an opportunity."""

from __future__ import annotations

from . import aws_side, cosell_tasks, opportunity_make, timestamps
from .store import Body
from .timestamps import NS
from .world import World

LIFETIME = 15 * 86400 * NS
PARTNER = "222222222222"


def _arn(kind: str, identifier: str) -> str:
    return f"arn:aws:partnercentral:us-east-1::catalog/AWS/{kind}/{identifier}"


def _company(world: World) -> Body:
    r, g = world.random, opportunity_make.GENERATOR
    name = f"{r.choice(g.CO_A)} {r.choice(g.CO_B)} {r.choice(g.CO_C)}"
    return {
        "CompanyName": name,
        "CountryCode": r.choice(["US", "DE", "JP", "BR"]),
        "Industry": r.choice(g.INDUSTRIES),
        "WebsiteUrl": "www.customer.example",
    }


def invite(world: World, at: int, kind: str = "OpportunityInvitation", sent_for: str | None = None) -> str:
    """A pending invitation; with `sent_for` the partner itself invites AWS to an opportunity that is there already."""
    r = world.random
    identifier = world.name("engi-", 13)
    title = f"{r.choice(opportunity_make.GENERATOR.CO_A)} initiative {r.randrange(10_000)}: a long project title"[:40]
    other, me = {"AwsAccountId": "aws", "Alias": None}, {"AwsAccountId": world.account, "Alias": "Test Account"}
    body: Body = {
        "Arn": _arn("engagement-invitation", identifier),
        "Catalog": "AWS",
        "EngagementDescription": None,
        "EngagementId": world.name("eng-", 14),
        "EngagementTitle": title,
        "ExistingMembers": None,
        "ExpirationDate": timestamps.nanos(at + LIFETIME),
        "Id": identifier,
        "InvitationDate": timestamps.nanos(at),
        "InvitationMessage": None,
        "PayloadType": kind,
        "Receiver": {"Account": other if sent_for else me},
        "RejectionReason": None,
        "SenderAwsAccountId": world.account if sent_for else "aws",
        "SenderCompanyName": "A Partner" if sent_for else "AWS",
        "Status": "PENDING",
    }
    if kind == "LeadInvitation":
        body["SenderAwsAccountId"], body["SenderCompanyName"] = PARTNER, "A Referring Partner"
        body["ExpirationDate"] = None if r.random() < 0.3 else body["ExpirationDate"]  # as recorded
        body["ExistingMembers"] = [
            {"CompanyName": "A Referring Partner", "WebsiteUrl": "https://partner.example"},
            {"CompanyName": "Test Account", "WebsiteUrl": "null"},
        ]
        body["Payload"] = {
            "LeadInvitation": {
                "Customer": {
                    "AwsMaturity": r.choice(["Evaluating", None]),
                    **_company(world),
                    "MarketSegment": r.choice(["Enterprise", "SMB", None]),
                },
                "Interaction": {
                    "ContactBusinessTitle": "Head of Data",
                    "SourceId": "%08X" % r.getrandbits(32),
                    "SourceName": "Partner Referral Program",
                    "SourceType": r.choice(["Campaign", "Event", "Website", "Referral"]),
                    "Usecase": r.choice(["Database", None]),
                },
            }
        }
    else:
        body["Payload"] = {
            "OpportunityInvitation": {
                "Customer": _company(world),
                "Project": {
                    "BusinessProblem": opportunity_make.GENERATOR.text(r, 12, 30),
                    "ExpectedCustomerSpend": opportunity_make.spend(r, world.odd, {})[:1],
                    "TargetCompletionDate": timestamps.day(at + r.randrange(30, 300) * 86400 * NS),
                    "Title": title,
                },
                "ReceiverResponsibilities": None if world.odd["explicit-nulls"] else ["Software Partner"],
                "SenderContacts": [
                    {"BusinessTitle": "PDM", "Email": "pdm@aws.example", "FirstName": "Pia", "LastName": "Manager", "Phone": None}
                ],
            }
        }
        if world.odd["invitation-without-engagement"] and not sent_for and r.random() < 0.3:
            body["EngagementId"] = None
    if sent_for:
        _engage(world, body, at, sent_for)
        ids = {"EngagementId": str(body["EngagementId"]), "EngagementInvitationId": identifier, "OpportunityId": sent_for}
        cosell_tasks.done(world, cosell_tasks.FROM_OPPORTUNITY, at, **ids)
    world.put("engagement_invitation", body, at, lag=False)
    return identifier


def answer(world: World, identifier: str, at: int, status: str) -> bool:
    """Accepted, refused or expired, if it is still open; an accepted one brings its engagement, an opportunity or a lead with it."""
    found = world.store.get("engagement_invitation", "AWS", identifier)
    if found is None or found.keys["Status"] != "PENDING":
        return False
    body = found.load()
    body["Status"] = status
    if status == "REJECTED":
        body["RejectionReason"] = "Customer problem unclear"
    if status == "ACCEPTED" and body["SenderAwsAccountId"] != world.account:
        body["EngagementId"] = body.get("EngagementId") or world.name("eng-", 14)
        if body["PayloadType"] == "LeadInvitation":
            _lead(world, body, at)
        else:
            opportunity = _opportunity_of(world, body, at)
            _engage(world, body, at, opportunity)
            cosell_tasks.done(world, cosell_tasks.ACCEPT, at, EngagementInvitationId=identifier, OpportunityId=opportunity)
    world.put("engagement_invitation", body, at, lag=False)
    return True


def _opportunity_of(world: World, invitation: Body, at: int) -> str:
    """The partner's opportunity that an accepted referral becomes."""
    payload = invitation["Payload"]["OpportunityInvitation"]
    body = opportunity_make.make(world, world.next_number(), at)
    body["Customer"]["Account"].update(CompanyName=payload["Customer"]["CompanyName"], Industry=payload["Customer"]["Industry"])
    body["Project"].update(Title=payload["Project"]["Title"], ExpectedCustomerSpend=payload["Project"]["ExpectedCustomerSpend"])
    body["Project"].pop("ExpectedContractDuration", None)
    body["LifeCycle"].update(
        Stage=None if world.odd["missing-stage"] else "Prospect", TargetCloseDate=payload["Project"]["TargetCompletionDate"]
    )
    world.put("opportunity", body, at)
    world.put("aws_opportunity_summary", aws_side.first(world, body, "AWS Referral"), at, lag=False)
    return str(body["Id"])


def _engage(world: World, invitation: Body, at: int, opportunity: str) -> None:
    payload = invitation["Payload"]["OpportunityInvitation"]
    customer, project = payload["Customer"], payload["Project"]
    context = {
        "Type": "CustomerProject",
        "Payload": {
            "CustomerProject": {
                "Customer": customer,
                "Project": {k: project[k] for k in ("BusinessProblem", "TargetCompletionDate", "Title")},
            }
        },
    }
    _engagement(world, invitation, at, context)
    _tie(world, invitation["EngagementId"], opportunity, at)


def _tie(world: World, engagement: str, opportunity: str, at: int) -> None:
    association: Body = {
        "Catalog": "AWS",
        "EngagementId": engagement,
        "ResourceId": opportunity,
        "ResourceType": "Opportunity",
        "CreatedBy": world.account,
    }
    if world.odd["association-extras"]:
        association["ResourceArn"] = f"arn:aws:partnercentral:us-east-1:{world.account}:catalog/AWS/opportunity/{opportunity}"
        association["ResourceOwner"] = world.account
    world.put("resource_association", association, at, lag=False)


def _engagement(world: World, invitation: Body, at: int, context: Body) -> None:
    body = {
        "Arn": _arn("engagement", invitation["EngagementId"]),
        "Contexts": [context],
        "CreatedAt": timestamps.nanos(at),
        "CreatedBy": invitation["SenderAwsAccountId"],
        "Description": "Made for " + invitation["EngagementTitle"],
        "Id": invitation["EngagementId"],
        "MemberCount": 2,
        "Title": invitation["EngagementTitle"],
    }
    if not world.odd["modified-absent"]:
        context["Id"] = "1"
        body.update(ModifiedAt=body["CreatedAt"], ModifiedBy=body["CreatedBy"])
    world.put("engagement", body, at, lag=False)


def _lead(world: World, invitation: Body, at: int) -> None:
    lead, r = invitation["Payload"]["LeadInvitation"], world.random
    customer = {k: v for k, v in lead["Customer"].items() if k != "CountryCode"}
    customer["Address"] = {"City": None, "CountryCode": lead["Customer"]["CountryCode"], "PostalCode": None, "StateOrRegion": None}
    interaction = {k: lead["Interaction"].get(k) for k in ("SourceId", "SourceName", "SourceType", "Usecase")}
    interaction.update(
        BusinessProblem=None,
        CustomerAction="Completed Form",
        InteractionDate=timestamps.nanos(at - r.randrange(NS)),
        Contact={
            "BusinessTitle": lead["Interaction"]["ContactBusinessTitle"],
            "Email": "contact@customer.example",
            "FirstName": "Sarina",
            "LastName": "Prosacco",
            "Phone": None,
        },
    )
    _engagement(
        world,
        invitation,
        at,
        {
            "Id": "1",
            "Type": "Lead",
            "Payload": {"Lead": {"Customer": customer, "Interactions": [interaction], "QualificationStatus": None}},
        },
    )


def qualify(world: World, engagement: str, at: int) -> bool:
    """A lead is worked on: its status, and with it ModifiedAt of the engagement."""
    found = world.store.get("engagement", "AWS", engagement)
    body = found.load() if found else {"Contexts": []}
    leads = [context["Payload"]["Lead"] for context in body["Contexts"] if context["Type"] == "Lead"]
    for lead in leads:
        lead["QualificationStatus"] = world.random.choice(
            [s for s in ("Open", "Research", "Qualified", "Disqualified") if s != lead.get("QualificationStatus")]
        )
        body["ModifiedAt"], body["ModifiedBy"] = timestamps.nanos(at), world.account
        world.put("engagement", body, at, lag=False)
    return bool(leads)


def convert(world: World, engagement: str, at: int) -> str | None:
    """A lead becomes an opportunity in the same engagement; once."""
    found = world.store.get("engagement", "AWS", engagement)
    tied = any(v.keys["EngagementIdentifier"] == engagement for v in world.store.values("resource_association"))
    if found is None or tied or "Lead" not in found.keys["ContextTypes"]:
        return None
    customer = found.load()["Contexts"][0]["Payload"]["Lead"]["Customer"]
    body = opportunity_make.make(world, world.next_number(), at)
    body["Customer"]["Account"].update(CompanyName=customer["CompanyName"], WebsiteUrl=customer.get("WebsiteUrl"))
    body["Project"]["Title"] = "Converted from Lead"
    world.put("opportunity", body, at)
    world.put("aws_opportunity_summary", aws_side.first(world, body, "Partner Referral"), at, lag=False)
    _tie(world, engagement, body["Id"], at)
    cosell_tasks.done(world, cosell_tasks.FROM_ENGAGEMENT, at, EngagementId=engagement, ContextId="1", OpportunityId=body["Id"])
    return str(body["Id"])


def past(world: World, at: int, now: int) -> None:
    """One invitation of earlier days, in the state that it has come to by now."""
    r = world.random
    kind = r.choice(["OpportunityInvitation", "OpportunityInvitation", "LeadInvitation"])
    known = world.pick("opportunity", "Identifier") if r.random() < 0.2 else None
    identifier = invite(world, at, "OpportunityInvitation" if known else kind, known)
    if r.random() < 0.7:
        answer(world, identifier, min(now, at + r.randrange(LIFETIME)), r.choice(["ACCEPTED", "ACCEPTED", "REJECTED"]))


def expire(world: World, now: int) -> int:
    """Ends the invitations that nobody answered in their 15 days."""
    due = [
        v.id
        for v in world.store.values("engagement_invitation")
        if v.catalog == "AWS" and v.keys["Status"] == "PENDING" and v.keys["Expires"] and v.keys["Expires"] <= now
    ]
    return sum(answer(world, identifier, now, "EXPIRED") for identifier in due)
