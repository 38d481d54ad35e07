"""The connector partner_central against the stand-in: changes followed, deletes, quotas, bad days of the API, kills."""

import json

import pytest

from lake import ROOT, Node, wait_until
from partner import Standin

ACCOUNT = "111111111111"


def connect(node, standin, name="pc", slug="acme", account=0, role=False, **config):
    told = standin.told["accounts"][account]
    key = standin.told["vendor"] if role else told
    config = {
        "endpoint_url": standin.address,
        "sts_endpoint_url": standin.address,
        "access_key_id": key["access_key_id"],
        "secret_access_key": key["secret_access_key"],
        "streams": ["opportunity"],
        "poll_seconds": 0.1,
        "reads_per_second": 1000,
        "reads_per_day": 1_000_000,
        **({"role_arn": told["role_arn"], "external_id": told["external_id"]} if role else {}),
        **config,
    }
    node.cli("connector", "create", "--tenant", slug, "--name", name, "--kind", "partner-central", "--config", json.dumps(config))


@pytest.fixture
def acme(node):
    node.token = node.tenant("acme")
    node.cli("pack", "load", str(ROOT / "packs" / "aws-partner"), "--pin", "--tenant", "acme")
    return node


def standin(**more):
    limits = {"reads_per_second": 0, "reads_per_day": 0, **more}
    return Standin("--frozen", "--now", "2026-05-01T00:00:00Z", **limits)


def run(node, name="pc", *flags, seconds=120):
    started = node.json("run", "start", "--tenant", "acme", name, *flags)
    runs = started if isinstance(started, list) else started.get("runs", [started])
    ended = [node.settled(r["id"], seconds=seconds) for r in runs]
    assert all(r["status"] == "succeeded" for r in ended), ended
    return ended


def silver(node):
    """Opportunities by id: when they were modified, and their stage."""
    rows = node.sql("SELECT pc_opportunity_id, last_modified_at, payload_json FROM silver.partner_central_opportunity")
    assert len({r[0] for r in rows}) == len(rows)
    return {key: (at.strftime("%Y-%m-%dT%H:%M:%S.%f")[:23], json.loads(body)) for key, at, body in rows}


def differs(node, source):
    """Keys of which Silver is not as the source is, bodies compared value by value."""
    truth = {r["Id"]: r["Body"] for r in source.control("GET", "truth?entity=opportunity&catalog=AWS")}
    have = silver(node)
    return sorted(set(truth) ^ set(have)) + sorted(k for k in set(truth) & set(have) if truth[k] != have[k][1])


def test_changes_are_followed_and_a_full_run_finds_what_is_gone(acme):
    with standin(generate=250) as source:
        connect(acme, source)
        assert "account 111111111111 can be read" in acme.json("connector", "test", "--tenant", "acme", "pc")["message"]
        all = len(source.truth("opportunity"))
        first = run(acme)[0]
        assert first["read"] == first["ledger"][0]["inserted"] == all >= 250
        assert differs(acme, source) == []
        source.advance(3600, 40, kinds={"stage": 3, "revenue": 1, "create": 1})
        second = run(acme)[0]
        assert 0 < second["read"] <= 40
        assert differs(acme, source) == []
        # Nothing changed: nothing is read, although the lists overlap.
        assert run(acme)[0]["read"] == 0
        source.advance(3600, 5, kinds={"delete": 1})
        assert run(acme)[0]["read"] == 0
        full = run(acme, "pc", "--full")[0]
        assert full["ledger"][0]["deleted"] == 5, full
        assert differs(acme, source) == []


def test_a_bad_day_of_the_api_loses_and_doubles_nothing(acme):
    with standin(generate=120) as source:
        connect(acme, source, role=True)
        rules = [
            {"kind": kind, "operation": "*", "rate": 0.04} for kind in ("500", "503", "throttle", "reset", "truncate", "expired")
        ] + [{"kind": "500", "operation": "*", "rate": 0.03, "late": True}]
        source.control("POST", "faults", {"seed": 5, "rules": rules})
        node = acme
        for _ in range(3):
            source.advance(600, 30)
            source.control("POST", "expire-sessions")
            ended = run(node)[0]
            assert ended["ledger"] == [] or ended["ledger"][0]["residue"] == 0
        source.control("DELETE", "faults")
        source.advance(600, 1, kinds={"stage": 1})
        run(node, "pc", "--full")
        assert differs(node, source) == []
        injected = source.control("GET", "stats")["injected"]
        assert sum(injected.values()) > 20 and len(injected) >= 6, injected


def test_records_that_change_while_pages_are_read_come_as_they_are(acme):
    with standin(generate=400) as source:
        connect(acme, source, reads_per_second=200)
        started = acme.json("run", "start", "--tenant", "acme", "pc")
        first = (started if isinstance(started, list) else started["runs"])[0]["id"]
        for _ in range(20):
            source.advance(5, 10, kinds={"stage": 2, "revenue": 1, "create": 1})
            wait_until("some records are read", lambda: source.stats()["calls_by_operation"].get("GetOpportunity", 0) > 0)
        assert acme.settled(first)["status"] == "succeeded"
        run(acme)
        assert differs(acme, source) == []


