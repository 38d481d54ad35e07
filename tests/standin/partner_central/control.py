"""The endpoints for tests and demos under /_standin/, which the real service does not have."""
from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from .wire import Request, Response

if TYPE_CHECKING:
    from .service import Service


class Control:
    """Stats, faults, time, truth and history."""

    def __init__(self, service: "Service"):
        self._service = service

    def answer(self, request: Request) -> Response:
        name = request.path.removeprefix("/_standin/").partition("?")[0]
        if (request.method, name) == ("GET", "health"):
            return _json(200, {"ok": True})
        return _json(404, {"error": f"no {request.method} {request.path}"})


def _json(status: int, value: Any) -> Response:
    return Response(status, json.dumps(value).encode(), "application/json")
