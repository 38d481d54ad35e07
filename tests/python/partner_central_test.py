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
