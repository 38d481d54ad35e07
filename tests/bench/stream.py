#!/usr/bin/env python3
"""Half an hour of small commits, and whether a lake stays as quick and as tidy as it began.

  stream.py [--minutes 30] [--every 2] [--records 300] [--base 100000]

A node with its default settings has 100,000 opportunities, created over 12 months, and follows a directory into which a file of
300 records comes each 2 s: inserts, newer versions, deletes (as many as inserts), re-deliveries, late ones, invalid ones. Each
becomes a Bronze commit. Every 10 s a client asks three things over one connection: a sum over all rows, one row by its key, what
changed since it last asked. At the end rows and ledger are compared with what was generated, one by one.

It fails unless, of each query, the median of the last third is at most 1.3 times that of the first; the files per partition of
each Silver and Bronze table at their most in the last third are at most 1.3 times those of the first, or else few: 16, in Bronze
128 and those of two minutes, since small files are packed from 128 on, once a minute; and rows and counts equal the truth.
Tables of `system` are shown.
"""
import argparse, datetime, json, multiprocessing, pathlib, shutil, statistics, sys, time

import changes
from lakewright import ROOT, TABLE, Lakewright, lake as lakes
from measure import memory_mib, p99, say, settle_disk, table

LEVEL, FEW = 1.3, 16
# Files of Bronze are packed into one when there are more than these, which is looked for once a minute.
PACKED_FROM = 128
SHOWN = {"bronze": "bronze.files_opportunity", "silver": TABLE, "changes": f"{TABLE}__changes", "quality": "system.data_quality_results"}
JUDGED = ["bronze", "silver", "changes"]
QUERIES = {
    "sum": f"SELECT lifecycle_stage, COUNT(*), SUM(expected_revenue_usd) FROM {TABLE} GROUP BY 1",
    "row": f"SELECT * FROM {TABLE} WHERE pc_opportunity_id = 'O{{:08}}'",
    "news": f"SELECT _source_key, _change, _change_commit FROM {TABLE}__changes WHERE _change_commit > {{}}",
}


class Samples:
    """What was seen and when: seconds since the first commit, and a value, by name."""

    def __init__(self):
        self.seen = {}

    def add(self, name, at, value):
        self.seen.setdefault(name, []).append((at, value))

    def within(self, name, begin, end):
        return [v for at, v in self.seen.get(name, []) if begin <= at < end]


def files(cursor):
    """Of each table shown: the most files that one partition has, and files in all."""
    cursor.execute('SELECT schema, "table", MAX(n), SUM(n) FROM (SELECT schema, "table", bucket, partition, COUNT(*) AS n FROM system.files '
                   "GROUP BY 1, 2, 3, 4) GROUP BY 1, 2")
    found = {f"{s}.{t}": (most, total) for s, t, most, total in cursor.fetchall()}
    return {name: found.get(t, (0, 0)) for name, t in SHOWN.items()}


def ask(cursor, query):
    begun = time.perf_counter()
    cursor.execute(query)
    rows = cursor.fetchall()
    return (time.perf_counter() - begun) * 1e3, rows


def watch(a, lake, samples, begun):
    """Queries, files and memory until the time is over; prints a line each window."""
    seconds, window, line = a.minutes * 60, max(a.ask, a.minutes * 60 / 6), 0
    widths = [9, 16, 16, 16, 16, 9, 9, 9, 6]
    heads = ["minutes", *(f"{n} files" for n in SHOWN), *(f"{q}, ms" for q in QUERIES), "MiB"]
    say("  " + "  ".join(h.rjust(w) for h, w in zip(heads, widths)))
    with lake.node.connect() as c, c.cursor() as cursor:
        asked = 0
        cursor.execute(f"SELECT MAX(_change_commit) FROM {TABLE}__changes")
        known = cursor.fetchone()[0]
        while (now := time.monotonic() - begun) < seconds:
            for name, query in QUERIES.items():
                took, rows = ask(cursor, query.format({"row": asked * 7919 % a.base, "news": known}.get(name)))
                samples.add(name, now, took)
            known = max((commit for *_, commit in rows), default=known)
            for name, count in files(cursor).items():
                samples.add(name, now, count)
            samples.add("memory", now, memory_mib(lake.pid, "VmRSS"))
            asked += 1
            if now >= (line + 1) * window - a.ask:
                told(samples, line * window, (line + 1) * window, widths)
                line += 1
            time.sleep(max(0, asked * a.ask - (time.monotonic() - begun)))
    if not samples.seen:
        sys.exit("bench: nothing was asked: --minutes is too short")


def told(samples, begin, end, widths):
    cells = [f"{begin / 60:.1f}-{end / 60:.1f}"]
    for name in SHOWN:
        seen = samples.within(name, begin, end) or [(0, 0)]
        cells.append(f"{max(m for m, _ in seen)} ({seen[-1][1]} all)")
    cells += [f"{statistics.median(samples.within(q, begin, end) or [0]):.1f}" for q in QUERIES]
    cells.append(f"{max(samples.within('memory', begin, end) or [0]):.0f}")
    say("  " + "  ".join(c.rjust(w) for c, w in zip(cells, widths)))


