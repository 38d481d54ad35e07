"""What an opportunity looks up in other tables: an invitation before, after and without it; changes on each side."""

import itertools
import json

import pytest

from lake import ROOT, wait_until
from partner import FIXTURES
from partner_central_test import connect, run, standin

TABLE = "silver.partner_central_opportunity"
OPPORTUNITY = json.loads((FIXTURES / "pc_GetOpportunity.json").read_text())
INVITATION = json.loads((FIXTURES / "pc_GetEngagementInvitation.json").read_text())
ASSOCIATION = json.loads((FIXTURES / "pc_ListEngagementResourceAssociations.json").read_text())["EngagementResourceAssociationSummaries"][0]
AWS_SIDE = json.loads((FIXTURES / "pc_GetAwsOpportunitySummary_deal_sizing.json").read_text())


class Streams:
    """Records of several streams, each from files of its own connector."""

    def __init__(self, node):
        self.node, self.count, self.connectors = node, 0, set()
        node.token = node.tenant("acme")
        node.cli("pack", "load", str(ROOT / "packs" / "aws-partner"), "--pin", "--tenant", "acme")

    def land(self, stream, *records):
        directory = self.node.source / stream
        name = stream.replace("_", "-")
        directory.mkdir(exist_ok=True)
        if name not in self.connectors:
            config = {"url": str(directory), "stream": stream, "key_scope": "111111111111"}
            self.node.cli("connector", "create", "--tenant", "acme", "--name", name, "--kind", "files", "--config", json.dumps(config))
            self.connectors.add(name)
        self.count += 1
        (directory / f"{self.count:06}.ndjson").write_text("".join(json.dumps(r) + "\n" for r in records))
        ended = self.node.settled(self.node.run("acme", name))
        assert ended["status"] == "succeeded" and all(l["rejected"] == 0 for l in ended["ledger"]), ended

    def found(self, columns="engagement_status"):
        return dict(self.node.sql(f"SELECT pc_opportunity_id, {columns} FROM {TABLE}"))

    def becomes(self, wanted, columns="engagement_status"):
        wait_until(f"what is looked up is {wanted}, not {self.found(columns)}", lambda: self.found(columns) == wanted)

    def verified(self):
        again = self.node.json("table", "verify", TABLE, "--from-bronze", "--tenant", "acme")
        assert not again.get("faults"), again
        assert not self.node.json("table", "verify", TABLE, "--tenant", "acme").get("faults")


def opportunity(n, at="2026-01-01T00:00:00Z", **more):
    return {**OPPORTUNITY, "Id": f"O{n}", "LastModifiedDate": at, **more}


def association(n, engagement, **more):
    return {**ASSOCIATION, "ResourceId": f"O{n}", "EngagementId": engagement, **more}


def invitation(engagement, status, at="2026-02-01T00:00:00Z", n=1):
    return {**INVITATION, "Id": f"engi-{engagement}-{n}", "EngagementId": engagement, "Status": status, "InvitationDate": at}


def test_an_invitation_before_after_and_without_its_opportunity(node):
    streams = Streams(node)
    orders = list(itertools.permutations(["opportunity", "resource_association", "engagement_invitation"]))
    for n, order in enumerate(orders):
        records = {
            "opportunity": opportunity(n),
            "resource_association": association(n, f"eng-{n}"),
            "engagement_invitation": invitation(f"eng-{n}", "PENDING"),
        }
        for stream in order:
            streams.land(stream, records[stream])
    # One without its opportunity, and an opportunity without one.
    streams.land("engagement_invitation", invitation("eng-of-nobody", "EXPIRED"))
    streams.land("resource_association", association(99, "eng-of-nobody"))
    streams.land("opportunity", opportunity(7))
    wanted = {f"O{n}": "PENDING" for n in range(len(orders))} | {"O7": None}
    streams.becomes(wanted)
    assert node.sql("SELECT DISTINCT status FROM silver.partner_central_invitation ORDER BY 1") == [("EXPIRED",), ("PENDING",)]

    # The other side changes: the rows follow, in nothing but what they look up.
    streams.land("engagement_invitation", invitation("eng-3", "ACCEPTED"), invitation("eng-4", "REJECTED"))
    wanted |= {"O3": "ACCEPTED", "O4": "REJECTED"}
    streams.becomes(wanted)
    changes = node.sql(
        f"SELECT _change, engagement_status, last_modified_at, _address_offset FROM {TABLE}__changes WHERE pc_opportunity_id = 'O3' "
        "AND engagement_status IS NOT NULL ORDER BY _changed_at DESC, _change LIMIT 2"
    )
    assert [c[:2] for c in changes] == [("update_after", "ACCEPTED"), ("update_before", "PENDING")]
    assert changes[0][2:] == changes[1][2:]
    told = node.json("explain", "cell", TABLE, "engagement_status", "O3", "--tenant", "acme")
    assert told["made_by"]["lookup"] == "invitation.status" and told["value"] == "ACCEPTED"
    assert [(c["table"], c["key"]) for c in told["contributing"]] == [
        ("silver.partner_central_association", "O3"), ("silver.partner_central_invitation", "engi-eng-3-1")]
    assert told["contributing"][1]["value"] == "ACCEPTED" and [c["value"] for c in told["history"]][-2:] == ["PENDING", "ACCEPTED"]
    # A newer invitation counts, an older one does not, in whichever order they come.
    streams.land("engagement_invitation", invitation("eng-3", "EXPIRED", "2026-01-15T00:00:00Z", n=2))
    streams.land("engagement_invitation", invitation("eng-4", "PENDING", "2026-03-01T00:00:00Z", n=2))
    streams.becomes(wanted | {"O4": "PENDING"})
    # The opportunity itself changes, and keeps what it looks up.
    streams.land("opportunity", opportunity(3, "2026-04-01T00:00:00Z"))
    wanted |= {"O4": "PENDING"}
    assert streams.found() == wanted
    # The association goes: there is nothing to look up any more.
    streams.land("resource_association", {**association(3, "eng-3"), "_operation": "delete"})
    streams.becomes(wanted | {"O3": None})
    streams.verified()


