"""Lakewright beside DuckDB on the same work, side by side in one run.

  bench.py [--records 200000] [--runs 5] [--only ingest|memory|update|idle]

ingest  throughput: five alternating runs of each, counts compared with the generator's truth before a
        ratio is printed; medians with their spread.
memory  peak resident memory of the node over 1,000,000 records (bound: 512 MiB).
update  bytes written by an update of 1,000 of 1,000,000 rows, against the bytes changed (bound: 20 times).
idle    resident memory and CPU of a node with nothing to do (bounds: 150 MiB, 1% of a core).
"""
import argparse, json, os, pathlib, statistics, subprocess, sys, tempfile, threading, time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "python"))
import psutil
from lake import ROOT, Node, clean, generate

RELEASE = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release" / "lakewright"
HERE = pathlib.Path(__file__).resolve().parent


class Watch:
    """Peak memory of a process, sampled."""

    def __init__(self, pid):
        self.process, self.peak, self.on = psutil.Process(pid), 0, True
        self.thread = threading.Thread(target=self.sample, daemon=True)
        self.thread.start()

    def sample(self):
        while self.on:
            try:
                self.peak = max(self.peak, self.process.memory_info().rss)
            except psutil.Error:
                return
            time.sleep(0.02)

    def stop(self):
        self.on = False
        self.thread.join()
        return self.peak / 2**20


def node_at(directory):
    clean(directory)
    node = Node(directory, binary=RELEASE)
    node.start()
    return node


def cpu_seconds(pid):
    t = psutil.Process(pid).cpu_times()
    return t.user + t.system


def written(pid):
    """Bytes that the process gave to the file system."""
    return next(int(l.split()[1]) for l in open(f"/proc/{pid}/io") if l.startswith("wchar"))


def lakewright(source, directory):
    node = node_at(directory)
    os.link(source, node.source / "opportunities.ndjson")
    node.setup()
    watch, cpu = Watch(node.process.pid), cpu_seconds(node.process.pid)
    begun = time.perf_counter()
    node.cli("run", "start", "--tenant", "acme", "opps", "--follow", timeout=1800)
    wall = time.perf_counter() - begun
    cpu = cpu_seconds(node.process.pid) - cpu
    peak = watch.stop()
    read, rejected, flagged = node.sql("SELECT SUM(read), SUM(rejected), SUM(flagged) FROM system.runs WHERE exact")[0]
    live, revenue = node.sql("SELECT COUNT(*), CAST(SUM(expected_revenue_usd) AS VARCHAR) FROM partner_central_opportunity")[0]
    counts = {"read": read, "rejected": rejected, "flagged": flagged, "live": live, "revenue": revenue}
    return node, {"wall": wall, "cpu": cpu, "rss": peak}, counts


def duckdb(source, directory):
    clean(directory)
    os.makedirs(directory)
    begun = time.perf_counter()
    p = subprocess.Popen([sys.executable, str(HERE / "duckdb_job.py"), str(source), str(directory)], stdout=subprocess.PIPE, text=True)
    watch = Watch(p.pid)
    out = p.stdout.read()
    _, status, usage = os.wait4(p.pid, 0)
    wall = time.perf_counter() - begun
    peak = watch.stop()
    if os.waitstatus_to_exitcode(status):
        raise SystemExit("the DuckDB job failed")
    return {"wall": wall, "cpu": usage.ru_utime + usage.ru_stime, "rss": peak}, json.loads(out)


def check(who, counts, truth):
    o = truth["outcomes"]
    want = {"read": truth["lines"], "rejected": o["rejected"], "flagged": o["flagged"], "live": truth["live"]}
    got = {k: counts[k] for k in want}
    if got != want:
        raise SystemExit(f"{who} counted {got}, and the truth is {want}")


def spread(values):
    return f"{statistics.median(values):.2f} ({min(values):.2f}..{max(values):.2f})"


