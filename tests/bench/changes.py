"""A source whose records change a few at a time, and the truth of it: runs as a process beside the one that measures."""
import json, pathlib, random, sys, time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tools"))
from gen_opportunities import Oracle, dumps, iso, loads, make, spoil, update  # noqa: E402

# Of the records of one commit; the rest are newer versions. As many come as go, so that what is queried keeps its size.
NEW, DELETED, AGAIN, LATE, BAD = 0.10, 0.10, 0.05, 0.03, 0.01
DAY = 86_400_000


class Source:
    """Opportunities whose creation is spread over the months; each step is applied to the truth as it is made."""

    def __init__(self, months, seed):
        self.random, self.months = random.Random(seed), months
        self.oracle = Oracle()
        self.live, self.lines, self.older = [], {}, {}
        self.ids, self.ms, self.read = 0, 400 * DAY, 0

    def line(self, o):
        # The records of any moment are of all the months.
        o["CreatedDate"] = iso(int(o["Id"][1:]) % self.months * 30 * DAY + DAY)
        return dumps(o)

    def make(self):
        o = make(self.random, self.ids, self.ms, 20)
        self.ids += 1
        return o

    def tell(self, line):
        self.oracle.apply(line)
        self.read += 1
        return line

    def next(self, kind=None):
        """The next record of the source."""
        r = self.random
        self.ms += r.randint(1, 4000)
        x = 0 if kind == "new" else r.random()
        if x < NEW:
            o = self.make()
            self.live.append(o["Id"])
            self.lines[o["Id"]] = self.line(o)
            return self.tell(self.lines[o["Id"]])
        at = r.randrange(len(self.live))
        key = self.live[at]
        if x < NEW + DELETED:
            self.live[at] = self.live[-1]
            self.live.pop()
            del self.lines[key]
            self.older.pop(key, None)
            return self.tell(dumps({"Id": key, "Catalog": "AWS", "LastModifiedDate": iso(self.ms), "_operation": "delete"}))
        if x < NEW + DELETED + AGAIN:
            return self.tell(self.lines[key])
        if x < NEW + DELETED + AGAIN + LATE and key in self.older:
            return self.tell(self.older[key])
        if x > 1 - BAD:
            o = self.make()
            spoil(r, o)
            # Some faults are flags alone: such a record is a row like any other.
            line = self.line(o)
            self.tell(line)
            if o["Id"] in self.oracle.rows:
                self.live.append(o["Id"])
                self.lines[o["Id"]] = line
            return line
        self.older[key] = self.lines[key]
        self.lines[key] = self.line(update(r, loads(self.lines[key]), self.ms))
        return self.tell(self.lines[key])

    def truth(self):
        return {"read": self.read, "outcomes": self.oracle.outcomes, "live": {o["Id"]: [o["LastModifiedDate"], o["Stage"]] for o in self.oracle.live()}}


def put(folder, name, lines):
    """A file that appears at once under its name."""
    begun = folder / f"{name}.part"
    begun.write_bytes(b"\n".join(lines) + b"\n")
    begun.rename(folder / f"{name}.ndjson")


def follow(folder, base, records, every, months, seed, ready, go, stop, truth):
    """Writes the base, then a file each `every` seconds until it is told to stop, then the truth into a file."""
    source = Source(months, seed)
    put(folder, "base", [source.next("new") for _ in range(base)])
    ready.set()
    go.wait()
    files, due = 0, time.monotonic()
    while not stop.is_set():
        put(folder, f"changes-{files:06}", [source.next() for _ in range(records)])
        files += 1
        due += every
        stop.wait(max(0, due - time.monotonic()))
    truth.write_text(json.dumps({**source.truth(), "files": files}))
