"""HTTP/1.1 by hand over asyncio: keep-alive, and answers that may come late, cut short or not at all."""

from __future__ import annotations

import asyncio
import socket
import struct
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from email.utils import formatdate
from http import HTTPStatus

HEAD_LIMIT = 64 * 1024
BODY_LIMIT = 16 * 1024 * 1024


@dataclass
class Request:
    """One request; header names are in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Response:
    """One answer, and what is to go wrong with it."""

    status: int
    body: bytes
    content_type: str
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0.0
    truncate: bool = False
    reset: bool = False


class Connection(asyncio.Protocol):
    """Reads requests one after another; the next is looked at when the last is answered."""

    def __init__(self, handle: Callable[[Request], Response]):
        self._handle = handle
        self._buffer = bytearray()
        self._transport: asyncio.Transport | None = None
        self._busy = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        taken = transport.get_extra_info("socket")
        taken.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        self._next()

    def _next(self) -> None:
        while not self._busy and self._transport is not None:
            try:
                request = self._take()
            except ValueError as fault:
                self._write(Response(400, str(fault).encode(), "text/plain"), close=True)
                return
            if request is None:
                return
            response = self._answer(request)
            close = request.headers.get("connection", "").lower() == "close"
            if response.delay > 0:
                self._busy = True
                asyncio.get_running_loop().call_later(response.delay, self._late, response, close)
            else:
                self._write(response, close)

    def _answer(self, request: Request) -> Response:
        try:
            return self._handle(request)
        except Exception:  # a fault of the stand-in itself, which must not pass for one of the service
            traceback.print_exc()
            return Response(500, b"the stand-in has failed; see its standard error", "text/plain")

    def _late(self, response: Response, close: bool) -> None:
        self._busy = False
        self._write(response, close)
        self._next()

    def _take(self) -> Request | None:
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            if len(self._buffer) > HEAD_LIMIT:
                raise ValueError("head too large")
            return None
        lines = bytes(self._buffer[:end]).decode("latin-1").split("\r\n")
        words = lines[0].split(" ")
        if len(words) != 3 or not words[2].startswith("HTTP/1."):
            raise ValueError("no HTTP/1.1 request line")
        headers: dict[str, str] = {}
        for line in lines[1:]:
            name, colon, value = line.partition(":")
            if not colon:
                raise ValueError("a header without a colon")
            headers[name.lower()] = value.strip()
        if "transfer-encoding" in headers:
            raise ValueError("a body needs Content-Length here")
        size = int(headers.get("content-length") or 0)
        if not 0 <= size <= BODY_LIMIT:
            raise ValueError("body too large")
        if len(self._buffer) < end + 4 + size:
            if headers.get("expect", "").lower() == "100-continue" and len(self._buffer) == end + 4 and self._transport:
                self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            return None
        body = bytes(self._buffer[end + 4 : end + 4 + size])
        del self._buffer[: end + 4 + size]
        return Request(words[0], words[1], headers, body)

    def _write(self, response: Response, close: bool) -> None:
        if self._transport is None:
            return
        if response.reset:
            # Linger of zero makes the close a reset, as when a process dies.
            taken = self._transport.get_extra_info("socket")
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self._transport.abort()
            return
        head = [
            f"HTTP/1.1 {response.status} {HTTPStatus(response.status).phrase}",
            f"Content-Type: {response.content_type}",
            f"Content-Length: {len(response.body)}",
            f"Date: {formatdate(usegmt=True)}",
        ]
        head += [f"{name}: {value}" for name, value in response.headers.items()]
        if close:
            head.append("Connection: close")
        body = response.body[: len(response.body) // 2] if response.truncate else response.body
        self._transport.write("\r\n".join(head).encode("latin-1") + b"\r\n\r\n" + body)
        if close or response.truncate:
            self._transport.close()


async def listen(handle: Callable[[Request], Response], host: str, port: int) -> asyncio.Server:
    return await asyncio.get_running_loop().create_server(lambda: Connection(handle), host, port, backlog=512)
