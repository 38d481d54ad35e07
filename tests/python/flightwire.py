"""Flight SQL's messages by hand, on pyarrow's plain Flight client: what drivers do not let a test say."""
import pyarrow.flight as flight

SQL = "type.googleapis.com/arrow.flight.protocol.sql."


def varint(n):
    out = bytearray()
    while n > 0x7F:
        out.append(n & 0x7F | 0x80)
        n >>= 7
    return bytes(out) + bytes([n])


def field(number, value):
    """A field of text, bytes or a count."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    value = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(value)) + value


def message(**fields):
    """f1="a", f3=b"..." -> fields 1 and 3; None is left out."""
    return b"".join(field(int(k[1:]), v) for k, v in fields.items() if v is not None)


def read(data):
    """Fields of a message by number; repeated ones as lists."""
    out, at = {}, 0

    def number():
        nonlocal at
        n = shift = 0
        while True:
            b = data[at]
            at += 1
            n |= (b & 0x7F) << shift
            shift += 7
            if b < 0x80:
                return n

    while at < len(data):
        key = number()
        kind = key & 7
        if kind == 0:
            value = number()
        else:
            size = {1: 8, 5: 4}.get(kind) or number()
            value, at = data[at:at + size], at + size
        out.setdefault(key >> 3, []).append(value)
    return out


def command(name, **fields):
    return message(f1=SQL + name, f2=message(**fields))


class Raw:
    """A client with a bearer token."""

    def __init__(self, address, token):
        self.client = flight.FlightClient("grpc://" + address)
        self.options = flight.FlightCallOptions(headers=[(b"authorization", b"Bearer " + token.encode())])

    def info(self, name, **fields):
        return self.client.get_flight_info(flight.FlightDescriptor.for_command(command(name, **fields)), self.options)

    def table(self, name, **fields):
        return self.fetch(self.info(name, **fields))

    def fetch(self, info):
        return self.client.do_get(info.endpoints[0].ticket, self.options).read_all()

    def sql(self, query):
        return self.table("CommandStatementQuery", f1=query)

    def action(self, kind, body=b""):
        return [r.body.to_pybytes() for r in self.client.do_action(flight.Action(kind, body), self.options)]

    def prepare(self, query):
        """The handle of a prepared statement."""
        body = message(f1=SQL + "ActionCreatePreparedStatementRequest", f2=message(f1=query))
        done = read(self.action("CreatePreparedStatement", body)[0])
        return read(done[2][0])[1][0]
