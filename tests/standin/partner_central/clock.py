"""The service's clock: the machine's time moved forward by hand, or a time that moves by hand alone."""

from __future__ import annotations

import time

from .timestamps import NS


class Clock:
    """`now()` is the service's time in nanoseconds; signatures are held to `wall()`, as a client knows no other."""

    def __init__(self, start: int | None = None, frozen: bool = False):
        self._frozen = frozen
        wall = time.time_ns()
        self._offset = (start - wall) if start is not None else 0
        self._at = start if start is not None else wall
        self._last = 0

    def now(self) -> int:
        if self._frozen:
            return self._at
        # Never backwards, whatever is done to the machine's clock.
        self._last = max(self._last, time.time_ns() + self._offset)
        return self._last

    @staticmethod
    def wall() -> int:
        return time.time_ns()

    def advance(self, seconds: float) -> None:
        step = int(seconds * NS)
        if step < 0:
            raise ValueError("the clock goes forward alone")
        self._at += step
        self._offset += step

    def reach(self, ns: int) -> None:
        """At least `ns`: where a state is taken up again whose newest change lies ahead of the machine's clock."""
        behind = ns - self.now()
        if behind > 0:
            self._at += behind
            self._offset += behind
