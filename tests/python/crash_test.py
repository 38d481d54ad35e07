"""The real process is killed at every named point and at random instants, over records with
re-deliveries, newer versions, late older ones, deletes, re-inserts and invalid ones, and the lake is
compared with an oracle: nothing lost, nothing doubled, ledgers exact, lineage closed, no named file missing.

LAKEWRIGHT_CRASH_RECORDS and LAKEWRIGHT_CRASH_KILLS set the size; the defaults are a seeded sample.
"""
import json, os, pathlib, random, time

from lake import Node, cut, generate, wait_until

RECORDS = int(os.environ.get("LAKEWRIGHT_CRASH_RECORDS", 6_000))
KILLS = int(os.environ.get("LAKEWRIGHT_CRASH_KILLS", 14))
SEED = int(os.environ.get("LAKEWRIGHT_CRASH_SEED", 1))
POINTS = ["fetch.done", "bronze.file.written", "bronze.commit.before", "bronze.commit.after", "raft.append.before_sync", "raft.append.after_sync",
          "catalog.apply.before", "catalog.apply.after", "silver.files.written", "silver.commit.before", "silver.commit.after",
          "catalog.snapshot.written"]


def test_nothing_is_lost_or_doubled_when_the_process_is_killed(tmp_path):
    r = random.Random(SEED)
    whole, truth_file = tmp_path / "all.ndjson", tmp_path / "truth.ndjson"
    truth = generate(whole, RECORDS, seed=SEED, truth=truth_file, dup=0.05, upd=0.20, bad=0.01, late=0.02, delete=0.03, reinsert=0.015)
    pieces = cut(whole, tmp_path, KILLS)
    node = Node(tmp_path, settings=["catalog.snapshot_entries=100", "ingest.silver_commit_interval=200ms", "ingest.commit_interval=100ms",
                                    "ingest.batch_rows=200"])
    node.start()
    node.setup()
    kills = {}
    for i, piece in enumerate(pieces):
        # Every point in turn, then random instants; the n-th pass, so that early and late ones are hit.
        point = POINTS[i] if i < len(POINTS) else r.choice(POINTS + ["random"] * len(POINTS))
        node.kill()
        piece.rename(node.source / piece.name)
        once = i < len(POINTS) or point == "catalog.snapshot.written"
        armed = None if point == "random" else f"{point}:{1 if once else r.randint(1, 3)}"
        if node.start(crash_at=armed):
            try:
                node.run(check=False)
            except (AssertionError, OSError, ValueError):
                pass  # the node died while it was asked
            if point == "catalog.snapshot.written":
                propose_until_dead(node)
            elif armed is None:
                time.sleep(r.uniform(0, 0.7))  # a random instant is what this waits for
                node.kill()
            else:
                died_or_done(node, 20)
        kills[point] = kills.get(point, 0) + (not node.alive())
        node.kill()
        node.start()
        # A run that was open goes on by itself; else the file is still to be read.
        settle_all(node)
        run = node.run(check=False)
        if run:
            node.settled(run)
        settle_all(node)
    print(f"\n{sum(kills.values())} kills: {kills}")
    assert sum(kills.values()) >= KILLS * 0.6, f"too few of the kills happened: {kills}"
    compare(node, truth, truth_file)
    took = node.stop()
    assert took < 10, f"SIGTERM took {took:.1f} s"
    node.start()
    compare(node, truth, truth_file)
    node.kill()


def propose_until_dead(node):
    """A snapshot is cut after a number of log entries: proposes until one is, and the node dies of it."""
    admin = (node.data / "admin.token").read_text().strip()
    for i in range(300):
        try:
            node.cli("tenant", "create", f"filler-{node.starts}-{i}", token=admin, check=False)
        except OSError:
            pass
        if not node.alive():
            return


def died_or_done(node, seconds):
    """Until the armed node has died, or there is nothing more that could reach the point."""
    def check():
        if not node.alive():
            return True
        try:
            runs = node.json("run", "list", "--tenant", "acme")
        except AssertionError:
            return not node.alive()
        return all(run["status"] in ("succeeded", "failed", "cancelled") for run in rows(runs, "runs"))
    wait_until("the armed node dies or has nothing to do", check, seconds)


