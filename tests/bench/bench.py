#!/usr/bin/env python3
"""Measures Lakewright's release build on this machine, and DuckDB doing the same work beside it.

  bench.py [throughput] [memory] [explain] [update] [idle] [flight]     all of them by default (about 20 minutes)

throughput  200,000 records of 2.3 KB (5% re-delivered, 20% newer versions, late ones, deletes, re-inserts, 1% invalid), 5
            alternating runs of both sides; counts are compared with the generator's truth before a ratio is printed
memory      peak resident memory of the node over 1,000,000 such records (limit 512 MiB)
explain     `explain cell` of 50 random rows of 1,000,000, over one connection (limit: 1 s at p99)
update      1,000 of 1,000,000 rows get a newer version: bytes written against bytes changed (limit 20 times)
flight      Flight SQL beside Sail's server on the same data: fetch of 10,000,000 rows (limit: as fast), SELECT 1, an aggregate over
            1M rows, point look-ups at 1 and 8 clients
idle        memory and CPU of a node with a tenant and a connector and nothing to do, over 30 s (limits 150 MiB, 1%)
"""
import argparse, json, pathlib, shutil, statistics, subprocess, sys, time

from explain_job import explained
from flight_job import flight_job
from lakewright import ROOT, TABLE, Lakewright
from measure import child, cpu_seconds, directory_bytes, memory_mib, p99, quiet, say, settle_disk, spread, table, warm, written_bytes

MIX = ["--dup", "0.05", "--upd", "0.20", "--bad", "0.01", "--late", "0.02", "--delete", "0.03", "--reinsert", "0.015"]
OUTCOMES = ["inserted", "updated", "deleted", "unchanged", "stale", "rejected", "flagged"]
failed = []


def generated(folder, name, lines, options):
    """A generated file in a folder of its own, made once; answers it and its truth."""
    folder.mkdir(parents=True, exist_ok=True)
    path, truth = folder / "opps.ndjson", folder.parent / f"{name}.truth.json"
    wanted = [str(lines), *options]
    if truth.exists():
        kept = json.loads(truth.read_text())
        if kept["options"] == wanted and path.exists() and path.stat().st_size == kept["bytes"]:
            return path, kept
    say(f"generating {lines:,} records into {path} ({lines / 8000:.0f} s)")
    done = subprocess.run([sys.executable, ROOT / "tests/tools/gen_opportunities.py", "-n", str(lines), "-o", path, *options], check=True, capture_output=True)
    kept = {**json.loads(done.stdout), "options": wanted}
    truth.write_text(json.dumps(kept))
    return path, kept


def compare(side, got, truth):
    """Every number of a side against the generator's truth: a wrong answer has no speed."""
    expected = {"read": truth["lines"], "bronze_rows": truth["lines"], "quality_rows": truth["lines"], "dead_rows": truth["outcomes"]["rejected"],
                "live": truth["live"], "keys": truth["live"], "changes_net": truth["live"], "warned": truth["warned"], **{k: truth["outcomes"][k] for k in OUTCOMES}}
    wrong = {k: (got[k], v) for k, v in expected.items() if got[k] != v}
    if wrong:
        sys.exit(f"bench: {side} is wrong (got, truth): {wrong}")


def limit(what, value, most, unit):
    ok = value <= most
    say(f"  {what}: {value:.2f} {unit}, limit {most} {unit}: {'ok' if ok else 'TOO MUCH'}")
    if not ok:
        failed.append(what)


