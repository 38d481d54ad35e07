"""The admin API as a client with one open connection calls it: gRPC by hand, since the tests' environment has no gRPC library.

Unary calls over plain HTTP/2, one at a time. Messages are written and read with `flightwire`.
"""
import socket, struct, sys, time

from lakewright import ROOT

sys.path.insert(0, str(ROOT / "tests" / "python"))
from flightwire import message, read  # noqa: E402

DATA, HEADERS, RST, SETTINGS, PING, GOAWAY, WINDOW = 0, 1, 3, 4, 6, 7, 8
END_STREAM, END_HEADERS, ACK = 1, 4, 1
WIDE = (1 << 31) - 1


def text(value):
    """A string of HPACK, as it is."""
    value = value.encode()
    if len(value) < 127:
        return bytes([len(value)]) + value
    rest, out = len(value) - 127, bytearray([127])
    while rest > 127:
        out.append(rest & 127 | 128)
        rest >>= 7
    return bytes(out) + bytes([rest]) + value


class Admin:
    """A connection to a node's admin API with a token."""

    def __init__(self, address, token):
        host, port = address.rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)), 60)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.reader = self.socket.makefile("rb", 1 << 16)
        self.headers = {":method": "POST", ":scheme": "http", ":authority": address, "content-type": "application/grpc", "te": "trailers",
                        "authorization": f"Bearer {token}"}
        self.stream, self.took = -1, 0
        # The answers' size is not this client's concern: windows as wide as they can be.
        self.socket.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + self.frame(SETTINGS, 0, 0, struct.pack(">HI", 4, WIDE))
                            + self.frame(WINDOW, 0, 0, struct.pack(">I", WIDE - 65_535)))

    @staticmethod
    def frame(kind, flags, stream, payload=b""):
        return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload

    def call(self, method, request):
        """The answer's bytes; `took` is how many seconds they took to come. Reading them in Python is not the node's time."""
        begun = time.perf_counter()
        self.stream += 2
        path = {**self.headers, ":path": f"/lakewright.admin.v1.Admin/{method}"}
        # Pseudo-headers come first.
        block = b"".join(b"\x00" + text(k) + text(v) for k, v in sorted(path.items(), key=lambda p: not p[0].startswith(":")))
        self.socket.sendall(self.frame(HEADERS, END_HEADERS, self.stream, block)
                            + self.frame(DATA, END_STREAM, self.stream, b"\0" + struct.pack(">I", len(request)) + request))
        body = bytearray()
        while True:
            head = self.reader.read(9)
            if len(head) < 9:
                sys.exit(f"bench: the node closed the connection during {method}")
            kind, flags, stream = head[3], head[4], struct.unpack(">I", head[5:])[0] & WIDE
            payload = self.reader.read(int.from_bytes(head[:3], "big"))
            if kind == DATA:
                body += payload
                if payload:
                    self.socket.sendall(self.frame(WINDOW, 0, 0, struct.pack(">I", len(payload))))
            elif kind == SETTINGS and not flags & ACK:
                self.socket.sendall(self.frame(SETTINGS, ACK, 0))
            elif kind == PING and not flags & ACK:
                self.socket.sendall(self.frame(PING, ACK, 0, payload))
            elif kind in (RST, GOAWAY):
                sys.exit(f"bench: the node broke {method} off: {payload!r}")
            if kind in (DATA, HEADERS) and flags & END_STREAM and stream == self.stream:
                break
        self.took = time.perf_counter() - begun
        # A refusal has trailers and no message.
        if len(body) < 5 or len(body) != 5 + struct.unpack(">I", body[1:5])[0]:
            sys.exit(f"bench: the node refused {method} of {request!r}; the same on the command line says why")
        return bytes(body[5:])

    def walk(self, tenant, down=False, depth=0, limit=0, **start):
        """WalkLineage from a table, commit or address: its nodes as (id, kind, depth), its edges as (from, to), truncated."""
        numbers = {"table": "f2", "commit": "f3", "address": "f4"}
        fields = {numbers[k]: v for k, v in start.items()}
        got = read(self.call("WalkLineage", message(f1=tenant, **fields, f5=2 if down else 1, f6=depth or None, f7=limit or None)))
        nodes = [read(n) for n in got.get(1, [])]
        edges = [read(e) for e in got.get(2, [])]
        return ([(n[1][0].decode(), n[2][0], n.get(4, [0])[0]) for n in nodes], [(e[1][0].decode(), e[2][0].decode()) for e in edges], bool(got.get(3)))

    def explain(self, tenant, table, key, column):
        """Explain of a Silver cell: its value as JSON, its source record's bytes and place, its changes."""
        got = read(self.call("Explain", message(f1=tenant, f2=table, f3=key, f4=column)))
        origin = read(got[6][0])
        return got[4][0].decode(), origin.get(11, [b""])[0], origin.get(9, [b""])[0].decode(), len(got.get(8, []))

    def close(self):
        self.reader.close()
        self.socket.close()
