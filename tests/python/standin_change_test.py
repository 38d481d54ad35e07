"""The stand-in of Partner Central while its records change: paging, and what the service does that its model does not say."""

import json
import collections

import pytest

from partner import ASCENDING, FIXTURES, SHAPES, hold_to_model, instant, opportunities, pages, scan, started

# --- paging while records change


def test_ascending_by_modification_loses_nothing_while_records_change():
    with started() as s:
        client, seen = s.selling(), {}
        for page in pages(client.list_opportunities, Catalog="AWS", MaxResults=20, Sort=ASCENDING):
            for o in page["OpportunitySummaries"]:
                seen.setdefault(o["Id"], []).append(o["LastModifiedDate"])
            if page.get("NextToken"):
                s.advance(5, 6, kinds={"stage": 3, "create": 1})
        truth = s.truth("opportunity")
        assert seen.keys() == truth.keys()
        assert {i: max(dates) for i, dates in seen.items()} == {i: instant(row["LastModifiedDate"]) for i, row in truth.items()}
        assert sum(len(dates) > 1 for dates in seen.values()) > 3  # changed behind the page and met again


def test_descending_misses_what_changes_ahead_of_the_page():
    with started(seed=2) as s:
        client, seen = s.selling(), {}
        for page in pages(client.list_opportunities, Catalog="AWS", MaxResults=20, Sort={**ASCENDING, "SortOrder": "DESCENDING"}):
            seen.update((o["Id"], o["LastModifiedDate"]) for o in page["OpportunitySummaries"])
            s.advance(5, 6, kinds={"stage": 1})
        assert {i: instant(row["LastModifiedDate"]) for i, row in s.truth("opportunity").items()} != seen


def test_a_cursor_that_is_inclusive_gets_the_boundary_again_and_the_whole_group_of_one_instant():
    with started(seed=4) as s:
        client, cursor, got = s.selling(), None, collections.Counter()
        for _ in range(12):
            request = {"LastModifiedDate": {"AfterLastModifiedDate": cursor}} if cursor else {}
            for o in opportunities(client, **request):
                got[o["Id"], o["LastModifiedDate"]] += 1
                cursor = max(cursor or o["LastModifiedDate"], o["LastModifiedDate"])
            s.advance(60, 5, kinds={"group": 2, "revenue": 1, "create": 1})
        for o in opportunities(client, LastModifiedDate={"AfterLastModifiedDate": cursor}):
            got[o["Id"], o["LastModifiedDate"]] += 1
        truth = {(i, instant(row["LastModifiedDate"])) for i, row in s.truth("opportunity").items()}
        assert truth <= got.keys() and max(got.values()) > 1
        assert max(collections.Counter(date for _, date in truth).values()) >= 3


def test_pages_by_count_lose_records_that_slip():
    with started("--oddity", "offset-paging=on", seed=6) as s:
        client, seen = s.selling(), set()
        for page in pages(client.list_opportunities, Catalog="AWS", MaxResults=20, Sort=ASCENDING):
            seen |= {o["Id"] for o in page["OpportunitySummaries"]}
            s.advance(5, 4, kinds={"delete": 1})
        assert s.truth("opportunity").keys() - seen


# --- oddities


@pytest.mark.parametrize("oddity", ["duplicate-items", "short-pages", "trailing-token"])
def test_odd_pages_still_give_everything(oddity):
    with started("--oddity", f"{oddity}=on", generate=200) as s:
        sizes, seen = [], collections.Counter()
        for page in pages(s.selling().list_opportunities, Catalog="AWS", MaxResults=20, Sort=ASCENDING):
            sizes.append(len(page["OpportunitySummaries"]))
            seen.update(o["Id"] for o in page["OpportunitySummaries"])
        truth = s.truth("opportunity")
        assert seen.keys() == truth.keys()
        assert (max(seen.values()) > 1) == (oddity == "duplicate-items")
        if oddity == "short-pages":
            assert 0 in sizes[:-1] and max(sizes) <= 20
        if oddity == "trailing-token":
            assert (sizes[-1] == 0) == (len(truth) % 20 == 0)


def test_list_lags_behind_get_and_its_changes_come_out_of_order():
    with started("--oddity", "list-lag=on", seed=3) as s:
        client = s.selling()
        s.advance(60)
        before = {o["Id"]: o["LastModifiedDate"] for o in opportunities(client)}
        changed = [i for c in s.advance(10, 40, kinds={"stage": 1})["changes"] for i in c["ids"]]
        listed = {o["Id"]: o["LastModifiedDate"] for o in opportunities(client)}
        late = [i for i in changed if listed[i] == before[i]]
        assert late and client.get_opportunity(Catalog="AWS", Identifier=late[0])["LastModifiedDate"] > listed[late[0]]
        newest = max(listed.values())
        s.advance(30)
        after = {o["Id"]: o["LastModifiedDate"] for o in opportunities(client)}
        assert after == {i: instant(row["LastModifiedDate"]) for i, row in s.truth("opportunity").items()}
        # What a cursor at the newest date seen would have passed over.
        assert [i for i in late if listed[i] < after[i] < newest]


def raw(client):
    """The bodies as they came, by operation."""
    bodies = collections.defaultdict(list)
    client.meta.events.register(
        "before-parse.partnercentral-selling",
        lambda operation_model, response_dict, **_: bodies[operation_model.name].append(json.loads(response_dict["body"])),
    )
    return bodies


