"""Flight SQL of Lakewright and of Sail's server on the same Parquet data, driven alike by the ADBC driver and by pyarrow."""
import concurrent.futures, json, os, pathlib, shutil, socket, statistics, subprocess, sys, time

import adbc_driver_flightsql.dbapi as dbapi
import pyarrow as pa
import pyarrow.flight as flight
import pyarrow.parquet as pq

from lakewright import ROOT, Lakewright
from measure import say, table

# Sail pins a protobuf and pyarrow of its own: it lives in an environment of its own.
SAIL = ROOT / ".venv-sail" / "bin" / "sail"
PACK = """
pack: bench
entities:
  - name: Fact
    table: fact
    streams: [facts]
    key: {path: $.k}
    fields:
      - {name: k, type: int64, from: $.k}
      - {name: grp, type: int64, from: $.grp}
      - {name: amount, type: "decimal(18,2)", from: $.amount}
      - {name: name, type: string, from: $.name}
"""
# What both sides read: the entity's columns alone.
COLUMNS = "k, grp, amount, name"


def generate(path, rows):
    """Rows as the source has them; small enough that millions fit."""
    with open(path, "w") as f:
        for k in range(rows):
            f.write('{"k":%d,"grp":%d,"amount":"%d.%02d","name":"customer number %d"}\n' % (k, k % 1000, k % 100_000, k % 100, k % 50_000))


class Ours:
    """A node that took the rows in; its Silver files are what Sail reads too."""
    name = "lakewright"

    def __init__(self, a, rows, folder):
        source = folder / "source"
        source.mkdir(parents=True, exist_ok=True)
        generate(source / "facts.ndjson", rows)
        self.lake = Lakewright(folder / "node", folder / "none", a.binary)
        node = self.lake.node
        pack = folder / "pack"
        pack.mkdir(exist_ok=True)
        (pack / "entities.yaml").write_text(PACK)
        node.cli("pack", "load", str(pack), "--pin", "--tenant", "acme")
        config = json.dumps({"url": str(source), "stream": "facts"})
        node.cli("connector", "create", "--tenant", "acme", "--name", "facts", "--kind", "files", "--config", config)
        run = json.loads(node.cli("run", "start", "--tenant", "acme", "facts", "--follow", timeout=7200).stdout)
        run = run[0] if isinstance(run, list) else run
        if run["status"] != "succeeded":
            sys.exit(f"bench: the facts were not taken in: {json.dumps(run)[:2000]}")
        (source / "facts.ndjson").unlink()
        self.address, self.token, self.table = node.addresses()["flight"], node.token, "silver.fact"
        self.files = sorted((node.data / "lake").glob("silver/**/*.parquet")) or sorted(node.data.glob("**/silver/**/*.parquet"))
        self.files = [f for f in self.files if "__changes" not in str(f)]

    def connect(self):
        return dbapi.connect("grpc://" + self.address, db_kwargs={"adbc.flight.sql.authorization_header": f"Bearer {self.token}"}, autocommit=True)

    def raw(self):
        headers = [(b"authorization", b"Bearer " + self.token.encode())]
        return flight.FlightClient("grpc://" + self.address), flight.FlightCallOptions(headers=headers)

    def close(self):
        self.lake.close()


