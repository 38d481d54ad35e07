#!/usr/bin/env python3
"""Measures lineage walks in a catalog with a million edges.

  lineage.py [--edges 1000000] [--tables 4]

The edges are a node's own: nothing is written into the catalog but by ingestion. Each record (padded with spaces to the least
that is fetched at once) becomes a Bronze commit of its own; a commit has an edge from its source and one into each Silver
table that its stream feeds. Then a mart is built, and a client with one open connection walks both ways. Ledgers and a sample
of walks are compared with what was generated before a time is printed. Limit: 50 ms at p99, of each kind of walk.

What the command line and SQL (`system.lineage`) take is printed beside it, without a limit: the one starts a process, the
other lists the newest edges of the tenant.
"""
import argparse, json, pathlib, random, shutil, statistics, sys, time

import pyarrow

from admin import Admin
from lakewright import ROOT, Lakewright
from measure import cpu_seconds, memory_mib, p99, quiet, say, settle_disk, table

# The least of `ingest.batch_bytes`, and so of what one fetch takes.
FETCH = 64 << 10
SETTINGS = ["ingest.batch_bytes=64KiB", "ingest.batch_rows=1", "log.filter=warn"]
SHARDS, FILES, KEYS = 8, 64, 50
LIMIT_MS = 50
ENTITY = """
  - name: Fact{n}
    table: fact_{n}
    streams: [facts]
    key: {{path: $.k}}
    version: {{path: $.v, type: int64}}
    fields:
      - {{name: k, type: string, from: $.k}}
      - {{name: amount, type: int64, from: $.v}}
"""
MART = """
marts:
  - name: facts_mart
    description: "how many facts there are, and their sum"
    sql: mart.sql
    grain: [digit]
    debounce_seconds: 60
"""
MART_SQL = "SELECT amount % 10 AS digit, count(*) AS facts, sum(amount) AS amount FROM silver.fact_0 GROUP BY 1"
failed = []


def pack(folder, tables):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "entities.yaml").write_text("pack: lineage\nentities:" + "".join(ENTITY.format(n=n) for n in range(tables)))
    (folder / "marts.yaml").write_text(MART)
    (folder / "mart.sql").write_text(MART_SQL)
    return folder


def generate(folder, records):
    """Files of records that each fill a fetch; keys are of one file, so their order is its order. Answers the truth."""
    folder.mkdir(parents=True)
    inserted = 0
    for f in range(FILES):
        own = range(f, records, FILES)
        with pyarrow.CompressedOutputStream(str(folder / f"{f:03}.ndjson.zst"), "zstd") as out:
            for i, n in enumerate(own):
                head, tail = f'{{"k":"{f}-{i % KEYS}","v":{n},', '"end":0}\n'
                out.write((head + " " * (FETCH - len(head) - len(tail) + 1) + tail).encode())
        inserted += min(KEYS, len(own))
    return {"read": records, "inserted": inserted, "updated": records - inserted}


def ingest(a, lake, folder, truth):
    """One run that reads it all, followed as it goes; answers its commits."""
    node = lake.node
    node.cli("pack", "load", str(pack(folder / "pack", a.tables)), "--pin", "--tenant", "acme")
    config = json.dumps({"url": str(folder / "source"), "stream": "facts", "shards": SHARDS})
    node.cli("connector", "create", "--tenant", "acme", "--name", "facts", "--kind", "files", "--config", config)
    run, begun, told = node.run(connector="facts"), time.monotonic(), 0
    while True:
        got = node.get_run(run)
        if got["status"] not in ("running", "settling"):
            break
        if time.monotonic() - told > 30:
            told = time.monotonic()
            say(f"  {told - begun:5.0f} s: {got['read']:,} of {truth['read']:,} records, {memory_mib(lake.pid, 'VmRSS'):.0f} MiB")
        time.sleep(1)
    if got["status"] != "succeeded" or not got["stats_json"]["exact"]:
        sys.exit(f"bench: the run is not exact: {json.dumps(got)[:2000]}")
    ledgers = {(l["inserted"], l["updated"]) for l in got["ledger"]}
    if got["read"] != truth["read"] or len(got["ledger"]) != a.tables or ledgers != {(truth["inserted"], truth["updated"])}:
        sys.exit(f"bench: the run is wrong: it read {got['read']:,} and counts {ledgers} in {len(got['ledger'])} tables, the truth is {truth}")
    seconds = time.monotonic() - begun
    commits = node.sql(f"SELECT commits FROM system.runs WHERE run_id = '{run}'")[0][0]
    if commits != truth["read"]:
        sys.exit(f"bench: {commits:,} commits for {truth['read']:,} records that were to have one each")
    say(f"  {commits:,} commits in {seconds:.0f} s, {commits / seconds:,.0f} a second")
    return commits


def check(admin, commits, tables, sample):
    """Each of a sample of commits has its edges: one from the source, one into each table. Answers the edges of all."""
    for seq in sample:
        nodes, up, _ = admin.walk("acme", commit=seq)
        _, down, _ = admin.walk("acme", commit=seq, down=True, depth=1)
        if len(up) != 1 or not up[0][0].startswith("source/") or len(down) != tables or len({t for _, t in down}) != tables:
            sys.exit(f"bench: commit {seq} has {up} and {down}: not one source and {tables} tables")
    return commits * (1 + tables)


def spent(admin, do, walks):
    """Milliseconds of each of many walks, and how many edges they found at least and at most."""
    times, found = [], []
    for start in walks:
        _, edges, _ = do(start)
        times.append(admin.took * 1e3)
        found.append(len(edges))
    return times, (min(found), max(found))


