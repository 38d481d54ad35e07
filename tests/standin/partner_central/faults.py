"""Faults that tests ask for: errors, resets, slow and short answers, by operation, from a seed."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

KINDS = frozenset({"500", "503", "throttle", "expired", "denied", "reset", "slow", "truncate"})
# STS is met by rules that name its action; "*" is every operation of the selling API.
STS = frozenset({"AssumeRole", "GetCallerIdentity"})


@dataclass
class Rule:
    """One kind of fault at a rate; `limit` bounds how often, `skip` lets the first calls pass, `late` lets the operation run first."""

    kind: str
    operation: str = "*"
    rate: float = 1.0
    seconds: float = 1.0
    limit: int | None = None
    skip: int = 0
    late: bool = False
    seen: int = 0
    done: int = 0
    random: random.Random = field(default_factory=random.Random)

    def falls(self, operation: str) -> bool:
        if not (self.operation == operation or (self.operation == "*" and operation not in STS)) or (
            self.limit is not None and self.done >= self.limit
        ):
            return False
        self.seen += 1
        # The draw is taken each time, so that the n-th call has its fate whatever came before.
        if self.random.random() >= self.rate or self.seen <= self.skip:
            return False
        self.done += 1
        return True


class Faults:
    """The rules that hold now; the first that falls is the fault of a call."""

    def __init__(self) -> None:
        self.rules: list[Rule] = []

    def set(self, seed: int, rules: list[dict[str, Any]]) -> None:
        made = []
        for i, given in enumerate(rules):
            rule = Rule(**{**given, "random": random.Random(f"{seed}/{i}")})
            if rule.kind not in KINDS:
                raise ValueError(f"no fault {rule.kind}; there are {', '.join(sorted(KINDS))}")
            made.append(rule)
        self.rules = made

    def of(self, operation: str) -> Rule | None:
        return next((rule for rule in self.rules if rule.falls(operation)), None)

    def told(self) -> list[dict[str, Any]]:
        return [{"kind": r.kind, "operation": r.operation, "rate": r.rate, "seen": r.seen, "done": r.done} for r in self.rules]
