"""The records that an account begins with: generated, loaded, recorded."""
from __future__ import annotations

import sys

from . import entities, load
from .options import Options
from .shapes import Shapes
from .world import World


def fill(world: World, options: Options, shapes: Shapes, first: bool) -> None:
    now = world.clock.now()
    if first and options.load:
        rows, refused = load.generated(options.load, shapes, world.odd)
        for identifier, (body, number) in rows.items():
            world.store.put("opportunity", body, identifier, now, number=number)
        print(f"loaded {len(rows)} opportunities; {refused} lines the service could not send were left out", file=sys.stderr)
    if first and options.recorded:
        for entity, body in load.recorded(options.recorded):
            if entity in world.store.entities:
                world.store.put(entity, body, entities.identifier(entity, body), now)
