"""Gold: the pipeline mart follows Silver, is swapped in at once, and each of its values leads back to the source."""

import json
import threading

from lake import Node, wait_until


def opportunity(key, stage, modified, spend="100", created="2026-01-01T00:00:00Z", close="2026-05-15", solution="S-1"):
    return {
        "Id": key, "Catalog": "AWS", "CreatedDate": created, "LastModifiedDate": modified,
        "LifeCycle": {"Stage": stage, "TargetCloseDate": close},
        "Customer": {"Account": {"CompanyName": "Acme"}},
        "Project": {"ExpectedCustomerSpend": [{"Amount": spend, "CurrencyCode": "USD", "Frequency": "None", "TargetCompany": "Self"}]},
        "RelatedEntityIdentifiers": {"Solutions": [solution]},
    }


def feed(node, name, records):
    (node.source / name).write_text("".join(json.dumps(r) + "\n" for r in records))
    return node.settled(node.run())


COLUMNS = "lifecycle_stage, opportunities, entered, moved_on, stage_conversion, left_stage, left_censored, avg_days_in_stage, win_rate, pipeline_value_usd"


def mart(node):
    rows = node.sql(f"SELECT {COLUMNS} FROM gold.pipeline_mart WHERE as_of_date = (SELECT max(as_of_date) FROM gold.pipeline_mart)")
    return {r[0]: dict(zip(COLUMNS.split(", ")[1:], r[1:])) for r in rows}


def test_the_mart_follows_silver_and_its_figures_are_those_of_the_history(node):
    node.setup()
    feed(node, "1.ndjson", [
        # A is seen from its beginning, B when it had been qualified for an unknown time.
        opportunity("O1", "Prospect", "2026-01-01T00:00:00Z"),
        opportunity("O2", "Qualified", "2026-02-01T00:00:00Z", spend="50"),
        opportunity("O3", "Launched", "2026-03-01T00:00:00Z"),
        opportunity("O4", "Closed Lost", "2026-03-01T00:00:00Z"),
    ])
    feed(node, "2.ndjson", [opportunity("O1", "Qualified", "2026-01-11T00:00:00Z"), opportunity("O2", "Closed Lost", "2026-02-05T00:00:00Z", spend="50")])
    feed(node, "3.ndjson", [opportunity("O1", "Committed", "2026-01-31T00:00:00Z")])
    # Built by itself, some seconds after the last change.
    got = wait_until("the mart has the last change", lambda: (lambda m: m if m.get("committed", {}).get("opportunities") == 1 else None)(mart(node) if exists(node) else {}), 60)
    assert set(got) == {"prospect", "qualified", "committed", "launched", "closed_lost"}
    prospect, qualified = got["prospect"], got["qualified"]
    assert (prospect["opportunities"], prospect["entered"], prospect["moved_on"], prospect["stage_conversion"]) == (0, 1, 1, 1.0)
    assert (prospect["left_stage"], prospect["left_censored"], prospect["avg_days_in_stage"]) == (1, 0, 10.0)
    # O1 went on after 20 days; O2 was lost, and its visit began before the first sight.
    assert (qualified["entered"], qualified["moved_on"], qualified["stage_conversion"]) == (2, 1, 0.5)
    assert (qualified["left_stage"], qualified["left_censored"], qualified["avg_days_in_stage"]) == (2, 1, 20.0)
    assert float(got["committed"]["pipeline_value_usd"]) == 100.0
    assert got["closed_lost"]["opportunities"] == 2 and float(got["closed_lost"]["pipeline_value_usd"]) == 0
    assert {round(m["win_rate"], 6) for m in got.values()} == {round(1 / 3, 6)}
    listed = node.json("mart", "list", "--tenant", "acme")
    assert [(m["name"], m["stale"]) for m in listed] == [("pipeline_mart", False)], listed
    # Lineage: up from the mart to the source, and down from a Bronze commit to the mart.
    up = node.json("lineage", "walk", "gold.pipeline_mart", "--tenant", "acme")
    assert {n["kind"] for n in up["nodes"]} == {"gold_commit", "silver_commit", "bronze_commit", "source"}
    first = min(int(n["id"].split("/")[1]) for n in up["nodes"] if n["kind"] == "bronze_commit")
    down = node.json("lineage", "walk", "--commit", str(first), "--down", "--tenant", "acme")
    assert "gold_commit" in {n["kind"] for n in down["nodes"]}


def exists(node):
    return node.sql("SELECT count(*) FROM information_schema.tables WHERE table_schema = 'gold' AND table_name = 'pipeline_mart'")[0][0] == 1


