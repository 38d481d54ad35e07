"""Lakewright as the benchmarks drive it: every command line and every query stands here."""
import json, os, pathlib, shutil, sys, time

from measure import cpu_seconds, memory_mib, reset_peak, written_bytes

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "python"))
import lake  # noqa: E402

BINARY = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release" / "lakewright"
TABLE = "silver.partner_central_opportunity"


class Lakewright:
    """A release node on a fresh data directory, with a tenant, the pack and a `files` connector on `source`."""

    def __init__(self, directory, source, binary=None, settings=(), **config):
        binary = pathlib.Path(binary or BINARY)
        if not binary.exists():
            sys.exit(f"bench: {binary} is missing; build it: cargo build --release -p lakewright-node")
        shutil.rmtree(directory, ignore_errors=True)
        reach = f"sources.directories={pathlib.Path(source).resolve().parent}"
        self.node = lake.Node(directory, settings=[reach, *settings], binary=binary)
        self.node.start()
        self.node.setup(url=str(source), **config)

    @property
    def pid(self):
        return self.node.process.pid

    def run(self):
        """A run until its ledger is sealed: what it cost and what it counted."""
        pid = self.pid
        reset_peak(pid)
        cpu, written = cpu_seconds(pid), written_bytes(pid)
        begun = time.perf_counter()
        out = self.node.cli("run", "start", "--tenant", "acme", "opps", "--follow", timeout=1800).stdout
        seconds = time.perf_counter() - begun
        run = json.loads(out)
        run = run[0] if isinstance(run, list) else run
        if run["status"] != "succeeded" or not run["stats_json"]["exact"]:
            sys.exit(f"bench: the run is not exact: {json.dumps(run)}")
        ledger = run["ledger"][0]
        return {"seconds": seconds, "cpu": cpu_seconds(pid) - cpu, "peak_mib": memory_mib(pid, "VmHWM"), "written": written_bytes(pid) - written,
                "read": run["read"], **{k: ledger[k] for k in ("inserted", "updated", "deleted", "unchanged", "stale", "rejected", "flagged", "warned")}}

    def read_back(self):
        """What is in the tables."""
        one = lambda query: self.node.sql(query)[0]
        live, keys, revenue = one(f"SELECT COUNT(*), COUNT(DISTINCT pc_opportunity_id), CAST(SUM(expected_revenue_usd) AS VARCHAR) FROM {TABLE}")
        net = "SUM(CASE WHEN _change = 'insert' THEN 1 WHEN _change = 'delete' THEN -1 ELSE 0 END)"
        return {"live": live, "keys": keys, "revenue": revenue, "changes_net": one(f"SELECT {net} FROM {TABLE}__changes")[0],
                "bronze_rows": one("SELECT COUNT(*) FROM bronze.files_opportunity")[0], "quality_rows": one("SELECT COUNT(*) FROM data_quality_results")[0],
                "dead_rows": one("SELECT COUNT(*) FROM system.dead_letters")[0]}

    def close(self, keep=False):
        self.node.stop(60)
        if not keep:
            shutil.rmtree(self.node.dir, ignore_errors=True)