def ingest(work, records, runs):
    source = work / "opportunities.ndjson"
    truth = generate(source, records)
    print(f"ingest: {records} records, {truth['bytes'] / 1e6:.0f} MB, {runs} alternating runs of each")
    ours, theirs = [], []
    for i in range(runs):
        node, figures, counts = lakewright(source, work / "lakewright")
        node.stop()
        check("Lakewright", counts, truth)
        ours.append(figures)
        figures, other = duckdb(source, work / "duckdb")
        check("DuckDB", other, truth)
        if other["revenue"] != counts["revenue"]:
            raise SystemExit(f"the sums of revenue differ: {counts['revenue']} and {other['revenue']}")
        theirs.append(figures)
        print(f"  run {i + 1}: Lakewright {ours[-1]['wall']:.2f} s, DuckDB {theirs[-1]['wall']:.2f} s", flush=True)
    row = lambda name, f: print(f"  {name:28} {spread([f(x) for x in ours]):>24} {spread([f(x) for x in theirs]):>24}")
    print(f"  {'':28} {'Lakewright':>24} {'DuckDB':>24}")
    row("seconds", lambda x: x["wall"])
    row("thousand records a second", lambda x: records / x["wall"] / 1e3)
    row("CPU microseconds a record", lambda x: x["cpu"] / records * 1e6)
    row("peak memory, MiB", lambda x: x["rss"])
    ratios = [t["wall"] / o["wall"] for o, t in zip(ours, theirs)]
    print(f"  throughput, Lakewright to DuckDB: {spread(ratios)} times (pair by pair; the bound is 1)")
    return statistics.median(ratios)


def memory_and_update(work, which):
    source = work / "million.ndjson"
    truth = generate(source, 1_000_000)
    node, figures, counts = lakewright(source, work / "lakewright")
    check("Lakewright", counts, truth)
    print(f"memory: peak {figures['rss']:.0f} MiB over 1,000,000 records in {figures['wall']:.0f} s (the bound is 512)")
    if which == "memory":
        node.stop()
        return
    changed = work / "changed.ndjson"
    lines, seen = [], set()
    with open(source, "rb") as f:
        for line in f:
            o = json.loads(line)
            if len(lines) == 1000:
                break
            if o["Id"] not in seen and o.get("LastModifiedDate") and o["Customer"]["Account"].get("CompanyName"):
                seen.add(o["Id"])
                o["LastModifiedDate"] = "2031-01-01T00:00:00.000Z"
                o["LifeCycle"]["TargetCloseDate"] = "2031-06-01"
                lines.append(json.dumps(o, ensure_ascii=False, separators=(",", ":")).encode() + b"\n")
    changed.write_bytes(b"".join(lines))
    before = written(node.process.pid)
    os.link(changed, node.source / "changed.ndjson")
    node.cli("run", "start", "--tenant", "acme", "opps", "--follow", timeout=600)
    bytes_written = written(node.process.pid) - before
    updated = node.sql("SELECT COUNT(*) FROM partner_central_opportunity WHERE close_date = DATE '2031-06-01'")[0][0]
    size = changed.stat().st_size
    print(f"update: {updated} rows updated, {size / 1e6:.2f} MB changed, {bytes_written / 1e6:.2f} MB written: "
          f"{bytes_written / size:.1f} times (the bound is 20)")
    node.stop()


def idle(work):
    node = node_at(work / "idle")
    node.setup()
    time.sleep(5)
    pid, seconds = node.process.pid, 30
    before = cpu_seconds(pid)
    time.sleep(seconds)
    share = (cpu_seconds(pid) - before) / seconds * 100
    print(f"idle: {psutil.Process(pid).memory_info().rss / 2**20:.0f} MiB (the bound is 150), {share:.2f}% of a core (the bound is 1)")
    node.stop()


if __name__ == "__main__":
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--records", type=int, default=200_000)
    ap.add_argument("--runs", type=int, default=5)
    ap.add_argument("--only", choices=["ingest", "memory", "update", "idle"])
    a = ap.parse_args()
    with tempfile.TemporaryDirectory(prefix="lakewright-bench-", dir=os.environ.get("BENCH_DIR")) as work:
        work = pathlib.Path(work)
        if a.only in (None, "idle"):
            idle(work)
        if a.only in (None, "ingest"):
            ingest(work, a.records, a.runs)
        if a.only in (None, "memory", "update"):
            memory_and_update(work, a.only)