def test_the_aws_side_of_an_opportunity_stands_in_its_row(node):
    streams = Streams(node)
    one = {**AWS_SIDE, "RelatedOpportunityId": "O1", "Catalog": OPPORTUNITY["Catalog"], "LifeCycle": {"Stage": "Evaluating"}}
    streams.land("aws_opportunity_summary", one)
    streams.land("opportunity", opportunity(1), opportunity(2))
    assert streams.found("aws_stage") == {"O1": "Evaluating", "O2": None}
    streams.land("aws_opportunity_summary", {**one, "RelatedOpportunityId": "O2", "Visibility": "Limited"})
    streams.becomes({"O1": AWS_SIDE["Visibility"], "O2": "Limited"}, "aws_visibility")
    # Another catalog's opportunity of that number is another one.
    streams.land("aws_opportunity_summary", {**one, "RelatedOpportunityId": "O2", "Catalog": "Elsewhere", "Visibility": "Full"})
    streams.land("opportunity", opportunity(2, "2026-05-01T00:00:00Z"))
    assert streams.found("aws_visibility") == {"O1": AWS_SIDE["Visibility"], "O2": "Limited"}
    streams.verified()


def test_a_kill_while_rows_are_looked_up_loses_nothing(node):
    streams = Streams(node)
    many = 40
    streams.land("opportunity", *(opportunity(n) for n in range(many)))
    streams.land("resource_association", *(association(n, f"eng-{n}") for n in range(many)))
    for status, at in (("PENDING", "silver.lookups.before"), ("ACCEPTED", "silver.files.written")):
        node.stop()
        node.start(crash_at=at)
        (node.source / "engagement_invitation").mkdir(exist_ok=True)
        try:
            streams.land("engagement_invitation", *(invitation(f"eng-{n}", status) for n in range(many)))
        except (AssertionError, OSError):
            pass  # the node ended under it
        wait_until("the node ends", lambda: not node.alive())
        node.start()
        node.run("acme", "engagement-invitation", check=False)
        streams.becomes({f"O{n}": status for n in range(many)})
    streams.verified()


@pytest.mark.parametrize("seed", [3])
def test_all_streams_of_the_connector_agree_with_the_source(node, seed):
    node.token = node.tenant("acme")
    node.cli("pack", "load", str(ROOT / "packs" / "aws-partner"), "--pin", "--tenant", "acme")
    with standin(generate=150, seed=seed) as source:
        every = ["opportunity", "aws_opportunity_summary", "solution", "engagement", "engagement_invitation", "resource_association"]
        connect(node, source, streams=every)
        run(node)
        for _ in range(3):
            source.advance(3600, 40)
            run(node, "pc", "--full")
        truth = {name: source.control("GET", f"truth?entity={name}&catalog=AWS") for name in every}
        bodies = {name: [r["Body"] for r in rows] for name, rows in truth.items()}
        newest = {}
        for i in bodies["engagement_invitation"]:
            newest.setdefault(i["EngagementId"], []).append((i["InvitationDate"], i["Status"]))
        of = {}
        for a in bodies["resource_association"]:
            of.setdefault(a["ResourceId"], []).extend(newest.get(a["EngagementId"], []))
        wanted = {o["Id"]: max(of.get(o["Id"], []), default=(None, None))[1] for o in bodies["opportunity"]}
        aws = {a["RelatedOpportunityId"]: (a["LifeCycle"] or {}).get("Stage") for a in bodies["aws_opportunity_summary"]}

        def rows(columns, table=TABLE):
            return dict(node.sql(f"SELECT {columns} FROM {table}"))

        assert sum(v is not None for v in wanted.values()) > 3 and sum(v is not None for v in aws.values()) > 3
        wait_until("invitations stand at their opportunities", lambda: rows("pc_opportunity_id, engagement_status") == wanted)
        wait_until("AWS's side stands there", lambda: rows("pc_opportunity_id, aws_stage") == {k: aws.get(k) for k in wanted})
        assert rows("solution_id, status", "silver.partner_central_solution") == {s["Id"]: s["Status"] for s in bodies["solution"]}
        leads = {e["Id"] for e in bodies["engagement"] if any(c["Type"] == "Lead" for c in e.get("Contexts") or [])}
        leads |= {i["EngagementId"] or i["Id"] for i in bodies["engagement_invitation"] if i["PayloadType"] == "LeadInvitation"}
        assert set(rows("pc_lead_id, status", "silver.partner_central_lead")) == leads and leads
        for table in ("opportunity", "lead", "solution", "engagement", "invitation", "association", "aws_opportunity"):
            again = node.json("table", "verify", f"silver.partner_central_{table}", "--from-bronze", "--tenant", "acme")
            assert not again.get("faults"), again
