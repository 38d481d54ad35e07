"""One account as the service sees it: its records, its clock, its quota, its oddities."""
from __future__ import annotations

import random
from dataclasses import dataclass

from .clock import Clock
from .meter import Meter
from .oddities import Oddities
from .paging import Pager
from .store import Store


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