def test_the_quota_holds_over_connectors_and_a_day_that_is_used_up_is_waited_for(acme):
    with Standin(generate=60, reads_per_second=10, reads_per_day=100_000) as source:
        limits = {"reads_per_second": 10, "reads_per_day": 70, "reconcile_hours": 0}
        connect(acme, source, "a", **limits)
        connect(acme, source, "b", **limits)
        many = len(source.truth("opportunity"))
        plan = acme.json("connector", "plan", "--tenant", "acme", "a")[0]
        assert plan["requests"] == many + 1 and plan["seconds"] >= many // 10 and "69 of 70 calls" in plan["detail"], plan
        ids = []
        for name in ("a", "b"):
            started = acme.json("run", "start", "--tenant", "acme", name)
            ids.append((started if isinstance(started, list) else started["runs"])[0]["id"])
        wait_until("a connector says that it waits", lambda: "the 70 calls of 24 hours" in acme.tail(400), 60)
        stats = source.stats()
        assert many < stats["calls"] <= 70 and stats["throttles"] == 0, stats
        assert any(acme.get_run(i)["status"] == "running" for i in ids)
        # What was read before is there, although a run waits for tomorrow.
        wait_until("what was read before is in Silver", lambda: len(silver(acme)) >= 20)
        for i in ids:
            acme.cli("run", "cancel", "--tenant", "acme", i, check=False)


def test_a_stream_that_fails_stops_no_other(acme):
    with standin(generate=40) as source:
        connect(acme, source, streams=["opportunity", "solution"])
        source.control("POST", "faults", {"seed": 1, "rules": [{"kind": "denied", "operation": "ListSolutions", "rate": 1}]})
        started = acme.json("run", "start", "--tenant", "acme", "pc")
        ids = [r["id"] for r in (started if isinstance(started, list) else started["runs"])]
        ended = {r["entity"]: r for r in map(acme.settled, ids)}
        assert ended["opportunity"]["status"] == "succeeded"
        assert ended["solution"]["status"] == "failed" and "AccessDenied" in ended["solution"]["error"]
        assert acme.json("connector", "show", "--tenant", "acme", "pc")["status"] == "active"
        source.control("DELETE", "faults")
        run(acme)


def test_a_backfill_goes_on_beside_a_run_that_follows_changes(acme):
    with standin(generate=80) as source:
        connect(acme, source)
        run(acme)
        started = acme.json("run", "start", "--tenant", "acme", "pc", "--mode", "streaming")
        live = (started if isinstance(started, list) else started["runs"])[0]["id"]
        backfill = run(acme, "pc", "--backfill")[0]
        assert backfill["scope"] == "backfill" and backfill["read"] >= 80
        assert backfill["ledger"][0]["unchanged"] == backfill["read"]
        source.advance(60, 10, kinds={"stage": 1})
        wait_until("the changes are there", lambda: differs(acme, source) == [], 30)
        acme.cli("run", "cancel", "--tenant", "acme", live)


def test_twenty_kills_over_a_run_with_a_bad_api_leave_the_truth(tmp_path):
    import random
    import time

    node = Node(tmp_path)
    node.start()
    node.token = node.tenant("acme")
    node.cli("pack", "load", str(ROOT / "packs" / "aws-partner"), "--pin", "--tenant", "acme")
    chance = random.Random(11)
    with standin(generate=1500) as source:
        connect(node, source, role=True, reads_per_second=400)
        rules = [{"kind": kind, "operation": "*", "rate": 0.01} for kind in ("500", "throttle", "reset", "expired", "truncate")]
        source.control("POST", "faults", {"seed": 3, "rules": rules})
        started = node.json("run", "start", "--tenant", "acme", "pc", "--mode", "streaming")
        live = (started if isinstance(started, list) else started["runs"])[0]["id"]
        points = ["fetch.done", "bronze.file.written", "bronze.commit.before", "bronze.commit.after"]
        for kill in range(20):
            source.advance(60, 15)
            if kill % 5 == 0:
                source.control("POST", "expire-sessions")
            before = source.stats()["calls"]
            more = lambda: not node.alive() or source.stats()["calls"] > before + chance.randrange(1, 120)
            wait_until("the node reads on", more, 60)
            node.kill()
            if node.start(crash_at=points[kill % len(points)] if kill % 2 else None) is False:
                node.start()
            if kill % 2 and not node.alive():
                node.start()
        if not node.alive():
            node.start()
        node.kill()
        node.start()
        source.control("DELETE", "faults")
        node.cli("run", "cancel", "--tenant", "acme", live)
        run(node, "pc", "--full")
        assert differs(node, source) == []
        checked = node.json("table", "verify", "silver.partner_central_opportunity", "--from-bronze", "--tenant", "acme")
        assert checked["fault_count"] == 0, checked
    node.kill()
