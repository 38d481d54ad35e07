"""The records that an account begins with: loaded, recorded, generated."""

from __future__ import annotations

import sys

from . import aws_side, generate, load
from .options import Options
from .shapes import Shapes
from .world import World


def fill(world: World, options: Options, shapes: Shapes, first: bool) -> None:
    now = world.clock.now()
    if first and options.load:
        rows, refused = load.generated(options.load, shapes)
        for body, number in rows:
            world.put("opportunity", body, now, number, lag=False)
        print(f"loaded {len(rows)} opportunities; {refused} lines the service could not send were left out", file=sys.stderr)
    generate.fill(world, options.accounts[world.account], now)
    for version in list(world.store.all("opportunity")):
        if world.store.get("aws_opportunity_summary", version.catalog, version.id) is None:
            world.put("aws_opportunity_summary", aws_side.first(world, version.load()), now, lag=False)
    if first and options.recorded:
        for entity, body in load.recorded(options.recorded):
            world.store.put(entity, *load.place(entity, body), body, now)
    world.store.settle(now)
