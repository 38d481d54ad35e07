"""One account as the service sees it: its records, its clock, its quota, its oddities."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from . import entities, opportunity_body
from .clock import Clock
from .errors import not_found
from .meter import Meter
from .oddities import LIST_LAG_SECONDS, Oddities
from .paging import Pager
from .store import Body, Store, Version
from .timestamps import NS


@dataclass
class World:
    """Everything that an operation may look at."""

    account: str
    store: Store
    clock: Clock
    odd: Oddities
    pager: Pager
    meter: Meter
    random: random.Random
    last_number: int = 0
    tokens: dict[str, tuple[str, str]] = field(default_factory=dict)  # ClientToken -> what it made

    def begin(self, seed: str) -> None:
        """Ready for requests and changes, at the first start and at each later one."""
        self.random = random.Random(seed)
        numbers = [int(version.id[1:]) for version in self.store.history if version.entity.name == "opportunity"]
        self.last_number = max([self.last_number, *numbers])

    def next_number(self) -> int:
        """Of an opportunity: one above every id that was ever given out."""
        self.last_number += 1
        return self.last_number

    def name(self, prefix: str, length: int) -> str:
        """An id of the kind that engagements, invitations and tasks have."""
        return prefix + "".join(self.random.choices("0123456789abcdefghijklmnopqrstuvwxyz", k=length))

    def pick(self, entity: str, key: str) -> str | None:
        """The id of any record, by the drawn number."""
        index = self.store.index(entity, "AWS", key)
        return self.random.choice(index)[1] if index else None

    def get(self, entity: str, catalog: str, identifier: str, said: str) -> bytes:
        """The body of a record, counted as read."""
        found = self.store.get(entity, catalog, identifier)
        if found is None or found.body is None:
            raise not_found(said, identifier)
        found.got += 1
        return found.body

    def put(self, entity: str, body: Body, at: int, number: int | None = None, lag: bool = True) -> Version:
        """A new state of a record, in the form that the oddities give it."""
        if entity == "opportunity" or not self.odd["explicit-nulls"]:
            body = opportunity_body.wire(body, self.odd)
        wait = self.lag() if lag else 0
        return self.store.put(entity, entities.catalog(body), entities.identifier(entity, body), body, at, wait, number)

    def lag(self) -> int:
        """How much later than Get the next change shows in List."""
        return self.random.randrange(LIST_LAG_SECONDS * NS) if self.odd["list-lag"] else 0
