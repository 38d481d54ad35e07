"""The state of a server: accounts with their records, keys, clock, quotas and faults."""

from __future__ import annotations

import hashlib
import random
from collections import Counter

from . import entities, errors
from .clock import Clock
from .credentials import Credentials, Key
from .faults import Faults
from .initial import fill
from .journal import Journal
from .meter import Meter
from .oddities import Oddities
from .options import Options
from .paging import Pager
from .shapes import Shapes
from .store import Store
from .world import World


class Service:
    """Everything but the wire; made from the options alone, or taken up again from the state directory."""

    def __init__(self, options: Options):
        self.options = options
        self.shapes = Shapes("partnercentral-selling")
        self.clock = Clock(options.now, options.frozen)
        self.odd = Oddities(options.oddities)
        self.faults = Faults()
        self.errors: Counter[str] = Counter()
        self.injected: Counter[str] = Counter()
        self.sts_calls: Counter[str] = Counter()
        self.known = Credentials(options.seed, list(options.accounts), options.external_id)
        self.worlds: dict[str, World] = {}
        self.journal = Journal(options.state) if options.state else None
        pager = Pager(hashlib.sha256(f"{options.seed}/tokens".encode()).digest())
        for account in options.accounts:
            store = Store(account, entities.all_of(self.odd, account))
            self.worlds[account] = World(
                account,
                store,
                self.clock,
                self.odd,
                pager,
                Meter(options.limits),
                random.Random(f"{options.seed}/{account}"),
            )
        if self.journal is None or not self.journal.replay(self):
            for account, world in self.worlds.items():
                fill(world, options, self.shapes, first=account == next(iter(options.accounts)))
                world.store.begin(self.clock.now(), self.journal)
            if self.journal is not None:
                self.journal.filled(self)
        for world in self.worlds.values():
            world.store.journal = self.journal
            world.begin(f"{options.seed}/{world.account}/{len(world.store.history)}")

    def world(self, key: Key, operation: str) -> World:
        """The account that a request speaks for; the vendor's own has no partner behind it."""
        world = self.worlds.get(key.account)
        if world is None:
            raise errors.denied(f"User: {key.arn} is not authorized to perform: partnercentral:{operation}")
        return world

    def session_issued(self, role_arn: str, session: str, expires: int) -> None:
        if self.journal is not None:
            self.journal.session(role_arn, session, expires)