def throughput(a):
    say(f"throughput: {a.records:,} records, {a.runs} alternating runs (about {a.runs * a.records / 10000:.0f} s)")
    source, truth = generated(a.dir / "throughput", "throughput", a.records, MIX)
    ours, theirs = [], []
    for i in range(a.runs):
        warm(source)
        settle_disk()
        node = Lakewright(a.dir / "node", source.parent, a.binary)
        got = node.run()
        got.update(node.read_back())
        node.close()
        compare("lakewright", got, truth)
        ours.append(got)
        out = a.dir / "duckdb"
        shutil.rmtree(out, ignore_errors=True)
        warm(source)
        settle_disk()
        got = child([sys.executable, pathlib.Path(__file__).with_name("duckdb_job.py"), source, out])
        got["written"] = directory_bytes(out)
        shutil.rmtree(out)
        compare("duckdb", got, truth)
        if got["revenue"] != ours[-1]["revenue"]:
            sys.exit(f"bench: the sums of revenue differ: lakewright {ours[-1]['revenue']}, duckdb {got['revenue']}")
        theirs.append(got)
        say(f"  run {i + 1}: lakewright {ours[-1]['seconds']:.2f} s, duckdb {got['seconds']:.2f} s")
    n, mb = truth["lines"], truth["bytes"] / 1e6
    rows = []
    for name, per, digits in [("wall, s", lambda r: r["seconds"], 2), ("records/s", lambda r: n / r["seconds"], 0), ("input, MB/s", lambda r: mb / r["seconds"], 1),
                              ("CPU, us/record", lambda r: r["cpu"] / n * 1e6, 1), ("peak memory, MiB", lambda r: r["peak_mib"], 0),
                              ("written, MB", lambda r: r["written"] / 1e6, 0)]:
        rows.append([name, spread([per(r) for r in ours], digits), spread([per(r) for r in theirs], digits)])
    say()
    table(["median (least-most)", "lakewright", "duckdb"], rows)
    ratios = [d["seconds"] / l["seconds"] for l, d in zip(ours, theirs)]
    ratio = statistics.median(d["seconds"] for d in theirs) / statistics.median(l["seconds"] for l in ours)
    cpu = statistics.median(d["cpu"] for d in theirs) / statistics.median(l["cpu"] for l in ours)
    say("\n  counts of both sides equal the generator's truth in every run")
    say(f"  throughput, lakewright : duckdb = {ratio:.2f} (pairs {min(ratios):.2f}-{max(ratios):.2f}); at least 1, aim 3.5: {'ok' if ratio >= 1 else 'TOO SLOW'}")
    say(f"  CPU per record, duckdb : lakewright = {cpu:.2f}")
    if ratio < 1:
        failed.append("throughput")
    limit("peak memory", max(r["peak_mib"] for r in ours), 512, "MiB")


def million(a):
    """A node with 1,000,000 records of the mix in it, and what taking them in cost."""
    source, truth = generated(a.dir / "million", "million", a.rows, MIX)
    for left in set(source.parent.iterdir()) - {source}:
        left.unlink()
    settle_disk()
    node = Lakewright(a.dir / "node-million", source.parent, a.binary)
    got = node.run()
    got.update(node.read_back())
    compare("lakewright", got, truth)
    return node, source, truth, got


def memory(a, state):
    say(f"memory: {a.rows:,} records of the same mix (2.3 GB a million; generating takes 2 minutes once)")
    state["million"] = million(a)
    got = state["million"][3]
    say(f"  {got['seconds']:.1f} s, {a.rows / got['seconds']:,.0f} records/s, {got['cpu'] / a.rows * 1e6:.1f} CPU us/record")
    limit("peak memory", got["peak_mib"], 512, "MiB")


def filled(a, state):
    """The same node with exactly 1,000,000 rows in its table, made once; answers it and the files that it reads."""
    if "filled" not in state:
        if "million" not in state:
            state["million"] = million(a)
        node, source, truth, _ = state["million"]
        rest, _ = generated(a.dir / "rest", "rest", a.rows - truth["live"], ["--start-id", "5000000", "--dup", "0", "--upd", "0", "--bad", "0"])
        more = source.with_name("rest.ndjson")
        more.hardlink_to(rest)
        node.run()
        found = node.read_back()["live"]
        if found != a.rows:
            sys.exit(f"bench: the table has {found:,} rows, not {a.rows:,}")
        state["filled"] = source, more
    return state["million"][0], *state["filled"]


def let_go(state):
    """Ends the node of the million, with what was laid beside its input."""
    if "million" in state:
        node, source, *_ = state["million"]
        node.close()
        for beside in set(source.parent.iterdir()) - {source}:
            beside.unlink()
        state.clear()


