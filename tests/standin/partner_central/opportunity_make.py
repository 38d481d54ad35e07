"""Opportunities of the API's own forms: what the generator draws, with the oddities of recorded bodies put in."""

from __future__ import annotations

import importlib.util
import random
from decimal import Decimal
from pathlib import Path
from types import ModuleType

from . import timestamps
from .load import OWNER, api_form
from .oddities import Oddities
from .store import Body
from .timestamps import NS
from .world import World

STAGES = ["Prospect", "Qualified", "Technical Validation", "Business Validation", "Committed", "Launched", "Closed Lost"]
LOST = ["Price", "No Opportunity", "Lost to Competitor - Other", "Customer Deficiency", "Delay / Cancellation of Project", "Other"]


def _generator() -> ModuleType:
    """tests/tools/gen_opportunities.py, whose words and names are used here too."""
    path = Path(__file__).resolve().parents[2] / "tools" / "gen_opportunities.py"
    spec = importlib.util.spec_from_file_location("gen_opportunities", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


GENERATOR = _generator()
_EPOCH = int(GENERATOR.T0.timestamp()) * NS


def make(world: World, number: int, created: int) -> Body:
    r, odd = world.random, world.odd
    body = api_form(GENERATOR.make(r, number, (created - _EPOCH) // 1_000_000, 1))
    body["Catalog"] = "AWS"
    body["Arn"] = None if r.random() < 0.1 else f"arn:aws:partnercentral:us-east-1:{world.account}:catalog/AWS/opportunity/{body['Id']}"
    body["CreatedDate"] = timestamps.seconds(created)
    body["LastModifiedDate"] = timestamps.seconds(created) if r.random() < 0.2 else timestamps.millis(created)
    project = body["Project"]
    project["ExpectedCustomerSpend"] = spend(r, odd, project)
    body["RelatedEntityIdentifiers"]["Solutions"] = _solutions(world)
    if r.random() < 0.3:
        start = timestamps.day(created)
        body["SoftwareRevenue"] = {
            "DeliveryModel": r.choice(["Contract", "Pay-as-you-go", "Subscription"]),
            "EffectiveDate": start,
            "ExpirationDate": timestamps.day(created + 365 * 86400 * NS),
            "Value": {"Amount": f"{r.randrange(1000, 900_000)}.0", "CurrencyCode": "USD"},
        }
    if body["Marketing"]["Source"] == "Marketing Activity":
        channels = r.sample(["Content Syndication", "Display", "Email", "Live Event", "Search", "Virtual Event"], r.randint(0, 2))
        body["Marketing"].update(AwsFundingUsed=r.choice(["Yes", "No"]), Channels=channels, UseCases=r.choice([["Analytics"], [], None]))
    if odd["documented-enums"] and r.random() < 0.05:
        body["PrimaryNeedsFromAws"] = ["Do Not Need Support from AWS Sales Rep"]
    if r.random() < 0.01:
        _fill_up(r, body, created)
    if odd["missing-stage"] and r.random() < 0.02:
        body["LifeCycle"]["Stage"] = None
    return body


def _fill_up(r: random.Random, body: Body, created: int) -> None:
    """As large as the model lets an opportunity be: 20 KB instead of 2."""
    history = [{"Time": timestamps.seconds(created), "Value": GENERATOR.text(r, 30, 30)[:255]} for _ in range(50)]
    body["LifeCycle"]["NextStepsHistory"] = history
    body["Project"]["CustomerBusinessProblem"] = GENERATOR.text(r, 500, 500)[:2000]
    body["OpportunityTeam"] = [{**OWNER, "Email": f"member.{n}@partner.example"} for n in range(10)]


def spend(r: random.Random, odd: Oddities, project: Body) -> list[Body]:
    currency = "EUR" if r.random() < 0.15 else "USD"
    cents = int(r.lognormvariate(10.5, 1.2)) + 100
    text = str(cents // 100) if r.random() < 0.4 else f"{cents // 100}.{cents % 100:02d}"
    entries = [_entry(text, currency, "AWS")]
    if odd["amount-forms"] and r.random() < 0.05:
        entries[0] = r.choice(
            [
                _entry("", currency, "AWS"),
                _entry(f"{cents // 100}.", currency, "AWS"),
                _entry("1" + "0" * 30 + ".01", currency, "AWS"),
                {**_entry(None, currency, "AWS"), "EstimationUrl": "https://calculator.aws/#/estimate?id=" + "%040x" % r.getrandbits(160)},
            ]
        )
    if odd["self-entries"] and r.random() < 0.25:
        months = r.choice([12, 24, 36])
        project["ExpectedContractDuration"] = {"Term": "Months", "Value": str(months)}
        total = Decimal(cents) / 100 * months
        entries.append({**_entry(f"{total:.2f}", currency, "Self"), "Frequency": "None" if odd["documented-enums"] else "Monthly"})
    return entries


def _entry(amount: str | None, currency: str, company: str) -> Body:
    return {"Amount": amount, "CurrencyCode": currency, "EstimationUrl": None, "Frequency": "Monthly", "TargetCompany": company}


def _solutions(world: World) -> list[str]:
    known = [version.id for version in world.store.values("solution")]
    return world.random.sample(known, min(len(known), world.random.randint(0, 3)))


def touch(body: Body, at: int) -> None:
    """A later LastModifiedDate than before, of the instant of the change."""
    before = timestamps.parse(body["LastModifiedDate"])
    body["LastModifiedDate"] = timestamps.millis(max(at, before + 1_000_000))


def move_stage(world: World, body: Body, at: int) -> None:
    r, life = world.random, body.setdefault("LifeCycle", {})
    stage = life.get("Stage")
    if world.odd["invented-enums"] and r.random() < 0.2:
        life["Stage"], life["ReviewStatus"] = "Solution Assessment", "Escalated"
    else:
        place = STAGES.index(stage) if stage in STAGES else -1
        life["Stage"] = "Closed Lost" if r.random() < 0.1 else STAGES[min(place + 1, 5)]
        life["ReviewStatus"] = r.choice(GENERATOR.REVIEW)
        if world.odd["documented-enums"] and r.random() < 0.05:
            life["Stage"], life["ReviewStatus"] = r.choice([("Closed Won", "Approved"), (life["Stage"], "In Review")])
    life["ClosedLostReason"] = r.choice(LOST) if life["Stage"] == "Closed Lost" else None
    if world.odd["unknown-fields"]:
        body["DealHealth"] = {"Score": r.randrange(100), "Signals": ["late", "quiet"]}
        life["ForecastCategory"] = r.choice(["Commit", "Upside"])
    touch(body, at)


def change_revenue(world: World, body: Body, at: int) -> None:
    project = body["Project"] = body.get("Project") or {}
    project.pop("ExpectedContractDuration", None)
    project["ExpectedCustomerSpend"] = spend(world.random, world.odd, project)
    touch(body, at)


def next_steps(world: World, body: Body, at: int) -> None:
    life = body.setdefault("LifeCycle", {})
    if life.get("NextSteps"):
        life["NextStepsHistory"] = ([{"Time": timestamps.millis(at), "Value": life["NextSteps"]}] + (life.get("NextStepsHistory") or []))[
            :50
        ]
    life["NextSteps"] = GENERATOR.text(world.random, 6, 14)
    touch(body, at)