def verdict(a, samples):
    """Whether the last third is as the first was; answers what is not."""
    third, wrong, lines = a.minutes * 20, [], []
    for q in QUERIES:
        first, last = (statistics.median(samples.within(q, i * third, (i + 1) * third) or [0]) for i in (0, 2))
        ok = last <= LEVEL * first
        every = samples.within(q, 0, 3 * third)
        lines.append([f"query: {q}, ms", f"{first:.1f}", f"{last:.1f}", f"{last / max(first, 1e-9):.2f}", f"{p99(every):.1f}", "ok" if ok else "NOT LEVEL"])
        wrong += [] if ok else [f"query {q}"]
    for name in SHOWN:
        first, last = (max((m for m, _ in samples.within(name, i * third, (i + 1) * third)), default=0) for i in (0, 2))
        judged = name in JUDGED
        ok = last <= max(LEVEL * first, PACKED_FROM + 2 * 60 / a.every if name == "bronze" else FEW)
        lines.append([f"files per partition: {name}", first, last, f"{last / max(first, 1):.2f}", "", ("ok" if ok else "NOT LEVEL") if judged else "not judged"])
        wrong += [] if ok or not judged else [f"files of {name}"]
    say()
    table(["thirds: medians of queries, most files", "first", "last", "ratio", "p99", f"limit {LEVEL}"], lines)
    return wrong


def compare(lake, run, truth):
    """Rows and ledger against the truth, which they must come to within two minutes of the last file."""
    node, begun = lake.node, time.monotonic()
    ledger = lambda: (lambda r: (r, r["ledger"][0]))(node.get_run(run))
    settled = lambda l: sum(l[o] for o in ("inserted", "updated", "deleted", "unchanged", "stale")) + l["rejected"]
    base = truth["base"]
    lakes.wait_until("Silver has all of it", lambda: (lambda r, l: r["read"] + base >= truth["read"] and settled(l) + base >= truth["read"])(*ledger()), 120)
    caught_up = time.monotonic() - begun
    got, counts = ledger()
    expected = {**truth["outcomes"], "inserted": truth["outcomes"]["inserted"] - base}
    wrong = {k: (counts[k], v) for k, v in expected.items() if counts[k] != v}
    if got["read"] + base != truth["read"]:
        wrong["read"] = (got["read"] + base, truth["read"])
    if wrong:
        sys.exit(f"bench: the ledger is wrong (got, truth): {wrong}")
    rows = {k: (t.replace(tzinfo=datetime.timezone.utc), s) for k, t, s in node.sql(f"SELECT pc_opportunity_id, last_modified_at, lifecycle_stage FROM {TABLE}")}
    want = {k: (datetime.datetime.fromisoformat(t), s.lower().replace(" ", "_")) for k, (t, s) in truth["live"].items()}
    odd = [k for k in rows.keys() | want.keys() if rows.get(k) != want.get(k)]
    if odd:
        sys.exit(f"bench: {len(odd)} rows are wrong, {odd[0]} is {rows.get(odd[0])} and not {want.get(odd[0])}")
    say(f"\n  {truth['read']:,} records, {len(rows):,} rows and all counts equal the truth, {caught_up:.1f} s after the last file")
    commits = node.sql(f"SELECT commits FROM system.runs WHERE run_id = '{run}'")[0][0]
    say(f"  {truth['files']:,} files became {commits:,} Bronze commits")


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--minutes", type=float, default=30)
    ap.add_argument("--every", type=float, default=2, help="seconds between files")
    ap.add_argument("--ask", type=float, default=10, help="seconds between queries")
    ap.add_argument("--records", type=int, default=300, help="of a file")
    ap.add_argument("--base", type=int, default=100_000, help="records that are there before")
    ap.add_argument("--months", type=int, default=12, help="over which they were created")
    ap.add_argument("--seed", type=int, default=7)
    ap.add_argument("--dir", type=pathlib.Path, default=ROOT / "bench-data")
    ap.add_argument("--binary", type=pathlib.Path, help="another node binary")
    a = ap.parse_args()
    folder = a.dir.resolve() / "stream"
    shutil.rmtree(folder, ignore_errors=True)
    source = folder / "source"
    source.mkdir(parents=True)
    ready, go, stop = (multiprocessing.Event() for _ in range(3))
    beside = multiprocessing.Process(target=changes.follow, daemon=True,
                                     args=(source, a.base, a.records, a.every, a.months, a.seed, ready, go, stop, folder / "truth.json"))
    beside.start()
    say(f"stream: {a.base:,} records, then {a.records} each {a.every:g} s for {a.minutes:g} minutes, over {a.months} months; files: the most of one partition (all)")
    while not ready.wait(1):
        if not beside.is_alive():
            sys.exit("bench: generating failed")
    settle_disk()
    lake = Lakewright(folder / "node", source, a.binary, poll_ms=500)
    samples = Samples()
    try:
        got = lake.run()
        if got["inserted"] != a.base:
            sys.exit(f"bench: the base went wrong: {got}")
        run = lakes.run_id(lake.node.cli("run", "start", "--tenant", "acme", "opps", "--mode", "streaming").stdout)
        go.set()
        watch(a, lake, samples, time.monotonic())
        stop.set()
        beside.join(60)
        wrong = verdict(a, samples)
        compare(lake, run, {**json.loads((folder / "truth.json").read_text()), "base": a.base})
        lake.node.cli("run", "cancel", "--tenant", "acme", run)
    finally:
        stop.set()
        go.set()
        lake.close()
    shutil.rmtree(folder, ignore_errors=True)
    if wrong:
        sys.exit(f"bench: not level: {', '.join(wrong)}")


if __name__ == "__main__":
    main()
