"""The endpoints for tests and demos under /_standin/, which the real service does not have."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

from . import changes, telling, timestamps
from .wire import Request, Response
from .world import World

if TYPE_CHECKING:
    from .service import Service

Asked = dict[str, Any]


class Control:
    """Stats, faults, oddities, time and change, truth and history."""

    def __init__(self, service: "Service"):
        self._service = service
        self._ways: dict[tuple[str, str], Callable[[Asked], Response]] = {
            ("GET", "health"): lambda _: _json({"ok": True}),
            ("GET", "stats"): self._stats,
            ("DELETE", "stats"): self._forget,
            ("GET", "truth"): lambda asked: _lines(telling.truth(self._worlds(asked), asked)),
            ("GET", "history"): lambda asked: _lines(telling.history(self._worlds(asked), asked)),
            ("POST", "advance"): self._advance,
            ("GET", "faults"): lambda _: _json(self._service.faults.told()),
            ("POST", "faults"): self._set_faults,
            ("DELETE", "faults"): lambda _: self._set_faults({}),
            ("GET", "oddities"): lambda _: _json(self._service.odd.told()),
            ("POST", "oddities"): self._switch,
            ("POST", "limits"): self._limits,
            ("POST", "expire-sessions"): lambda _: _json({"ended": service.known.expire_all(service.clock.now())}),
        }

    def answer(self, request: Request) -> Response:
        parts = urlsplit(request.path)
        way = self._ways.get((request.method, parts.path.removeprefix("/_standin/")))
        if way is None:
            return _json({"error": f"no {request.method} {parts.path}", "ways": [" ".join(w) for w in self._ways]}, 404)
        try:
            asked: Asked = dict(parse_qsl(parts.query))
            if request.body:
                asked.update(json.loads(request.body))
            return way(asked)
        except (ValueError, TypeError, KeyError) as fault:
            return _json({"error": f"{type(fault).__name__}: {fault}"}, 400)

    def _worlds(self, asked: Asked) -> list[World]:
        account = asked.get("account")
        return [self._service.worlds[account]] if account else list(self._service.worlds.values())

    def _stats(self, asked: Asked) -> Response:
        service = self._service
        accounts = {
            world.account: {**world.meter.told(), "records": {e: world.store.count(e) for e in world.store.entities}}
            for world in self._worlds(asked)
        }
        return _json(
            {
                "now": timestamps.nanos(service.clock.now()),
                "accounts": accounts,
                "errors": dict(sorted(service.errors.items())),
                "injected": dict(sorted(service.injected.items())),
                "sts": dict(sorted(service.sts_calls.items())),
            }
        )

    def _forget(self, asked: Asked) -> Response:
        for world in self._worlds(asked):
            world.meter.reset()
        for counter in (self._service.errors, self._service.injected, self._service.sts_calls):
            counter.clear()
        return _json({"ok": True})

    def _advance(self, asked: Asked) -> Response:
        done = changes.advance(self._worlds(asked), float(asked.get("seconds", 0)), int(asked.get("changes", 0)), asked.get("kinds"))
        now = self._service.clock.now()
        if self._service.journal is not None:
            self._service.journal.clock(now)
        return _json({"now": timestamps.nanos(now), "changes": done})

    def _set_faults(self, asked: Asked) -> Response:
        self._service.faults.set(int(asked.get("seed", 0)), asked.get("rules", []))
        return _json(self._service.faults.told())

    def _switch(self, asked: Asked) -> Response:
        for name, on in asked.items():
            self._service.odd.switch(name, bool(on))
        return _json(self._service.odd.told())

    def _limits(self, asked: Asked) -> Response:
        """Other quotas from now on; the counts of the last 24 hours stay."""
        worlds = self._worlds({"account": asked.pop("account", None)})
        for world in worlds:
            world.meter.change(asked)
        return _json({world.account: vars(world.meter.limits) for world in worlds})


def _json(value: Any, status: int = 200) -> Response:
    return Response(status, json.dumps(value).encode(), "application/json")


def _lines(rows: Iterator[bytes]) -> Response:
    return Response(200, b"", "application/x-ndjson", stream=rows)