def everything(s, client):
    """Reads all that there is, and each record."""
    for o in opportunities(client):
        client.get_opportunity(Catalog="AWS", Identifier=o["Id"])
        client.get_aws_opportunity_summary(Catalog="AWS", RelatedOpportunityIdentifier=o["Id"])
    for side in ("SENDER", "RECEIVER"):
        for i in scan(client.list_engagement_invitations, "EngagementInvitationSummaries", Catalog="AWS", ParticipantType=side):
            client.get_engagement_invitation(Catalog="AWS", Identifier=i["Id"])
    for e in scan(client.list_engagements, "EngagementSummaryList", Catalog="AWS"):
        client.get_engagement(Catalog="AWS", Identifier=e["Id"])
    for tasks in ("engagement_by_accepting_invitation", "engagement_from_opportunity", "opportunity_from_engagement"):
        scan(getattr(client, f"list_{tasks}_tasks"), "TaskSummaries", Catalog="AWS", MaxResults=3)
    scan(client.list_solutions, "SolutionSummaries", Catalog="AWS")
    scan(client.list_engagement_resource_associations, "EngagementResourceAssociationSummaries", Catalog="AWS")


def test_what_recorded_bodies_show_is_sent_unless_it_is_switched_off():
    with started(generate=250, seed=9) as s:
        client = s.selling()
        bodies = raw(client)
        s.advance(3600, 150)
        everything(s, client)
        got = {o["Id"]: o for o in bodies["GetOpportunity"]}
        listed = {o["Id"]: o for page in bodies["ListOpportunities"] for o in page["OpportunitySummaries"]}

        def entries(o):
            return o["Project"]["ExpectedCustomerSpend"]

        assert any(
            a["Amount"] + ".0" == b["Amount"] for i in got for a, b in zip(entries(got[i]), entries(listed[i])) if a["Amount"]
        )  # amount-text
        amounts = [e["Amount"] for o in got.values() for e in entries(o)]
        assert (
            {"", None} <= set(amounts) and any(a and a.endswith(".") for a in amounts) and any(a and len(a) > 30 for a in amounts)
        )  # amount-forms
        assert (
            any(o["Arn"] is None for o in got.values()) and "OtherIndustry" in listed[min(listed)]["Customer"]["Account"]
        )  # explicit-nulls
        assert "None" in {e["Frequency"] for o in got.values() for e in entries(o)}  # documented-enums
        assert any(
            e["TargetCompany"] == "Self" and o["Project"]["ExpectedContractDuration"] for o in got.values() for e in entries(o)
        )  # self-entries
        assert any(o["LifeCycle"]["Stage"] is None for o in got.values())  # missing-stage
        engagement = bodies["GetEngagement"]
        assert any(len(e["CreatedAt"]) > 24 for e in engagement) and {"ModifiedAt" in e for e in engagement} == {
            True,
            False,
        }  # engagement-precision, modified-absent
        assert max(len(e["CreatedAt"]) for page in bodies["ListEngagements"] for e in page["EngagementSummaryList"]) <= 23
        assert (
            "ResourceArn" in bodies["ListEngagementResourceAssociations"][0]["EngagementResourceAssociationSummaries"][0]
        )  # association-extras
        assert any(i["EngagementId"] is None for i in bodies["GetEngagementInvitation"])  # invitation-without-engagement
    with started("--oddity", "all=off", generate=80, seed=9) as s:
        client = s.selling()
        bodies = raw(client)
        # Nothing is sent against the model then, not even what is recorded.
        client.meta.events.register("before-parse.partnercentral-selling", strictly)
        s.advance(3600, 150)
        everything(s, client)
        assert ": null" not in json.dumps(bodies)


def test_what_is_generated_has_the_members_of_what_is_recorded():
    with started(generate=150, seed=9) as s:
        client = s.selling()
        bodies = raw(client)
        s.advance(3600, 100)
        s.advance(3600, 50, kinds={"invite-lead": 1, "accept": 1, "qualify": 1})
        everything(s, client)
    for file in sorted(FIXTURES.glob("pc_*.json")):
        operation = next(
            (name for name in bodies if file.stem.startswith(("pc_" + name, "pc_lead_" + name, "pc_aws_referral_" + name))), None
        )
        if operation:
            made = set().union(*map(members, bodies[operation]))
            assert members(json.loads(file.read_text())) <= made, (file.name, sorted(members(json.loads(file.read_text())) - made))


def members(value, path=""):
    """The path of every member, also of those that are null."""
    if isinstance(value, dict):
        of_a_map = path.endswith("TotalAmountByCategory")
        return {path}.union(*(members(v, path if of_a_map else f"{path}.{k}") for k, v in value.items()))
    return {path}.union(*(members(v, path + "[]") for v in value)) if isinstance(value, list) else {path}


def strictly(operation_model, response_dict, **_):
    assert SHAPES.faults_of_output(operation_model.name, json.loads(response_dict["body"])) == []


def test_drift_is_switched_on_while_it_runs():
    with started() as s:
        client = s.selling()
        bodies = raw(client)
        client.meta.events.unregister("before-parse.partnercentral-selling", hold_to_model)
        s.control("POST", "oddities", {"invented-enums": True, "unknown-fields": True})
        ids = {i for c in s.advance(60, 40, kinds={"stage": 1})["changes"] for i in c["ids"]}
        s.control("POST", "oddities", {"documented-enums": False})
        for identifier in ids:
            client.get_opportunity(Catalog="AWS", Identifier=identifier)
        assert all("DealHealth" in o and "ForecastCategory" in o["LifeCycle"] for o in bodies["GetOpportunity"])
        assert "Solution Assessment" in {o["LifeCycle"]["Stage"] for o in bodies["GetOpportunity"]}
