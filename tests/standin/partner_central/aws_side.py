"""AWS's side of an opportunity, as GetAwsOpportunitySummary tells it."""

from __future__ import annotations

import random
from decimal import Decimal

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
_SERVICES = ["aWSLambda", "amazonElasticBlockStore", "amazonSimpleStorageServiceGroup", "ec2Enhancement", "amazonRDSPostgreSQLDB"]
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
            "AwsProductsSpendInsightsBySource": _sizing(r, world.odd["explicit-nulls"]) if r.random() < 0.2 else None,
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
        "Project": {"AwsPartition": None, "ExpectedCustomerSpend": spend},
        "RelatedEntityIds": {"AwsProducts": related.get("AwsProducts") or [], "Solutions": related.get("Solutions") or []},
        "RelatedOpportunityId": opportunity["Id"],
        "Visibility": "Full" if visible else "Limited",
    }


def _sizing(r: random.Random, nulls: bool) -> Body:
    """Spend insights as the recorded ones: the partner's with amounts, AWS's with product codes and nulls."""
    products, total, saved = [], Decimal(0), Decimal(0)
    for service in r.sample(_SERVICES, r.randint(1, 4)):
        amount = Decimal(r.randrange(100, 900_000)) / 100
        less = (amount / 10).quantize(Decimal("0.01")) if r.random() < 0.4 else Decimal("0.00")
        tips = [{"Description": "Use Reserved Instances or Savings Plans", "SavingsAmount": str(less)}] if less else []
        products.append(_product(None if nulls else service, service, ["MAP Eligible"], str(amount), str(amount - less), str(less), tips))
        total, saved = total + amount, saved + less
    codes = [_product(code, None, [], None, None, None, []) for code in ("AmazonEC2Linux", "AWSLambda")[: r.randint(0, 2)]]
    return {
        "Partner": _insight(products, total, saved, {"MAP Eligible": str(total - saved)}),
        "AWS": _insight(codes, Decimal(0), Decimal(0), {}),
    }


def _product(
    code: str | None,
    service: str | None,
    categories: list[str],
    amount: str | None,
    optimized: str | None,
    saving: str | None,
    tips: list[Body],
) -> Body:
    return {
        "Amount": amount,
        "Categories": categories,
        "Optimizations": tips,
        "OptimizedAmount": optimized,
        "PotentialSavingsAmount": saving,
        "ProductCode": code,
        "ServiceCode": service,
    }


def _insight(products: list[Body], total: Decimal, saved: Decimal, categories: dict[str, str]) -> Body:
    return {
        "AwsProducts": products,
        "CurrencyCode": "USD",
        "Frequency": "Monthly",
        "TotalAmount": str(total),
        "TotalAmountByCategory": categories,
        "TotalOptimizedAmount": str(total - saved),
        "TotalPotentialSavingsAmount": str(saved),
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
