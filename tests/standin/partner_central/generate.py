"""An account's first records: solutions, opportunities over the last year, invitations and engagements in every state."""

from __future__ import annotations

from . import cosell_make, opportunity_make, timestamps
from .store import Body
from .timestamps import NS
from .world import World

DAY = 86400 * NS
FIRST_ID = 10_000_000


def fill(world: World, opportunities: int, now: int) -> None:
    if opportunities <= 0:
        return
    r = world.random
    for n in range(max(5, min(200, opportunities // 50))):
        world.put("solution", solution(world, n, now - r.randrange(30, 900) * DAY), now, lag=False)
    span = 365 * DAY
    for n in range(opportunities):
        created = now - span + span * n // opportunities + r.randrange(span // opportunities)
        body = opportunity_make.make(world, FIRST_ID + n, created)
        changed = created
        for _ in range(r.choice([0, 0, 1, 1, 2])):
            changed += r.randrange(max(1, (now - changed) // 2))
            r.choice([opportunity_make.move_stage, opportunity_make.change_revenue, opportunity_make.next_steps])(world, body, changed)
        world.put("opportunity", body, now, lag=False)
    world.last_number = FIRST_ID + opportunities
    world.store.settle(now)
    for _ in range(max(4, opportunities // 40)):
        # Spread over 40 days, so that some are past their 15 days and some not.
        at = now - r.randrange(1, 40) * DAY - r.randrange(DAY)
        cosell_make.past(world, at, now)


def solution(world: World, n: int, created: int) -> Body:
    r = world.random
    return {
        "Arn": None,
        "Catalog": "AWS",
        "Category": None
        if world.odd["solution-category-null"] and r.random() < 0.1
        else r.choice(["Software Product", "Managed Service", "Consulting Service"]),
        "CreatedDate": timestamps.seconds(created),
        "Id": f"S-{n + 1:07d}",
        "Name": f"{r.choice(opportunity_make.GENERATOR.CO_A)} Lake {n + 1}",
        "Status": r.choice(["Active", "Active", "Active", "Inactive", "Draft"]),
    }