class Sail:
    """Sail's server over copies of the same columns, with Lakewright's row groups."""
    name = "sail"

    def __init__(self, files, folder):
        if not SAIL.exists():
            sys.exit(f"bench: {SAIL} is missing; install it: python3 -m venv .venv-sail && .venv-sail/bin/pip install pysail==0.7.2")
        data = folder / "sail"
        data.mkdir(parents=True, exist_ok=True)
        for i, f in enumerate(files):
            source = pq.ParquetFile(f)
            picked = source.read(columns=[c.strip() for c in COLUMNS.split(",")])
            pq.write_table(picked, data / f"{i}.parquet", compression="zstd", row_group_size=max(1, source.metadata.row_group(0).num_rows))
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            port = s.getsockname()[1]
        self.address, self.table = f"127.0.0.1:{port}", f"parquet.`{data}`"
        self.process = subprocess.Popen([str(SAIL), "flight", "server", "--port", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 60
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                return
            except OSError:
                if time.monotonic() > deadline or self.process.poll() is not None:
                    sys.exit("bench: Sail's server did not come up")
                time.sleep(0.1)

    def connect(self):
        return dbapi.connect("grpc://" + self.address, autocommit=True)

    def raw(self):
        return flight.FlightClient("grpc://" + self.address), flight.FlightCallOptions()

    def close(self):
        self.process.terminate()
        self.process.wait(30)


def drain(connection, sql):
    """Rows of an answer, read in batches as a client would."""
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return sum(b.num_rows for b in cursor.fetch_record_batch())


def timed(do):
    begun = time.perf_counter()
    got = do()
    return time.perf_counter() - begun, got


def lookups(side, keys, clients):
    """Point look-ups a second over all clients, each with a connection of its own."""
    def client(own):
        with side.connect() as c:
            drain(c, "SELECT 1")
            begun = time.perf_counter()
            for k in own:
                if drain(c, f"SELECT {COLUMNS} FROM {side.table} WHERE k = {k}") != 1:
                    sys.exit(f"bench: {side.name} does not find key {k}")
            return time.perf_counter() - begun
    with concurrent.futures.ThreadPoolExecutor(clients) as pool:
        spent = list(pool.map(client, [keys[i::clients] for i in range(clients)]))
    return len(keys) / max(spent)


def measure(side, rows, runs, keys):
    got = {}
    with side.connect() as c:
        fetch = f"SELECT {COLUMNS} FROM {side.table}"
        if drain(c, f"SELECT * FROM ({fetch}) LIMIT 1") != 1 or drain(c, fetch) != rows:
            sys.exit(f"bench: {side.name} has not {rows} rows")
        got["fetch"] = [timed(lambda: drain(c, fetch))[0] for _ in range(runs)]
        one = [timed(lambda: drain(c, "SELECT 1"))[0] for _ in range(50 * runs)]
        got["one"] = [statistics.median(one)]
        aggregate = f"SELECT grp, count(*), sum(amount) FROM {side.table} WHERE k < 1000000 GROUP BY grp"
        if drain(c, aggregate) != min(1000, rows):
            sys.exit(f"bench: {side.name} aggregates wrongly")
        got["aggregate"] = [timed(lambda: drain(c, aggregate))[0] for _ in range(3 * runs)]
    got["look 1"] = [1 / lookups(side, keys, 1) for _ in range(runs)]
    got["look 8"] = [1 / lookups(side, keys, 8) for _ in range(runs)]
    return {k: statistics.median(v) for k, v in got.items()}


def flight_job(a, failed):
    rows, folder = a.flight_rows, a.dir / "flight"
    say(f"flight: {rows:,} rows, {a.runs} runs of each, beside Sail (taking the rows in comes first)")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / "none").mkdir()
    ours = Ours(a, rows, folder)
    theirs = Sail(ours.files, folder)
    try:
        keys = [i * (rows // 200 or 1) % rows for i in range(200)]
        got = {side.name: measure(side, rows, a.runs, keys) for side in (ours, theirs)}
        bytes_, limit = raw_limit(ours)
    finally:
        ours.close()
        theirs.close()
    print_ratios(got, rows, bytes_, limit, failed)
    shutil.rmtree(folder, ignore_errors=True)


def raw_limit(side):
    """pyarrow's plain do_get of the same rows: what a client can take at best."""
    client, options = side.raw()
    with side.connect() as c, c.cursor() as cursor:
        cursor.execute(f"SELECT {COLUMNS} FROM {side.table}")
        rows = cursor.fetch_arrow_table()

    class Plain(flight.FlightServerBase):
        def do_get(self, context, ticket):
            return flight.RecordBatchStream(rows)

    with Plain("grpc://127.0.0.1:0") as server:
        plain = flight.FlightClient(f"grpc://127.0.0.1:{server.port}")
        spent = [timed(lambda: sum(b.data.num_rows for b in plain.do_get(flight.Ticket(b""))))[0] for _ in range(3)]
    return rows.nbytes, statistics.median(spent)


def print_ratios(got, rows, bytes_, limit, failed):
    names = {"fetch": f"fetch {rows:,} rows, s", "one": "SELECT 1, s", "aggregate": "aggregate over 1M rows, s", "look 1": "point look-up, 1 client, s",
             "look 8": "point look-up, 8 clients, s each"}
    lines = []
    for key, name in names.items():
        o, t = got["lakewright"][key], got["sail"][key]
        lines.append([name, f"{o:.4f}", f"{t:.4f}", f"{t / o:.2f}"])
    table(["median", "lakewright", "sail", "sail : lakewright"], lines)
    say(f"  fetch: {bytes_ / got['lakewright']['fetch'] / 1e6:,.0f} MB/s; pyarrow's own do_get of the same rows: {bytes_ / limit / 1e6:,.0f} MB/s")
    ratio = got["sail"]["fetch"] / got["lakewright"]["fetch"]
    say(f"  fetch, lakewright : sail = {ratio:.2f}, at least 1: {'ok' if ratio >= 1 else 'TOO SLOW'}")
    if ratio < 1:
        failed.append("flight fetch")
