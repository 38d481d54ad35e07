"""How the records of the stand-in of Partner Central change over time, and what it keeps of it: kinds of change, history,
determinism, restarts, writes."""

import collections
import json
import subprocess
import sys

import pytest
from botocore.exceptions import ClientError

from lake import wait_until
from partner import ASCENDING, FIXTURES, PACKAGE, Standin, instant, opportunities, scan, started

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
        assert (
            s.truth("opportunity")[quiet]["LastModifiedDate"] == dates[quiet] and s.truth("aws_opportunity_summary")[quiet]["Version"] == 2
        )

        def invitation(i):
            return client.get_engagement_invitation(Catalog="AWS", Identifier=i)

        def opportunity_of(i):
            ties = client.list_engagement_resource_associations(Catalog="AWS", EngagementIdentifier=invitation(i)["EngagementId"])
            return [tie["ResourceId"] for tie in ties["EngagementResourceAssociationSummaries"]]

        for row in s.truth("engagement_invitation").values():  # end what the beginning left open
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
        converted = once("convert")  # a lead of those that are left
        tie = client.list_engagement_resource_associations(Catalog="AWS", ResourceIdentifier=converted)[
            "EngagementResourceAssociationSummaries"
        ]
        assert client.get_opportunity(Catalog="AWS", Identifier=converted)["Project"]["Title"] == "Converted from Lead" and len(tie) == 1

        def made_by(operation, **request):
            tasks = scan(getattr(client, operation), "TaskSummaries", Catalog="AWS", TaskStatus=["COMPLETE"], **request)
            return [task["OpportunityId"] for task in tasks]

        assert made_by("list_engagement_by_accepting_invitation_tasks", EngagementInvitationIdentifier=[before]) == opportunity_of(before)
        assert made_by("list_engagement_from_opportunity_tasks", OpportunityIdentifier=opportunity_of(after)) == opportunity_of(after)
        assert made_by(
            "list_opportunity_from_engagement_tasks", EngagementIdentifier=[tie[0]["EngagementId"]], ContextIdentifier=["1"]
        ) == [converted]
        forgotten = once("invite")
        s.advance(15 * 86400)
        assert invitation(forgotten)["Status"] == "EXPIRED"


def test_history_has_every_version_and_what_was_sent_of_it():
    with started(seed=8, generate=60) as s:
        client, seen = s.selling(), collections.Counter()
        for _ in range(6):
            for o in opportunities(client):
                got = client.get_opportunity(Catalog="AWS", Identifier=o["Id"])
                seen[o["Id"], got["LastModifiedDate"]] += 1
            s.advance(60, 30)  # half of them
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
        now = s.advance(600)["now"]
        s.kill()
        with open(tmp_path / "journal.ndjson", "ab") as journal:
            journal.write(b'{"kind":"version","acc')  # a line that the kill cut short
        s.start()
        sent = {"Got", "Listed"}
        assert s.control("GET", "truth") == truth and s.control("GET", "stats")["now"] == now
        assert [{k: v for k, v in row.items() if k not in sent} for row in s.control("GET", "history?body=1")] == [
            {k: v for k, v in row.items() if k not in sent} for row in history
        ]
        client = s.selling(session)
        assert client.list_opportunities(Catalog="AWS", Sort=ASCENDING, NextToken=token)["OpportunitySummaries"]
        made = s.advance(60, 20, kinds={"create": 1})["changes"]
        other = subprocess.run(
            [sys.executable, "-m", "partner_central", "--state", tmp_path, "--seed", "8"], capture_output=True, text=True, cwd=PACKAGE
        )
        assert other.returncode == 1 and "another seed" in other.stderr
        assert not {i for c in made for i in c["ids"]} & {row["Id"] for row in truth}


def test_records_change_by_themselves_on_the_machines_clock():
    with Standin(generate=30, changes_per_minute=3000) as s:

        def moved():
            return [row for row in s.control("GET", "history?entity=opportunity") if row["Version"] > 1]

        wait_until("records change", lambda: len(moved()) > 5)
        # And the quota is one of real seconds.
        client, said = s.selling(), []
        for _ in range(40):
            try:
                client.list_solutions(Catalog="AWS")
            except client.exceptions.ThrottlingException:
                said.append("throttled")
        assert said and s.stats()["throttles"] == len(said)
        wait_until("the bucket fills again", lambda: not throttled(client))


def throttled(client):
    try:
        client.list_solutions(Catalog="AWS")
    except client.exceptions.ThrottlingException:
        return True


def test_what_a_client_writes_comes_back():
    with started() as s:
        client = s.selling()
        request = json.loads((FIXTURES / "pc_req_CreateOpportunity.json").read_text())
        request = {**without_nulls(request), "Catalog": "AWS"}
        made = client.create_opportunity(**request)
        assert client.create_opportunity(**request)["Id"] == made["Id"]  # one ClientToken, one opportunity
        got = client.get_opportunity(Catalog="AWS", Identifier=made["Id"])
        assert (
            got["Customer"]["Account"]["CompanyName"] == "ValidSandboxCreate6" and got["LifeCycle"]["ReviewStatus"] == "Pending Submission"
        )
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