def walks(a, admin, first, last, addresses):
    """Every way in which a client asks."""
    r = random.Random(a.seed)
    seqs = lambda: [r.randint(first, last) for _ in range(a.walks)]
    again = [None] * a.walks
    names = lambda: [f"silver.fact_{r.randrange(a.tables)}" for _ in range(a.walks)]
    return [
        ("record to its source", lambda x: admin.walk("acme", address=x), [r.choice(addresses) for _ in again]),
        ("record to marts", lambda x: admin.walk("acme", address=x, down=True), [r.choice(addresses) for _ in again]),
        ("commit to its source", lambda x: admin.walk("acme", commit=x), seqs()),
        ("commit to marts", lambda x: admin.walk("acme", commit=x, down=True), seqs()),
        ("table to sources, 200 nodes", lambda x: admin.walk("acme", table=x, limit=200), names()),
        ("table to sources, 1,000 nodes", lambda x: admin.walk("acme", table=x), names()),
        ("table to marts, 1,000 nodes", lambda x: admin.walk("acme", table=x, down=True), names()),
        ("mart to sources, 200 nodes", lambda x: admin.walk("acme", table="gold.facts_mart", limit=200), again),
        ("mart to sources, 1,000 nodes", lambda x: admin.walk("acme", table="gold.facts_mart"), again),
    ]


def measure(a, lake, admin, commits):
    node = lake.node
    # Nothing else commits here: they are numbered from 1, and the newest row is of the last one.
    first, last = 1, node.sql("SELECT MAX(_commit_seq) FROM silver.fact_0")[0][0]
    if last != commits:
        sys.exit(f"bench: the newest row is of commit {last}, not {commits}")
    rows = node.sql("SELECT _address_shard, _address_offset FROM silver.fact_0")
    addresses = [f"{s}/{o}" for s, o in rows]
    edges = check(admin, commits, a.tables, random.Random(a.seed).sample(range(first, last + 1), min(100, commits)))
    merges = node.sql("SELECT COUNT(DISTINCT _change_commit) FROM silver.fact_0__changes")[0][0]
    say(f"  {edges:,} edges out of sources and of Bronze, as a sample of walks confirms; a Silver commit has about {commits / merges:,.0f} inputs")
    lines = []
    for name, do, starts in walks(a, admin, first, last, addresses):
        spent(admin, do, starts[:3])
        times, (least, most) = spent(admin, do, starts)
        worst = p99(times)
        lines.append([name, f"{least}-{most}", f"{statistics.median(times):.2f}", f"{worst:.2f}", "ok" if worst <= LIMIT_MS else "TOO SLOW"])
        if worst > LIMIT_MS:
            failed.append(name)
    say()
    table([f"lineage walks, {a.walks} of each", "edges", "p50, ms", "p99, ms", f"limit {LIMIT_MS} ms"], lines)
    beside(a, node, first, last)


def beside(a, node, first, last):
    """The same through a process of its own, and what SQL shows."""
    r, lines = random.Random(a.seed + 1), []
    cli = lambda *words: (lambda: node.cli("lineage", "walk", "--tenant", "acme", *words))
    sql = lambda query: (lambda: node.sql(query))
    ways = [("command line, commit to marts", cli("--commit", str(r.randint(first, last)), "--down"), 20), ("command line, table to sources", cli("silver.fact_0"), 20),
            ("command line, --version", lambda: node.cli("--version", as_json=False), 20),
            ("SQL, system.lineage of one commit", sql(f"SELECT * FROM system.lineage WHERE commit_seq = {last}"), 5),
            ("SQL, COUNT(*) of system.lineage", sql("SELECT COUNT(*) FROM system.lineage"), 5)]
    for name, do, times in ways:
        took = []
        for _ in range(times):
            begun = time.perf_counter()
            do()
            took.append((time.perf_counter() - begun) * 1e3)
        lines.append([name, f"{statistics.median(took):.0f}", f"{max(took):.0f}"])
    say()
    table(["beside it, no limit", "median, ms", "most, ms"], lines)
    say(f"  system.lineage shows {node.sql('SELECT COUNT(*) FROM system.lineage')[0][0]:,} edges, its newest")


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--edges", type=int, default=1_000_000)
    ap.add_argument("--tables", type=int, default=4, help="Silver tables that each commit feeds")
    ap.add_argument("--walks", type=int, default=500, help="of each kind")
    ap.add_argument("--seed", type=int, default=7)
    ap.add_argument("--dir", type=pathlib.Path, default=ROOT / "bench-data")
    ap.add_argument("--binary", type=pathlib.Path, help="another node binary")
    a = ap.parse_args()
    folder = a.dir.resolve() / "lineage"
    shutil.rmtree(folder, ignore_errors=True)
    records = -(-a.edges // (1 + a.tables))
    say(f"lineage: {records:,} commits that feed {a.tables} tables each")
    truth = generate(folder / "source", records)
    (folder / "none").mkdir()
    settle_disk()
    lake = Lakewright(folder / "node", folder / "none", a.binary, SETTINGS)
    try:
        commits = ingest(a, lake, folder, truth)
        lake.node.cli("mart", "rebuild", "facts_mart", "--tenant", "acme")
        # Compaction and what is left to be packed.
        quiet(lambda: int(cpu_seconds(lake.pid) * 2), 3, 900)
        admin = Admin(lake.node.addresses()["admin"], lake.node.token)
        measure(a, lake, admin, commits)
        admin.close()
    finally:
        lake.close()
    shutil.rmtree(folder, ignore_errors=True)
    if failed:
        sys.exit(f"bench: beyond {LIMIT_MS} ms at p99: {', '.join(failed)}")


if __name__ == "__main__":
    main()
