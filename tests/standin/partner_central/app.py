"""From a request to an answer: who signs, what goes wrong on purpose, quota, validation, operation."""

from __future__ import annotations

import json
import random
import uuid
from typing import Any
from urllib.parse import parse_qsl

from . import errors, sigv4, sts
from .control import Control
from .cosell_make import expire
from .credentials import Key
from .errors import ServiceError
from .faults import STS, Rule
from .operations import OPERATIONS
from .service import Service
from .wire import Request, Response

TARGET = "AWSPartnerCentralSelling."
JSON10 = "application/x-amz-json-1.0"
REGION = "us-east-1"


class App:
    """Answers every request of the port: the selling API, STS, and the control endpoints."""

    def __init__(self, service: Service):
        self._service = service
        self._control = Control(service)
        self._sts = sts.Sts(service.known, service.session_issued)
        self._ids = random.Random(f"{service.options.seed}/request ids")

    def __call__(self, request: Request) -> Response:
        if request.path.startswith("/_standin/"):
            return self._control.answer(request)
        request_id = str(uuid.UUID(int=self._ids.getrandbits(128), version=4))
        if "x-amz-target" in request.headers:
            return self._selling(request, request_id)
        return self._token(request, request_id)

    def _selling(self, request: Request, request_id: str) -> Response:
        target = request.headers["x-amz-target"]
        operation = target.removeprefix(TARGET)
        headers = {"x-amzn-RequestId": request_id}
        fault: Rule | None = None
        try:
            world = self._service.world(self._signer(request, "partnercentral-selling", REGION), operation)
            if request.method != "POST" or request.path != "/" or not target.startswith(TARGET) or operation not in OPERATIONS:
                raise errors.unknown_operation()
            # A call that fails has cost its share of the quota.
            if not world.meter.admit(operation, self._service.clock.now()):
                raise errors.throttled()
            fault = self._fault(operation)
            early = self._early(fault, operation)
            if early is not None:
                return early
            if "Invitation" in operation:
                expire(world, self._service.clock.now())
            body = OPERATIONS[operation](world, self._read(operation, request.body))
            plain = world.odd["content-type"] and int(request_id[-1], 16) < 2
            response = Response(200, body, "application/json" if plain else JSON10, headers)
        except ServiceError as said:
            self._service.errors[f"{operation if operation in OPERATIONS else 'other'}:{said.type}"] += 1
            response = Response(said.status, said.body(), JSON10, {**headers, "x-amzn-ErrorType": said.type})
        return self._spoiled(response, fault)

    def _signer(self, request: Request, name: str, region: str | None) -> Key:
        service = self._service
        return sigv4.verify(
            service.known,
            name,
            region,
            request.method,
            request.path,
            request.headers,
            request.body,
            service.clock.wall(),
            service.clock.now(),
        )

    def _read(self, operation: str, body: bytes) -> dict[str, Any]:
        try:
            given = json.loads(body or b"{}")
        except ValueError:
            raise errors.serialization("Unable to parse the request body as JSON") from None
        found = self._service.shapes.faults_of_input(operation, given)
        if found:
            raise errors.validation(found)
        given = {k: v for k, v in given.items() if v is not None}
        if given.get("Catalog") not in (None, "AWS", "Sandbox"):
            raise errors.invalid("Catalog", "must be AWS or Sandbox")
        return given

    def _fault(self, operation: str) -> Rule | None:
        fault = self._service.faults.of(operation)
        if fault is not None:
            self._service.injected[f"{operation}:{fault.kind}"] += 1
        return fault

    def _early(self, fault: Rule | None, operation: str) -> Response | None:
        """What answers in the operation's place; slow and truncated answers are real ones."""
        if fault is None or fault.late:
            return None
        if fault.kind == "500":
            raise errors.internal()
        if fault.kind == "throttle":
            raise errors.throttled()
        if fault.kind == "expired":
            raise errors.expired_token()
        if fault.kind == "denied":
            raise errors.denied(f"User is not authorized to perform: {operation}")
        if fault.kind == "503":
            return Response(503, b"<html><body><b>Http/1.1 Service Unavailable</b></body> </html>", "text/html")
        if fault.kind == "reset":
            return Response(200, b"", JSON10, reset=True)
        return None

    def _spoiled(self, response: Response, fault: Rule | None) -> Response:
        if fault is not None:
            response.delay = fault.seconds if fault.kind == "slow" else 0.0
            response.truncate = fault.kind == "truncate"
            if fault.late and fault.kind in ("reset", "500", "503"):
                # The operation has run and its caller does not learn it.
                response.reset = fault.kind == "reset"
                if fault.kind != "reset":
                    response = Response(int(fault.kind), errors.internal().body(), JSON10, response.headers)
        return response

    def _token(self, request: Request, request_id: str) -> Response:
        headers = {"x-amzn-RequestId": request_id}
        action, fault = dict(parse_qsl(request.body.decode("latin-1"))).get("Action", ""), None
        try:
            key = self._signer(request, "sts", None)
            fault = self._fault(action) if action in STS else None
            early = self._early(fault, action)
            if early is not None:
                return early
            body = self._sts.answer(key, request.body, self._service.clock.now(), request_id)
            self._service.sts_calls[f"{action}:ok"] += 1
            return self._spoiled(Response(200, body, "text/xml", headers), fault)
        except ServiceError as said:
            status, body = sts.error_body(said, request_id)
            self._service.sts_calls[f"{action if action in STS else 'other'}:{said.type}"] += 1
            return Response(status, body, "text/xml", headers)
