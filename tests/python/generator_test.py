"""The generator is what every count is compared with, so it is checked by itself: its bytes do not
change, and its truth is what a second, naive reading of the same lines gives."""
import hashlib, json, re
from datetime import datetime
from decimal import Decimal

import pytest

from lake import generate

BYTES = {
    7: "973fc419b66c3e8cb25461cc1bcd6394a759180a1cc33ecadd9d986cbb66b15f",
    11: "1e2e36634437c9100f733a1fda4f3303b4110324e9d62646d534d11e42dad0a7",
}


@pytest.mark.parametrize("n, seed, shares", [(2000, 7, {}), (3000, 11, {"dup": 0.2, "upd": 0.3, "bad": 0.1, "window": 100})])
def test_the_same_options_give_the_same_bytes(tmp_path, n, seed, shares):
    path = tmp_path / "opps.ndjson"
    generate(path, n, seed=seed, **shares)
    assert hashlib.sha256(path.read_bytes()).hexdigest() == BYTES[seed]


@pytest.mark.parametrize("seed", range(1, 9))
def test_its_truth_is_what_a_naive_reading_gives(tmp_path, seed):
    path, truth_file = tmp_path / "opps.ndjson", tmp_path / "truth.ndjson"
    # A small window and large shares: every kind of record meets every state of a key.
    truth = generate(path, 3000, seed=seed, truth=truth_file, dup=0.15, upd=0.25, bad=0.03, late=0.1, delete=0.1, reinsert=0.08, window=60)
    outcomes = dict.fromkeys(truth["outcomes"], 0)
    warned = 0
    history = {}  # Id -> every accepted record so far, in order
    lines = path.read_bytes().splitlines()
    assert len(lines) == truth["lines"] == 3000 and path.stat().st_size == truth["bytes"]
    for line in lines:
        o = json.loads(line)
        if rejected(o):
            outcomes["rejected"] += 1
            continue
        outcomes["flagged"] += any(bad_address(c["Email"]) for c in o.get("Customer", {}).get("Contacts", []))
        warned += doubtful_revenue(o)
        before = history.setdefault(o["Id"], [])
        outcomes[judge(o, before)] += 1
        before.append(o)
    assert outcomes == truth["outcomes"] and all(outcomes.values()), outcomes
    assert warned == truth["warned"] > 0
    live = {key: state(records) for key, records in history.items() if state(records).get("_operation") != "delete"}
    assert len(live) == truth["live"]
    told = {row["Id"]: row for row in map(json.loads, truth_file.read_text().splitlines())}
    assert told.keys() == live.keys()
    for key, o in live.items():
        spend = o["Project"]["ExpectedCustomerSpend"][0]
        assert told[key] == {"Id": key, "LastModifiedDate": o["LastModifiedDate"], "Version": o["Version"], "Stage": o["LifeCycle"]["Stage"],
                             "Amount": spend["Amount"] if spend["TargetCompany"] == "AWS" else None}


def state(records):
    """The record that decides on a key: of the newest version, the first that came (none is changed under its version)."""
    return max(records, key=lambda o: o["LastModifiedDate"]) if records else None


def judge(o, before):
    now = state(before)
    delete, dead = o.get("_operation") == "delete", now is None or now.get("_operation") == "delete"
    newer = now is None or o["LastModifiedDate"] > now["LastModifiedDate"]
    if delete:
        return "unchanged" if dead else "deleted" if o["LastModifiedDate"] >= now["LastModifiedDate"] else "stale"
    if newer:
        return "inserted" if dead else "updated"
    return "unchanged" if o == now else "stale"


def rejected(o):
    if not o.get("Id") or not o.get("LastModifiedDate"):
        return True
    if o.get("_operation") == "delete":
        return False
    try:
        datetime.strptime(o["LifeCycle"]["TargetCloseDate"], "%Y-%m-%d")
    except ValueError:
        return True
    return "CompanyName" not in o["Customer"]["Account"]


def bad_address(address):
    return not re.fullmatch(r"[\w.%+-]+@[\w-]+(\.[\w-]+)*\.[A-Za-z]{2,}", address)


def doubtful_revenue(o):
    if o.get("_operation") == "delete":
        return False
    spend = o["Project"]["ExpectedCustomerSpend"][0]
    amount = Decimal(spend["Amount"])
    doubtful = spend["TargetCompany"] == "AWS" and (spend["CurrencyCode"] != "USD" or amount == 0)
    return doubtful or amount < 0
