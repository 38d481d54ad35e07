"""HTTP/1.1 by hand over asyncio: keep-alive, and answers that may come late, cut short or not at all."""

from __future__ import annotations

import asyncio
import functools
import itertools
import socket
import struct
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from email.utils import formatdate
from http import HTTPStatus

HEAD_LIMIT = 64 * 1024
BODY_LIMIT = 16 * 1024 * 1024
PIECE = 100  # lines of a stream at a time


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
    stream: Iterator[bytes] | None = None  # sent in pieces instead of the body, so that other connections are not held up


class Connection(asyncio.Protocol):
    """Reads requests one after another; the next is looked at when the last is answered."""

    def __init__(self, handle: Callable[[Request], Response]):
        self._handle = handle
        self._buffer = bytearray()
        self._transport: asyncio.Transport | None = None
        self._busy = False
        self._paused = False
        self._pump: Callable[[], None] | None = None

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
            elif response.stream is not None:
                self._busy = True
                self._head(response, close, "Transfer-Encoding: chunked")
                self._pump = functools.partial(self._piece, response.stream, close)
                self._pump()
            else:
                self._write(response, close)

    def pause_writing(self) -> None:
        self._paused = True

    def resume_writing(self) -> None:
        self._paused = False
        if self._pump is not None:
            self._pump()

    def _piece(self, stream: Iterator[bytes], close: bool) -> None:
        """The next lines of a stream; the one after when the loop has seen to the others."""
        if self._transport is None or self._paused:
            return
        data = b"".join(itertools.islice(stream, PIECE))
        if data:
            self._transport.write(b"%x\r\n%b\r\n" % (len(data), data))
            asyncio.get_running_loop().call_soon(lambda: self._pump() if self._pump is not None else None)
            return
        self._transport.write(b"0\r\n\r\n")
        self._pump, self._busy = None, False
        if close:
            self._transport.close()
        self._next()

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
        body = response.body[: len(response.body) // 2] if response.truncate else response.body
        self._head(response, close, f"Content-Length: {len(response.body)}", body)
        if close or response.truncate:
            self._transport.close()

    def _head(self, response: Response, close: bool, length: str, body: bytes = b"") -> None:
        head = [
            f"HTTP/1.1 {response.status} {HTTPStatus(response.status).phrase}",
            f"Content-Type: {response.content_type}",
            length,
            f"Date: {formatdate(usegmt=True)}",
        ]
        head += [f"{name}: {value}" for name, value in response.headers.items()]
        if close:
            head.append("Connection: close")
        assert self._transport is not None
        self._transport.write("\r\n".join(head).encode("latin-1") + b"\r\n\r\n" + body)


async def listen(handle: Callable[[Request], Response], host: str, port: int) -> asyncio.Server:
    return await asyncio.get_running_loop().create_server(lambda: Connection(handle), host, port, backlog=512)