def update(a, state):
    say(f"update: 1,000 of {a.rows:,} rows")
    node, source, rest = filled(a, state)
    changed = newer_versions(rest, source.with_name("updates.ndjson"), 1000)
    quiet(lambda: written_bytes(node.pid))
    files, written = directory_bytes(node.node.data), written_bytes(node.pid)
    got = node.run()
    quiet(lambda: written_bytes(node.pid))
    written, files = written_bytes(node.pid) - written, directory_bytes(node.node.data) - files
    if got["updated"] != 1000 or got["read"] != 1000:
        sys.exit(f"bench: the update went wrong: {got}")
    say(f"  {got['seconds']:.2f} s; changed {changed / 1e6:.2f} MB, written {written / 1e6:.2f} MB, files grew by {files / 1e6:.2f} MB (all with compaction)")
    limit("written : changed", written / changed, 20, "times")


def explain(a, state):
    say(f"explain: {a.cells} cells of {a.rows:,} rows")
    node, source, rest = filled(a, state)
    times = explained(node.node, TABLE, [source, rest], a.cells)
    say(f"  each value is that of the record at its source, byte for byte; p50 {statistics.median(times):.3f} s, least {min(times):.3f} s")
    limit("p99", p99(times), 1, "s")


def newer_versions(source, out, n):
    """A newer version of n records, spread evenly over a file; answers its bytes. Appears at once under its name."""
    lines = source.read_bytes().splitlines()
    begun = out.with_suffix(".part")
    with open(begun, "wb") as f:
        for i in range(n):
            o = json.loads(lines[i * len(lines) // n])
            o.update(Version=o["Version"] + 1, LastModifiedDate="2026-06-30T12:00:00.000Z")
            o["LifeCycle"].update(Stage="Launched", NextSteps="Signed.")
            f.write(json.dumps(o, separators=(",", ":"), ensure_ascii=False).encode() + b"\n")
    size = begun.stat().st_size
    begun.rename(out)
    return size


def idle(a):
    say("idle: a node with a tenant, a pack and a connector, 30 s")
    empty = a.dir / "empty"
    empty.mkdir(parents=True, exist_ok=True)
    node = Lakewright(a.dir / "node-idle", empty, a.binary)
    try:
        quiet(lambda: written_bytes(node.pid), 3)
        before = cpu_seconds(node.pid)
        time.sleep(30)
        limit("CPU", (cpu_seconds(node.pid) - before) / 30 * 100, 1, "% of a core")
        limit("memory", memory_mib(node.pid, "VmRSS"), 150, "MiB")
    finally:
        node.close()


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("what", nargs="*", choices=[[], "throughput", "memory", "explain", "update", "idle", "flight"])
    ap.add_argument("--flight-rows", type=int, default=10_000_000)
    ap.add_argument("--records", type=int, default=200_000)
    ap.add_argument("--runs", type=int, default=5)
    ap.add_argument("--rows", type=int, default=1_000_000, help="of memory, explain and update")
    ap.add_argument("--cells", type=int, default=50, help="of explain")
    ap.add_argument("--dir", type=pathlib.Path, default=ROOT / "bench-data", help="inputs (kept) and outputs (removed)")
    ap.add_argument("--binary", type=pathlib.Path, help="another node binary")
    a = ap.parse_args()
    a.dir = a.dir.resolve()
    what = a.what or ["throughput", "idle", "memory", "explain", "update", "flight"]
    state = {}
    million_jobs = {"memory": memory, "explain": explain, "update": update}
    other_jobs = {"throughput": throughput, "idle": idle, "flight": lambda a: flight_job(a, failed)}
    try:
        for name in what:
            if name in million_jobs:
                million_jobs[name](a, state)
            else:
                let_go(state)
                other_jobs[name](a)
            say()
    finally:
        let_go(state)
    if failed:
        sys.exit(f"bench: beyond its limit: {', '.join(failed)}")


if __name__ == "__main__":
    main()
