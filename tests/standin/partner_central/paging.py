"""NextToken: where in an order the last page ended, so that records that change between pages move as they do in the service."""

from __future__ import annotations

import base64
import bisect
import hashlib
import hmac
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .errors import invalid
from .store import Body, Place
from .timestamps import NS

PREFIX = "AAMA-"


@dataclass
class Pager:
    """Makes and reads the tokens of a server; they name the request's filters, so that they serve for no other."""

    secret: bytes
    lifetime: int = 24 * 3600 * NS

    def _sealed(self, payload: bytes) -> bytes:
        return hmac.new(self.secret, payload, "sha256").digest()[:12]

    def write(self, operation: str, request: Body, position: list[Any], now: int) -> str:
        payload = json.dumps([_named(operation, request), position, now]).encode()
        return PREFIX + base64.urlsafe_b64encode(self._sealed(payload) + payload).decode()

    def read(self, operation: str, request: Body, now: int) -> list[Any] | None:
        token = request.get("NextToken")
        if not token:
            return None
        try:
            raw = base64.urlsafe_b64decode(token.removeprefix(PREFIX).encode())
        except ValueError:
            raw = b""
        seal, payload = raw[:12], raw[12:]
        if not payload or not hmac.compare_digest(seal, self._sealed(payload)):
            raise invalid("NextToken", "is no token of this service")
        position: list[Any]
        named, position, issued = json.loads(payload)
        if named != _named(operation, request):
            raise invalid("NextToken", "belongs to a request with other parameters")
        if now - issued > self.lifetime:
            raise invalid("NextToken", "has expired")
        return position


def _named(operation: str, request: Body) -> str:
    rest = {k: v for k, v in sorted(request.items()) if k not in ("NextToken", "MaxResults") and v is not None}
    return hashlib.sha256(json.dumps([operation, rest], sort_keys=True).encode()).hexdigest()[:16]


def by_key(
    index: list[Place],
    after: list[Any] | None,
    descending: bool,
    limit: int,
    accept: Callable[[str], bool],
    low: Any = None,
    high: Any = None,
) -> tuple[list[str], list[Any] | None]:
    """A page after a place in the order, within the closed range of keys low..high; ids and the place where it ended, if more follow."""
    first = 0 if low is None else bisect.bisect_left(index, (low, ""))
    end = len(index) if high is None else bisect.bisect_right(index, (high, "\U0010ffff"))
    if after is not None:
        place = (after[0], after[1])
        if descending:
            end = min(end, bisect.bisect_left(index, place))
        else:
            first = max(first, bisect.bisect_right(index, place))
    span = range(end - 1, first - 1, -1) if descending else range(first, end)
    taken: list[Place] = []
    for i in span:
        if accept(index[i][1]):
            if len(taken) == limit:
                return [identifier for _, identifier in taken], list(taken[-1])
            taken.append(index[i])
    return [identifier for _, identifier in taken], None


def by_offset(
    index: list[Place],
    after: list[Any] | None,
    descending: bool,
    limit: int,
    accept: Callable[[str], bool],
    low: Any = None,
    high: Any = None,
) -> tuple[list[str], list[Any] | None]:
    """A page by count: what is taken out before the place makes later records slip onto the page already read."""
    everything, _ = by_key(index, None, descending, len(index) + 1, accept, low, high)
    start = after[0] if after else 0
    end = start + limit
    return everything[start:end], [end] if end < len(everything) else None