def rows(answer, name):
    return answer if isinstance(answer, list) else answer.get(name, [])


def settle_all(node):
    def check():
        return all(run["status"] in ("succeeded", "failed", "cancelled") for run in rows(node.json("run", "list", "--tenant", "acme"), "runs"))
    wait_until("all runs are over", check, 120)


def compare(node, truth, truth_file):
    expected = truth["outcomes"]
    runs = rows(node.json("run", "list", "--tenant", "acme"), "runs")
    assert all(r["status"] == "succeeded" for r in runs), [r for r in runs if r["status"] != "succeeded"]

    # Nothing lost, nothing doubled in Bronze: every line once, offsets dense.
    count, distinct, last = node.sql("SELECT COUNT(*), COUNT(DISTINCT _offset), MAX(_offset) FROM bronze.files_opportunity")[0]
    assert (count, distinct, last) == (truth["lines"], truth["lines"], truth["lines"] - 1)

    # Every record has one outcome, and their sums are the oracle's.
    columns = ["read", "rejected", "inserted", "updated", "deleted", "unchanged", "stale", "flagged"]
    sums = dict(zip(columns, node.sql("SELECT " + ", ".join(f"SUM({c})" for c in columns) + " FROM system.runs")[0]))
    assert sums["read"] == truth["lines"]
    for name, n in expected.items():
        assert sums[name] == n, (name, sums, expected)
    assert node.sql("SELECT COUNT(*) FROM system.runs WHERE NOT exact")[0][0] == 0
    assert node.sql("SELECT COUNT(*) FROM system.dead_letters")[0][0] == expected["rejected"]
    assert node.sql("SELECT COUNT(*) FROM system.data_quality_results")[0][0] == truth["lines"]

    # Silver is the oracle's, row by row.
    live = {}
    for line in pathlib.Path(truth_file).read_text().splitlines():
        row = json.loads(line)
        live[row["Id"]] = (row["LastModifiedDate"], row["Stage"].lower().replace(" ", "_"), row["Amount"])
    found = node.sql("SELECT pc_opportunity_id, last_modified_at, lifecycle_stage, CAST(aws_monthly_revenue AS VARCHAR) FROM partner_central_opportunity")
    assert len(found) == len(live) == truth["live"]
    for key, modified, stage, amount in found:
        want = live.pop(key)
        got = modified.strftime("%Y-%m-%dT%H:%M:%S.") + "%03dZ" % (modified.microsecond // 1000)
        assert (got, stage, amount) == want, key
    assert not live

    # Changes replay to the same rows: net of each key is its liveness.
    net = node.sql("""SELECT COUNT(*) FROM (SELECT pc_opportunity_id, SUM(CASE WHEN _change = 'insert' THEN 1 WHEN _change = 'delete' THEN -1 ELSE 0 END) n
                      FROM silver.partner_central_opportunity__changes GROUP BY 1) WHERE n = 1""")[0][0]
    assert net == truth["live"]

    # The key index agrees with the files, lineage is closed, no named file is missing.
    verified = node.json("table", "verify", "silver.partner_central_opportunity", "--tenant", "acme")
    assert not verified.get("faults"), verified
    # Silver is what Bronze makes of it: made again from every commit, and compared row by row.
    again = node.json("table", "verify", "silver.partner_central_opportunity", "--from-bronze", "--tenant", "acme")
    assert (again["fault_count"], again["rows"]) == (0, truth["live"]), again
    assert again["records"] == truth["lines"] - expected["rejected"], again
    scratch = node.data / "lake" / "_lakewright" / "scratch"
    assert not [p for p in scratch.rglob("*") if p.is_file()], "the scratch table was left behind"
    walk = node.json("lineage", "walk", "silver.partner_central_opportunity", "--tenant", "acme", "--limit", "100000")
    assert not walk["truncated"]
    ids = {n["id"] for n in walk["nodes"]}
    assert all(e["from"] in ids and e["to"] in ids for e in walk["edges"])
    fed = {e["to"] for e in walk["edges"]}
    assert all(n["id"] in fed for n in walk["nodes"] if not n["id"].startswith("source/")), "a node without its inputs"
    lake = node.data / "lake"
    missing = [p for (p,) in node.sql("SELECT path FROM system.files") if not (lake / p).exists()]
    assert not missing, missing
