"""AWS's side of an opportunity, as GetAwsOpportunitySummary tells it."""

from __future__ import annotations

import random

from . import timestamps
from .store import Body
from .world import World

STAGES = [
    "Not Started",
    "In Progress",
    "Prospect",
    "Engaged",
    "Identified",
    "Qualify",
    "Research",
    "Seller Engaged",
    "Evaluating",
    "Seller Registered",
    "Term Sheet Negotiation",
    "Contract Negotiation",
    "Onboarding",
    "Building Integration",
    "Qualified",
    "On-hold",
    "Technical Validation",
    "Business Validation",
    "Committed",
    "Launched",
    "Deferred to Partner",
    "Closed Lost",
    "Completed",
    "Closed Incomplete",
]
_NEXT = ["Confirm the target close date.", "Ask for an architecture review.", "Share the pricing estimate with the customer."]


def first(world: World, opportunity: Body, origin: str | None = None) -> Body:
    """Drawn from the opportunity's id, so that it is the same however the record came to be."""
    r = random.Random(f"{world.account}/{opportunity['Catalog']}/{opportunity['Id']}/aws")
    project, related = opportunity.get("Project") or {}, opportunity.get("RelatedEntityIdentifiers") or {}
    spend = [entry for entry in project.get("ExpectedCustomerSpend") or [] if entry["TargetCompany"] == "AWS"]
    visible = r.random() < 0.9
    return {
        "Catalog": opportunity["Catalog"],
        "Customer": {"Contacts": (opportunity.get("Customer") or {}).get("Contacts") or []},
        "Insights": {
            "EngagementScore": r.choice(["High", "Medium", "Low", None]),
            "NextBestActions": r.choice([*_NEXT, None]),
            "AwsProductsSpendInsightsBySource": _sizing(r) if r.random() < 0.2 else None,
        }
        if visible
        else None,
        "InvolvementType": r.choice(["Co-Sell", "For Visibility Only"]),
        "InvolvementTypeChangeReason": None,
        "LifeCycle": {
            "ClosedLostReason": None,
            "NextSteps": None,
            "NextStepsHistory": None,
            "Stage": r.choice(STAGES[:6]),
            "TargetCloseDate": (opportunity.get("LifeCycle") or {}).get("TargetCloseDate"),
        }
        if visible
        else None,
        "OpportunityTeam": [
            {
                "BusinessTitle": r.choice(["PDM", "AWSSalesRep", "AWSAccountOwner"]),
                "Email": "aws.team@aws.example",
                "FirstName": "Aws",
                "LastName": "Team",
            }
        ],
        "Origin": origin or r.choice(["Partner Referral", "Partner Referral", "AWS Referral"]),
        "Project": {"ExpectedCustomerSpend": spend},
        "RelatedEntityIds": {"AwsProducts": related.get("AwsProducts") or [], "Solutions": related.get("Solutions") or []},
        "RelatedOpportunityId": opportunity["Id"],
        "Visibility": "Full" if visible else "Limited",
    }


def _sizing(r: random.Random) -> Body:
    """Spend insights with nulls where the recorded one has them."""
    amounts = [f"{r.randrange(1, 9000)}.{r.randrange(100):02d}" for _ in range(r.randint(1, 4))]
    products = [
        {
            "Amount": amount,
            "Categories": ["MAP Eligible"],
            "Optimizations": [],
            "OptimizedAmount": amount,
            "PotentialSavingsAmount": "0.00",
            "ProductCode": f"Product{i}",
            "ServiceCode": None,
        }
        for i, amount in enumerate(amounts)
    ]
    cents = sum(int(a.replace(".", "")) for a in amounts)
    total = f"{cents // 100}.{cents % 100:02d}"
    return {
        "Partner": {
            "AwsProducts": products,
            "CurrencyCode": "USD",
            "Frequency": "Monthly",
            "TotalAmount": total,
            "TotalAmountByCategory": {"MAP Eligible": total},
            "TotalOptimizedAmount": total,
            "TotalPotentialSavingsAmount": "0.00",
        }
    }


def move(world: World, opportunity_id: str, catalog: str, at: int) -> bool:
    """AWS changes its stage and score; whether there was anything to change."""
    found = world.store.get("aws_opportunity_summary", catalog, opportunity_id)
    if found is None:
        return False
    r, body = world.random, found.load()
    life = dict(body.get("LifeCycle") or {})
    now = life.get("Stage")
    life["Stage"] = r.choice([stage for stage in STAGES if stage != now])
    life["NextStepsHistory"] = (
        [{"Time": timestamps.millis(at), "Value": f"Moved from {now or 'nothing'}."}] + (life.get("NextStepsHistory") or [])
    )[:50]
    body["LifeCycle"] = life
    body["Insights"] = {**(body.get("Insights") or {}), "EngagementScore": r.choice(["High", "Medium", "Low"])}
    world.put("aws_opportunity_summary", body, at)
    return True
