"""The stand-in while its records change: paging, what the service does that its model does not say, history, restarts.
Time goes on by the control endpoint alone."""
import collections, json
from datetime import datetime, timezone

import pytest
from botocore.exceptions import ClientError

from partner import ASCENDING, FIXTURES, SHAPES, Standin, hold_to_model, opportunities, pages, scan

NOW = "2026-05-01T00:00:00Z"
CLOSED = ["--frozen", "--now", NOW, "--reads-per-second", "0", "--writes-per-second", "0"]


def started(*flags, **options):
    return Standin(*CLOSED, *flags, **{"generate": 120, **options})


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
    client.meta.events.register("before-parse.partnercentral-selling",
                                lambda operation_model, response_dict, **_: bodies[operation_model.name].append(json.loads(response_dict["body"])))
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

        assert any(a["Amount"] + ".0" == b["Amount"] for i in got for a, b in zip(entries(got[i]), entries(listed[i])) if a["Amount"])  # amount-text
        amounts = [e["Amount"] for o in got.values() for e in entries(o)]
        assert {"", None} <= set(amounts) and any(a and a.endswith(".") for a in amounts) and any(a and len(a) > 30 for a in amounts)  # amount-forms
        assert any(o["Arn"] is None for o in got.values()) and "OtherIndustry" in listed[min(listed)]["Customer"]["Account"]  # explicit-nulls
        assert "None" in {e["Frequency"] for o in got.values() for e in entries(o)}  # documented-enums
        assert any(e["TargetCompany"] == "Self" and o["Project"]["ExpectedContractDuration"] for o in got.values() for e in entries(o))  # self-entries
        assert any(o["LifeCycle"]["Stage"] is None for o in got.values())  # missing-stage
        engagement = bodies["GetEngagement"]
        assert any(len(e["CreatedAt"]) > 24 for e in engagement) and {"ModifiedAt" in e for e in engagement} == {True, False}  # engagement-precision, modified-absent
        assert max(len(e["CreatedAt"]) for page in bodies["ListEngagements"] for e in page["EngagementSummaryList"]) <= 23
        assert "ResourceArn" in bodies["ListEngagementResourceAssociations"][0]["EngagementResourceAssociationSummaries"][0]  # association-extras
        assert any(i["EngagementId"] is None for i in bodies["GetEngagementInvitation"])  # invitation-without-engagement
    with started("--oddity", "all=off", generate=250, seed=9) as s:
        client = s.selling()
        bodies = raw(client)
        # Nothing is sent against the model then, not even what is recorded.
        client.meta.events.register("before-parse.partnercentral-selling", strictly)
        s.advance(3600, 150)
        everything(s, client)
        assert ": null" not in json.dumps(bodies)


def strictly(operation_model, response_dict, **_):
    assert SHAPES.faults_of_output(operation_model.name, json.loads(response_dict["body"])) == []


def test_drift_is_switched_on_while_it_runs():
    with started() as s:
        client = s.selling()
        bodies = raw(client)
        client.meta.events.unregister("before-parse.partnercentral-selling", hold_to_model)
        s.control("POST", "oddities", {"invented-enums": True, "unknown-fields": True})
        ids = {i for c in s.advance(60, 40, kinds={"stage": 1})["changes"] for i in c["ids"]}
        for identifier in ids:
            client.get_opportunity(Catalog="AWS", Identifier=identifier)
        assert all("DealHealth" in o and "ForecastCategory" in o["LifeCycle"] for o in bodies["GetOpportunity"])
        assert "Solution Assessment" in {o["LifeCycle"]["Stage"] for o in bodies["GetOpportunity"]}


# --- change over time

def test_each_kind_of_change_shows_where_it_should():
    with started(seed=5) as s:
        client = s.selling()

        def once(kind):
            told = s.advance(60, 1, kinds={kind: 1})["changes"][0]
            assert told["ids"], kind
            return told["ids"][0]

        def modified(i):
            return client.get_opportunity(Catalog="AWS", Identifier=i)["LastModifiedDate"]

        made = once("create")
        assert modified(made) == instant(s.control("GET", "stats")["now"])
        gone = once("delete")
        assert gone not in {o["Id"] for o in opportunities(client)}
        with pytest.raises(client.exceptions.ResourceNotFoundException):
            client.get_opportunity(Catalog="AWS", Identifier=gone)
        dates = {i: row["LastModifiedDate"] for i, row in s.truth("opportunity").items()}
        quiet = once("aws-side")
        assert s.truth("opportunity")[quiet]["LastModifiedDate"] == dates[quiet] and s.truth("aws_opportunity_summary")[quiet]["Version"] == 2

        def invitation(i):
            return client.get_engagement_invitation(Catalog="AWS", Identifier=i)

        def opportunity_of(i):
            ties = client.list_engagement_resource_associations(Catalog="AWS", EngagementIdentifier=invitation(i)["EngagementId"])
            return [tie["ResourceId"] for tie in ties["EngagementResourceAssociationSummaries"]]

        for i, row in s.truth("engagement_invitation").items():  # end what the beginning left open
            if row["Body"]["Status"] == "PENDING":
                s.advance(60, 1, kinds={"reject": 1})
        before = once("invite")  # the invitation, then its opportunity
        assert invitation(before)["Status"] == "PENDING"
        assert once("accept") == before and invitation(before)["Status"] == "ACCEPTED" and len(opportunity_of(before)) == 1
        after = once("invite-existing")  # the opportunity, then its invitation
        assert opportunity_of(after)[0] in s.truth("opportunity")
        assert once("accept") == after and invitation(after)["Status"] == "ACCEPTED"
        never = once("invite")  # and none at all
        assert once("reject") == never and invitation(never)["RejectionReason"]
        lead = once("invite-lead")
        assert once("accept") == lead
        engagement = client.get_engagement(Catalog="AWS", Identifier=invitation(lead)["EngagementId"])
        assert engagement["Contexts"][0]["Type"] == "Lead" and opportunity_of(lead) == []
        worked = once("qualify")
        assert client.get_engagement(Catalog="AWS", Identifier=worked)["Contexts"][0]["Payload"]["Lead"]["QualificationStatus"]
        forgotten = once("invite")
        s.advance(15 * 86400)
        assert invitation(forgotten)["Status"] == "EXPIRED"


