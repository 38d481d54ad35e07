"""Records change: kinds of change by weight, drawn from the seed, spread over the time that passes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from . import aws_side, cosell_make, generate, opportunity_make
from .store import Body
from .world import World

Told = dict[str, Any]


def _opportunity(world: World, change: Callable[[World, Body, int], None], at: int) -> list[str]:
    identifier = world.pick("opportunity", "Identifier")
    found = world.store.get("opportunity", "AWS", identifier) if identifier else None
    if found is None:
        return []
    body = found.load()
    change(world, body, at)
    world.put("opportunity", body, at)
    return [found.id]


def _group(world: World, at: int) -> list[str]:
    """Three records with one LastModifiedDate, as a bulk change leaves them."""
    ids = [i for _ in range(3 if world.odd["same-instant"] else 1) for i in _opportunity(world, opportunity_make.change_revenue, at)]
    return ids


def _create(world: World, at: int) -> list[str]:
    body = opportunity_make.make(world, world.next_number(), at)
    world.put("opportunity", body, at)
    world.put("aws_opportunity_summary", aws_side.first(world, body), at, lag=False)
    return [body["Id"]]


def _delete(world: World, at: int) -> list[str]:
    identifier = world.pick("opportunity", "Identifier")
    if identifier is None or world.store.get("opportunity", "AWS", identifier) is None:
        return []
    world.store.remove("opportunity", "AWS", identifier, at, world.lag())
    if world.store.get("aws_opportunity_summary", "AWS", identifier):
        world.store.remove("aws_opportunity_summary", "AWS", identifier, at)
    for tie in world.store.values("resource_association"):
        if tie.catalog == "AWS" and tie.keys["ResourceIdentifier"] == identifier:
            world.store.remove("resource_association", "AWS", tie.id, at)
    return [identifier]


def _aws(world: World, at: int) -> list[str]:
    identifier = world.pick("opportunity", "Identifier")
    if identifier is None or not aws_side.move(world, identifier, "AWS", at):
        return []
    found = world.store.get("opportunity", "AWS", identifier)
    if found is not None and not world.odd["aws-side-silent"]:
        body = found.load()
        opportunity_make.touch(body, at)
        world.put("opportunity", body, at)
    return [identifier]


def _invite_existing(world: World, at: int) -> list[str]:
    identifier = world.pick("opportunity", "Identifier")
    if identifier is None or world.store.get("opportunity", "AWS", identifier) is None:
        return []
    return [cosell_make.invite(world, at, sent_for=identifier)]


def _answer(world: World, at: int, status: str) -> list[str]:
    world.store.settle(at)
    open_ones = [v.id for v in world.store.values("engagement_invitation") if v.catalog == "AWS" and v.keys["Status"] == "PENDING"]
    if not open_ones:
        return []
    identifier = world.random.choice(open_ones)
    return [identifier] if cosell_make.answer(world, identifier, at, status) else []


def _qualify(world: World, at: int) -> list[str]:
    leads = [v.id for v in world.store.values("engagement") if v.catalog == "AWS" and "Lead" in v.keys["ContextTypes"]]
    chosen = world.random.choice(leads) if leads else None
    return [chosen] if chosen and cosell_make.qualify(world, chosen, at) else []


def _convert(world: World, at: int) -> list[str]:
    tied = {v.keys["EngagementIdentifier"] for v in world.store.values("resource_association")}
    leads = [v.id for v in world.store.values("engagement") if v.catalog == "AWS" and "Lead" in v.keys["ContextTypes"] and v.id not in tied]
    made = cosell_make.convert(world, world.random.choice(leads), at) if leads else None
    return [made] if made else []


def _solution(world: World, at: int) -> list[str]:
    """A new solution, one with another status, or one gone; there is no date that tells."""
    solutions = world.store.values("solution")
    what = world.random.choice(["new", "status", "status", "gone"])
    if what == "new" or len(solutions) < 3:
        number = max([int(v.id[2:]) for v in world.store.history if v.entity.name == "solution"], default=0)
        body = generate.solution(world, number, at)
        world.put("solution", body, at)
        return [body["Id"]]
    chosen = world.random.choice(solutions)
    if what == "gone":
        world.store.remove("solution", chosen.catalog, chosen.id, at, world.lag())
    else:
        body = chosen.load()
        body["Status"] = world.random.choice([s for s in ("Active", "Inactive", "Draft") if s != body["Status"]])
        world.put("solution", body, at)
    return [chosen.id]


# kind -> (weight, change)
KINDS: dict[str, tuple[int, Callable[[World, int], list[str]]]] = {
    "stage": (30, lambda world, at: _opportunity(world, opportunity_make.move_stage, at)),
    "revenue": (18, lambda world, at: _opportunity(world, opportunity_make.change_revenue, at)),
    "next-steps": (12, lambda world, at: _opportunity(world, opportunity_make.next_steps, at)),
    "group": (3, _group),
    "create": (10, _create),
    "delete": (3, _delete),
    "aws-side": (6, _aws),
    "invite": (4, lambda world, at: [cosell_make.invite(world, at)]),
    "invite-lead": (3, lambda world, at: [cosell_make.invite(world, at, "LeadInvitation")]),
    "invite-existing": (3, _invite_existing),
    "accept": (3, lambda world, at: _answer(world, at, "ACCEPTED")),
    "reject": (1, lambda world, at: _answer(world, at, "REJECTED")),
    "qualify": (2, _qualify),
    "convert": (1, _convert),
    "solution": (2, _solution),
}


def _weights(kinds: dict[str, float] | None) -> dict[str, float]:
    weights: dict[str, float] = kinds if kinds is not None else {kind: float(weight) for kind, (weight, _) in KINDS.items()}
    unknown = set(weights) - set(KINDS)
    if unknown or not weights:
        raise ValueError(f"no kind of change {sorted(unknown)}; there are {', '.join(KINDS)}")
    return weights


def change(world: World, kinds: dict[str, float] | None = None) -> Told:
    """One change, now; what it was and whom it touched (nobody, where there was nothing to change)."""
    weights = _weights(kinds)
    kind = world.random.choices(list(weights), list(weights.values()))[0]
    now = world.clock.now()
    world.store.settle(now)
    return {"account": world.account, "kind": kind, "ids": KINDS[kind][1](world, now)}


def advance(worlds: list[World], seconds: float, changes: int, kinds: dict[str, float] | None = None) -> list[Told]:
    """Time goes on by `seconds`, with that many changes in each account spread evenly over it."""
    _weights(kinds)  # refused before anything moves
    done: list[Told] = []
    clock = worlds[0].clock
    steps = max(1, changes)
    for step in range(steps):
        clock.advance(seconds / steps)
        for world in worlds:
            cosell_make.expire(world, clock.now())
            if step < changes:
                done.append(change(world, kinds))
    return done
