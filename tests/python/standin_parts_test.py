"""The parts of the stand-in of Partner Central that its answers rest on, each against a naive telling of the same thing."""

import random
import re

import pytest

from partner import PACKAGE, SHAPES  # first: it makes the package importable
from partner_central import faults, paging, timestamps
from partner_central.changes import KINDS
from partner_central.control import Control
from partner_central.meter import Limits, Meter
from partner_central.oddities import ODDITIES
from partner_central.operations import OPERATIONS
from partner_central.opportunity_body import list_amount
from partner_central.store import Entity, Store
from partner_central.timestamps import NS


@pytest.mark.parametrize("seed", range(5))
def test_what_is_listed_is_what_came_and_was_due(seed):
    r = random.Random(seed)
    kind = Entity("thing", lambda body: {"Rank": body["Rank"]}, lambda body: body)
    store, sent, now = Store("1", [kind]), [], 0
    store.index("thing", "AWS", "Rank")  # kept from the first change on
    for _ in range(400):
        now += r.randrange(3)
        identifier = f"T{r.randrange(30)}"
        lag = r.randrange(20)
        body = None if r.random() < 0.2 else {"Catalog": "AWS", "Rank": r.randrange(10)}
        if body is None:
            store.remove("thing", "AWS", identifier, now, lag)
        else:
            store.put("thing", "AWS", identifier, body, now, lag)
        sent.append((identifier, body, now, now + lag))
        store.settle(now)
        newest = {i: b for i, b, _, _ in sent}
        assert {i for i, b in newest.items() if b} == {v.id for v in store.all("thing")}
        due = {i: b for i, b, _, listed in sent if listed <= now}  # a later change that came sooner stays
        assert sorted((b["Rank"], i) for i, b in due.items() if b) == store.index("thing", "AWS", "Rank")
    assert [v.until for v in store.history if v is not store.last("thing", "AWS", v.id)].count(None) == 0


@pytest.mark.parametrize("seed", range(5))
def test_pages_are_the_sorted_list_in_pieces(seed):
    r = random.Random(seed)
    index = sorted({(r.randrange(40), f"O{n}") for n in range(200)})
    even = {i for _, i in index if int(i[1:]) % 2 == 0}
    for descending in (False, True):
        for low, high in ((None, None), (10, 30), (12, None), (None, 5)):
            expected = [i for key, i in index if i in even and (low is None or key >= low) and (high is None or key <= high)]
            for read in (paging.by_key, paging.by_offset):
                got, after = [], None
                while True:
                    ids, after = read(index, after, descending, r.randrange(1, 9), even.__contains__, low, high)
                    got += ids
                    if after is None:
                        break
                assert got == (expected[::-1] if descending else expected)


@pytest.mark.parametrize("seed", range(5))
def test_quotas_count_as_a_naive_count_does(seed):
    r, now, admitted = random.Random(seed), NS, []
    meter = Meter(Limits(reads_per_second=10, reads_per_day=300))
    tokens, filled = 10.0, now
    for _ in range(3000):
        now += r.choice([0, 1, NS // 50, NS // 9, NS, 3600 * NS if r.random() < 0.02 else 0])
        tokens, filled = min(10.0, tokens + (now - filled) / NS * 10), now
        in_day = sum(at // NS > now // NS - 86400 for at in admitted)
        allowed = in_day < 300 and tokens >= 1
        assert meter.admit("GetOpportunity", now) == allowed
        if allowed:
            tokens -= 1
            admitted.append(now)
    told = meter.told()["groups"]["reads"]
    assert told["throttled_by_second"] and told["throttled_by_day"] and told["admitted_in_24h"] <= 300
    peak = max(sum(at - NS < other <= at for other in admitted) for at in admitted)
    assert told["peak_admitted_in_a_second"] == peak <= 20


def test_instants_are_read_and_written_as_they_are_recorded():
    for text, form in [
        ("2024-11-14T19:32:03Z", timestamps.seconds),
        ("2025-12-15T23:33:13.149Z", timestamps.millis),
        ("2025-01-24T21:00:03Z", timestamps.millis),
        ("2025-01-15T16:34:26.04932597Z", timestamps.nanos),
        ("2025-12-15T19:58:11.517275706Z", timestamps.nanos),
    ]:
        assert form(timestamps.parse(text)) == text
    assert timestamps.hundredths("2025-01-15T16:34:26.04932597Z") == "2025-01-15T16:34:26.04Z"
    assert timestamps.parse("2026-01-01T02:00:00+02:00") == timestamps.parse("2026-01-01T00:00:00.000Z")
    for wrong in ("2026-01-01", "2026-02-30T00:00:00Z", "2026-01-01T00:00:00", "1767225600"):
        with pytest.raises(ValueError):
            timestamps.parse(wrong)


def test_amounts_in_a_list_have_a_fraction():
    assert [list_amount(a) for a in ("531", "531.", "531.00", "12.34", "0", "1" + "0" * 30 + ".01")] == [
        "531.0",
        "531.0",
        "531.0",
        "12.34",
        "0.0",
        "1" + "0" * 30 + ".01",
    ]


def test_a_union_has_one_member_and_nulls_stand_for_absence():
    one = {
        "Catalog": "AWS",
        "Id": "engi-0000000000000",
        "Payload": {"LeadInvitation": {"Customer": {"CompanyName": "A"}, "Interaction": {"ContactBusinessTitle": "B"}}},
    }
    assert SHAPES.faults_of_output("GetEngagementInvitation", one) == []
    one["Payload"]["OpportunityInvitation"] = None
    assert SHAPES.faults_of_output("GetEngagementInvitation", one) == []
    one["Payload"]["LeadInvitation"] = None
    assert [f.field for f in SHAPES.faults_of_output("GetEngagementInvitation", one)] == ["Payload"]


def test_the_readme_names_what_there_is():
    readme = (PACKAGE / "partner_central" / "README.md").read_text()
    flags = set(re.findall(r"--[a-z][a-z-]+", (PACKAGE / "partner_central" / "options.py").read_text()))
    named = flags | set(ODDITIES) | set(OPERATIONS) | set(KINDS) | set(faults.KINDS) | {way for _, way in Control(None)._ways} - {"health"}
    assert len(named) > 60 and not {name for name in named if name not in readme}
    on, off = readme.split("## Oddities")[1].split("`--help`")[0].split("Off: ")
    assert all((name in on) == default and (name in off) != default for name, (default, _) in ODDITIES.items())