def test_history_has_every_version_and_what_was_sent_of_it():
    with started(seed=8) as s:
        client, seen = s.selling(), collections.Counter()
        for _ in range(6):
            for o in opportunities(client):
                got = client.get_opportunity(Catalog="AWS", Identifier=o["Id"])
                seen[o["Id"], got["LastModifiedDate"]] += 1
            s.advance(60, 30)
        history = s.control("GET", "history?entity=opportunity")
        live = [row for row in history if not row["Deleted"]]
        told = {(row["Id"], instant(row["LastModifiedDate"])): row["Got"] for row in live}
        assert len(told) == len(live) and {key: n for key, n in told.items() if n} == seen
        open_ended = {row["Id"]: row for row in live if row["VisibleUntil"] is None}
        truth = s.truth("opportunity")
        assert {i: row["Sha256"] for i, row in open_ended.items()} == {i: row["Sha256"] for i, row in truth.items()}
        by_id = collections.defaultdict(list)
        for row in history:
            by_id[row["Id"]].append(row)
        for rows in by_id.values():
            assert [row["Version"] for row in rows] == list(range(rows[0]["Version"], rows[0]["Version"] + len(rows)))
            assert all(a["VisibleUntil"] == b["VisibleFrom"] for a, b in zip(rows, rows[1:]))
        assert any(row["Deleted"] for row in history)


def test_the_same_seed_gives_the_same_bytes():
    def told(seed):
        with started(seed=seed, recorded=FIXTURES) as s:
            s.advance(7200, 200)
            return s.control("GET", "truth"), s.control("GET", "history?body=1"), [o["Id"] for o in opportunities(s.selling())]

    first = told(11)
    assert first == told(11) and first[0] != told(12)[0]


def test_the_state_directory_outlives_a_kill(tmp_path):
    with started("--state", tmp_path, seed=7) as s:
        s.advance(3600, 120)
        session = s.assume()
        truth, history = s.control("GET", "truth"), s.control("GET", "history?body=1")
        token = s.selling().list_opportunities(Catalog="AWS", Sort=ASCENDING)["NextToken"]
        s.kill()
        with open(tmp_path / "journal.ndjson", "ab") as journal:
            journal.write(b'{"kind":"version","acc')  # a line that the kill cut short
        s.start()
        sent = {"Got", "Listed"}
        assert s.control("GET", "truth") == truth
        assert [{k: v for k, v in row.items() if k not in sent} for row in s.control("GET", "history?body=1")] == [{k: v for k, v in row.items() if k not in sent} for row in history]
        client = s.selling(session)
        assert client.list_opportunities(Catalog="AWS", Sort=ASCENDING, NextToken=token)["OpportunitySummaries"]
        made = s.advance(60, 20, kinds={"create": 1})["changes"]
        assert not {i for c in made for i in c["ids"]} & {row["Id"] for row in truth}


def test_what_a_client_writes_comes_back():
    with started() as s:
        client = s.selling()
        request = json.loads((FIXTURES / "pc_req_CreateOpportunity.json").read_text())
        request = {**without_nulls(request), "Catalog": "AWS"}
        made = client.create_opportunity(**request)
        assert client.create_opportunity(**request)["Id"] == made["Id"]  # one ClientToken, one opportunity
        got = client.get_opportunity(Catalog="AWS", Identifier=made["Id"])
        assert got["Customer"]["Account"]["CompanyName"] == "ValidSandboxCreate6" and got["LifeCycle"]["ReviewStatus"] == "Pending Submission"
        s.advance(10)
        project = {**got["Project"], "Title": "Another title"}
        changed = client.update_opportunity(Catalog="AWS", Identifier=made["Id"], LastModifiedDate=got["LastModifiedDate"], Project=project)
        assert changed["LastModifiedDate"] > got["LastModifiedDate"]
        assert client.get_opportunity(Catalog="AWS", Identifier=made["Id"])["Project"]["Title"] == "Another title"
        with pytest.raises(ClientError, match="ConflictException"):
            client.update_opportunity(Catalog="AWS", Identifier=made["Id"], LastModifiedDate=got["LastModifiedDate"], Project=project)
        assert s.stats()["groups"]["writes"]["admitted_in_24h"] == 4


def without_nulls(value):
    if isinstance(value, dict):
        return {k: without_nulls(v) for k, v in value.items() if v is not None}
    return [without_nulls(v) for v in value] if isinstance(value, list) else value


def instant(text):
    """Of millisecond precision at most, as LastModifiedDate has."""
    text = text.rstrip("Z")
    whole, _, fraction = text.partition(".")
    return datetime.fromisoformat(f"{whole}.{(fraction or '0')[:3]:0<3}").replace(tzinfo=timezone.utc)
