"""The same work with S3 (a real SeaweedFS) below the lake and as the source: nothing differs from a local directory,
and a store that loses calls, or is away for a while, costs time and nothing else."""
import os, time

import pytest

from lake import Node, cut, generate, wait_until
from stores import FaultProxy, Seaweed

AWAY = float(os.environ.get("LAKEWRIGHT_AWAY_SECONDS", 60))
SHARES = {"dup": 0.05, "upd": 0.20, "bad": 0.01, "late": 0.02, "delete": 0.03, "reinsert": 0.015}


@pytest.fixture(scope="module")
def seaweed(tmp_path_factory):
    store = Seaweed(tmp_path_factory.mktemp("seaweed"))
    store.start()
    yield store
    store.stop()


def check(node, truth):
    """Bronze, ledgers and Silver against the generator's truth."""
    names = list(truth["outcomes"])
    sums = node.sql("SELECT SUM(read), " + ", ".join(f"SUM({n})" for n in names) + " FROM system.runs")[0]
    assert dict(zip(["read", *names], sums)) == {"read": truth["lines"], **truth["outcomes"]}
    assert node.sql("SELECT COUNT(*) FROM system.runs WHERE NOT exact")[0][0] == 0
    assert node.sql("SELECT COUNT(*), COUNT(DISTINCT _offset) FROM bronze.files_opportunity")[0] == (truth["lines"], truth["lines"])
    assert node.sql("SELECT COUNT(*), COUNT(DISTINCT pc_opportunity_id) FROM partner_central_opportunity")[0] == (truth["live"], truth["live"])
    assert not node.json("table", "verify", "silver.partner_central_opportunity", "--tenant", "acme").get("faults")


def test_the_lake_and_the_source_are_in_s3(seaweed, tmp_path):
    node = Node(tmp_path, settings=seaweed.settings(prefix="whole"))
    path = tmp_path / "opps.ndjson"
    truth = generate(path, 3000, seed=3, **SHARES)
    files = seaweed.files()
    for piece in cut(path, tmp_path, 3):
        with files.open_output_stream(f"lake/incoming/{piece.name}") as out:
            out.write(piece.read_bytes())
    node.start()
    try:
        node.setup(**seaweed.connector("incoming"))
        assert node.settled(node.run())["status"] == "succeeded"
        check(node, truth)
        assert not list(node.data.rglob("*.parquet")), "files of the lake are on local disk"
        node.kill()
        node.start()
        check(node, truth)
        shown = node.cli("connector", "list", "--tenant", "acme").stdout + node.tail(10_000)
        assert "SKTEST" not in shown
    finally:
        node.kill()


def test_a_store_that_loses_calls_and_then_is_away_costs_only_time(seaweed, tmp_path):
    proxy = FaultProxy(seaweed.port, seed=5)
    node = Node(tmp_path, settings=[*seaweed.settings(proxy.port, prefix="faulty"), "ingest.batch_rows=200", "ingest.commit_interval=100ms",
                                    "ingest.silver_commit_interval=200ms"])
    path = tmp_path / "opps.ndjson"
    truth = generate(path, 4000, seed=4, **SHARES)
    first, second = cut(path, tmp_path, 2)
    node.start()
    try:
        node.setup()
        proxy.fail = 0.1
        first.rename(node.source / first.name)
        assert node.settled(node.run())["status"] == "succeeded"
        assert proxy.lost > 0 and proxy.requests > 20, (proxy.lost, proxy.requests)

        second.rename(node.source / second.name)
        run = node.run()
        proxy.go_away()
        until = time.monotonic() + AWAY
        wait_until("the store was away", lambda: time.monotonic() > until, AWAY + 10)
        # It was missed; the control plane goes on, and the run is not given up.
        assert proxy.refused > 0
        assert node.alive() and node.get_run(run)["status"] in ("running", "settling")
        proxy.come_back()
        assert node.settled(run, seconds=180)["status"] == "succeeded"
        proxy.fail = 0.0
        check(node, truth)
    finally:
        node.kill()
        proxy.close()