def test_a_value_leads_back_to_the_source(node):
    node.setup()
    feed(node, "1.ndjson", [opportunity("O1", "Prospect", "2026-01-01T00:00:00Z"), opportunity("O2", "Qualified", "2026-02-01T00:00:00Z", spend="-3")])
    ended = feed(node, "2.ndjson", [opportunity("O1", "Qualified", "2026-01-11T00:00:00Z", spend="250.50")])
    node.json("mart", "rebuild", "pipeline_mart", "--tenant", "acme")
    cell = node.json("explain", "cell", "gold.pipeline_mart", "pipeline_value_usd", "lifecycle_stage=qualified", "partner_solution_id=S-1",
                     "close_quarter=2026-04-01", "--tenant", "acme")
    assert float(cell["value"]) == 247.5 and "total_pipeline_value" in cell["made_by"], cell
    now = sorted(r["pc_opportunity_id"] for r in cell["contributing"] if r["counted_as"] == "now")
    assert now == ["O1", "O2"]
    # From there to the record at the source.
    found = node.json("explain", "cell", "silver.partner_central_opportunity", "expected_revenue_usd", "O1", "--tenant", "acme")
    origin = found["origin"]
    assert float(found["value"]) == 250.5
    assert origin["payload"]["Project"]["ExpectedCustomerSpend"][0]["Amount"] == "250.50"
    assert origin["location"].endswith("2.ndjson@0") and origin["run_id"] == ended["id"] and origin["connector"] == "opps"
    assert [float(h["value"]) for h in found["history"]] == [100.0, 250.5]
    assert "total_contract_value" in json.dumps(found["made_by"])
    row = node.json("explain", "row", "silver.partner_central_opportunity", "O2", "--tenant", "acme")
    assert row["checks"]["warnings"], row["checks"]
    # People get tables; what is not there is told.
    text = node.cli("explain", "row", "silver.partner_central_opportunity", "O1", "--tenant", "acme", as_json=False).stdout
    assert "2.ndjson@0" in text and "update_after" in text
    wrong = node.cli("explain", "cell", "silver.partner_central_opportunity", "nothing", "O1", "--tenant", "acme", check=False)
    assert wrong.returncode and "expected_revenue_usd" in wrong.stderr
    missing = node.cli("explain", "row", "gold.pipeline_mart", "lifecycle_stage=x", "--tenant", "acme", check=False)
    assert missing.returncode and "partner_solution_id=VALUE" in missing.stderr
    other = node.tenant("other")
    hidden = node.cli("explain", "row", "silver.partner_central_opportunity", "O1", "--tenant", "other", token=other, check=False)
    assert hidden.returncode and "O1" not in hidden.stdout


def test_queries_see_one_build_whole_and_a_kill_between_leaves_the_one_before(tmp_path):
    node = Node(tmp_path)
    node.start()
    node.setup()
    feed(node, "0.ndjson", [opportunity(f"O{i}", "Prospect", "2026-01-01T00:00:00Z") for i in range(200)])
    node.json("mart", "rebuild", "pipeline_mart", "--tenant", "acme")
    seen, stop = set(), threading.Event()

    def watch():
        while not stop.is_set():
            seen.add(node.sql("SELECT sum(opportunities), count(DISTINCT _snapshot) FROM gold.pipeline_mart")[0])

    watcher = threading.Thread(target=watch)
    watcher.start()
    for i in range(4):
        feed(node, f"n{i}.ndjson", [opportunity(f"N{i}-{k}", "Qualified", "2026-01-01T00:00:00Z") for k in range(100)])
        node.json("mart", "rebuild", "pipeline_mart", "--tenant", "acme")
    stop.set()
    watcher.join()
    assert {n for n, _ in seen} <= {200, 300, 400, 500, 600} and {s for _, s in seen} == {1}, seen
    for point in ("gold.files.written", "gold.commit.after"):
        node.kill()
        node.start(crash_at=point)
        feed_quietly(node, f"{point}.ndjson", [opportunity(f"C{point}{k}", "Qualified", "2026-01-01T00:00:00Z") for k in range(10)])
        wait_until(f"the node dies at {point}", lambda: not node.alive(), 60)
        node.start()
        wait_until("the mart has what came", lambda: node.sql("SELECT sum(opportunities) FROM gold.pipeline_mart WHERE as_of_date = (SELECT max(as_of_date) FROM gold.pipeline_mart)")[0][0] == node.sql("SELECT count(*) FROM silver.partner_central_opportunity")[0][0], 60)
    node.kill()


def feed_quietly(node, name, records):
    (node.source / name).write_text("".join(json.dumps(r) + "\n" for r in records))
    node.run(check=False)
