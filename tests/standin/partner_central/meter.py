"""Quotas of an account and the count of what it asked: a bucket per second, a rolling 24 hours, peaks."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field, replace
from typing import Any

from .timestamps import NS

DAY = 24 * 3600
WRITES = frozenset(
    {
        "CreateOpportunity",
        "UpdateOpportunity",
        "AssociateOpportunity",
        "DisassociateOpportunity",
        "AssignOpportunity",
        "SubmitOpportunity",
        "RejectEngagementInvitation",
        "AcceptEngagementInvitation",
        "StartEngagementFromOpportunityTask",
        "StartEngagementByAcceptingInvitationTask",
    }
)


@dataclass
class Limits:
    """Calls a second and a rolling day; a limit of 0 is none."""

    reads_per_second: float = 10
    reads_per_day: int = 100_000
    writes_per_second: float = 1
    writes_per_day: int = 10_000
    shared: bool = True


@dataclass
class Group:
    """One budget: the reads, the writes, or one operation."""

    per_second: float
    per_day: int
    tokens: float = 0.0
    filled: int = 0
    day: deque[list[int]] = field(default_factory=deque)
    in_day: int = 0
    arrived: deque[int] = field(default_factory=deque)
    admitted: deque[int] = field(default_factory=deque)
    peak_arrived: int = 0
    peak_admitted: int = 0
    throttled_second: int = 0
    throttled_day: int = 0

    def take(self, now: int) -> bool:
        """Whether one more call is within both limits; a refused one costs nothing."""
        self.peak_arrived = max(self.peak_arrived, _window(self.arrived, now))
        if self.per_day:
            while self.day and self.day[0][0] <= now // NS - DAY:
                self.in_day -= self.day.popleft()[1]
            if self.in_day >= self.per_day:
                self.throttled_day += 1
                return False
        if self.per_second:
            burst = max(1.0, self.per_second)
            since = (now - self.filled) / NS if self.filled else burst
            self.tokens, self.filled = min(burst, self.tokens + since * self.per_second), now
            if self.tokens < 1:
                self.throttled_second += 1
                return False
            self.tokens -= 1
        if not self.day or self.day[-1][0] != now // NS:
            self.day.append([now // NS, 0])
        self.day[-1][1] += 1
        self.in_day += 1
        self.peak_admitted = max(self.peak_admitted, _window(self.admitted, now))
        return True


def _window(times: deque[int], now: int) -> int:
    """Calls within the second that ends now."""
    times.append(now)
    while times[0] <= now - NS:
        times.popleft()
    return len(times)


class Meter:
    """All of one account's calls."""

    def __init__(self, limits: Limits):
        self.limits = limits
        self.groups: dict[str, Group] = {}
        self.calls: Counter[str] = Counter()
        self.errors: Counter[str] = Counter()
        self.throttles: Counter[str] = Counter()

    def admit(self, operation: str, now: int) -> bool:
        kind = "writes" if operation in WRITES else "reads"
        name = kind if self.limits.shared else operation
        group = self.groups.get(name)
        if group is None:
            group = self.groups[name] = Group(*self._limits_of(kind))
        self.calls[operation] += 1
        if group.take(now):
            return True
        self.throttles[operation] += 1
        return False

    def change(self, given: dict[str, Any]) -> None:
        """Other limits for what comes; what was counted stays counted."""
        self.limits = replace(self.limits, **given)
        for name, group in self.groups.items():
            group.per_second, group.per_day = self._limits_of("writes" if name == "writes" or name in WRITES else "reads")

    def _limits_of(self, kind: str) -> tuple[float, int]:
        of = self.limits
        return (of.writes_per_second, of.writes_per_day) if kind == "writes" else (of.reads_per_second, of.reads_per_day)

    def told(self) -> dict[str, Any]:
        return {
            "calls": sum(self.calls.values()),
            "calls_by_operation": dict(sorted(self.calls.items())),
            "throttles": sum(self.throttles.values()),
            "throttles_by_operation": dict(sorted(self.throttles.items())),
            "errors": dict(sorted(self.errors.items())),
            "groups": {
                name: {
                    "per_second": g.per_second,
                    "per_day": g.per_day,
                    "admitted_in_24h": g.in_day,
                    "peak_arrived_in_a_second": g.peak_arrived,
                    "peak_admitted_in_a_second": g.peak_admitted,
                    "throttled_by_second": g.throttled_second,
                    "throttled_by_day": g.throttled_day,
                }
                for name, g in sorted(self.groups.items())
            },
        }

    def reset(self) -> None:
        """Forgets counts and peaks; the budgets stay as they are."""
        for counter in (self.calls, self.errors, self.throttles):
            counter.clear()
        for group in self.groups.values():
            group.peak_arrived = group.peak_admitted = group.throttled_second = group.throttled_day = 0
