"""Quality seen from outside: alerts of unusual runs and broken connectors, and dead letters that were mended."""
import json, shutil

import pytest

from lake import ROOT, Node, generate, run_id, wait_until


@pytest.fixture
def lake(tmp_path):
    node = Node(tmp_path, settings=["ingest.silver_commit_interval=200ms", "restart.max_restarts=1", "restart.backoff_min=10ms", "restart.backoff_max=20ms"])
    node.start()
    node.setup(settle_ms=50, poll_ms=50)
    yield node
    node.kill()


def follow(node, *args, check=True):
    return node.cli("run", "start", "--tenant", "acme", "opps", "--follow", *args, check=check)


def test_an_unusual_run_says_so_at_its_end(lake):
    for i in range(5):
        generate(lake.source / f"{i}.ndjson", 60, start_id=i * 1000, bad=0, dup=0, upd=0)
        run = json.loads(follow(lake).stdout)[0]
        assert run["stats_json"]["exact"] and run["alerts"] == [], run
    odd = lake.source / "odd.ndjson"
    generate(odd, 400, start_id=50_000, bad=0, dup=0, upd=0)
    records = [json.loads(line) for line in odd.read_bytes().splitlines()]
    for r in records:
        r["LifeCycle"].pop("TargetCloseDate")
        r["Customer"]["Account"]["Industry"] = "Tulips"
    odd.write_text("".join(json.dumps(r) + "\n" for r in records))
    run = json.loads(follow(lake).stdout)[0]
    told = {a["kind"]: a for a in run["alerts"]}
    assert {"anomaly_volume", "anomaly_nulls", "anomaly_values"} == set(told), run["alerts"]
    assert "400 records" in told["anomaly_volume"]["message"] and "close_date 100.0%" in told["anomaly_nulls"]["message"]
    assert 'industry = "Tulips"' in told["anomaly_values"]["message"]
    listed = lake.json("quality", "alerts", "--tenant", "acme", "--run", run["id"])
    assert sorted(a["kind"] for a in listed) == sorted(told) and listed[0]["subject"].startswith("opps/")
    assert lake.sql("SELECT COUNT(*) FROM system.alerts WHERE kind LIKE 'anomaly%'")[0][0] == 3


def test_a_connector_that_breaks_tells_why_and_how_to_go_on(lake):
    generate(lake.source / "a.ndjson", 20, bad=0, dup=0, upd=0)
    run = run_id(lake.cli("run", "start", "--tenant", "acme", "opps", "--mode", "streaming").stdout)
    wait_until("it is read", lambda: lake.get_run(run)["read"] == 20)
    aside = lake.source.with_name("aside")
    lake.source.rename(aside)
    followed = lake.cli("run", "follow", "--tenant", "acme", run, check=False)
    assert followed.returncode, followed
    alerts = json.loads(followed.stdout)[0]["alerts"]
    assert [a["kind"] for a in alerts] == ["connector_broken"], alerts
    assert str(lake.source) in alerts[0]["message"] and "lakewright connector clear-broken opps" in alerts[0]["message"]
    assert [a["kind"] for a in lake.json("quality", "alerts", "--tenant", "acme", "--connector", "opps")] == ["connector_broken"]
    aside.rename(lake.source)
    lake.cli("connector", "clear-broken", "--tenant", "acme", "opps")
    follow(lake)

    # A directory that is not there before a run: also where the stream is named.
    lake.source.rename(aside)
    refused = follow(lake, "--stream", "opportunity", check=False)
    assert refused.returncode and str(lake.source) in refused.stderr and "connector test opps" in refused.stderr, refused
    aside.rename(lake.source)


def test_a_mended_letter_is_not_replayed_again(lake, tmp_path):
    path = lake.source / "a.ndjson"
    generate(path, 20, bad=0, dup=0, upd=0)
    records = [json.loads(line) for line in path.read_bytes().splitlines()]
    for r in records[:3]:
        r["LifeCycle"]["TargetCloseDate"] = "2026-02-30"
    records[3]["Customer"]["Account"].pop("CompanyName")
    path.write_text("".join(json.dumps(r) + "\n" for r in records))
    run = lake.settled(lake.run())
    assert (run["accepted"], run["rejected"]) == (16, 4)
    letters = lambda *more: lake.json("deadletter", "list", "--tenant", "acme", *more)
    assert [d["open"] for d in letters()] == [True] * 4

    pack = tmp_path / "pack"
    shutil.copytree(ROOT / "packs" / "aws-partner", pack)
    text = (pack / "entities.yaml").read_text()
    mended = text.replace("from: $.LifeCycle.TargetCloseDate,", "from: $.LifeCycle.TargetCloseDate, on_error: null_and_flag,", 1)
    assert mended != text
    (pack / "entities.yaml").write_text(mended)
    lake.cli("pack", "load", str(pack), "--name", "aws-partner", "--pin", "--tenant", "acme")

    replay = lambda *more: lake.json("deadletter", "replay", "--tenant", "acme", *more)
    first = replay()
    assert (first["records"], first["mended"]) == (4, 0)
    over = lake.settled(first["runs"][0]["id"])
    assert (over["accepted"], over["rejected"]) == (3, 1), letters()
    assert lake.sql("SELECT COUNT(*) FROM partner_central_opportunity")[0][0] == 19
    # Three are mended; the fourth was rejected again, and only its newest letter is open.
    assert sorted(d["open"] for d in letters()) == [False] * 4 + [True]
    still = letters("--open")
    assert len(still) == 1 and still[0]["ingestion_run_id"] == over["id"]

    second = replay("--run", run["id"])
    assert (second["records"], second["mended"]) == (1, 3), second
    over = lake.settled(second["runs"][0]["id"])
    assert (over["read"], over["rejected"]) == (1, 1)
    assert sum(l["unchanged"] for l in over["ledger"]) == 0
    named = replay(letters()[-1]["address"], "--reason", "schema")
    assert named["records"] + named["mended"] == 1
