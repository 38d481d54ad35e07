"""The stand-in of Partner Central through boto3: what it answers, and which requests it refuses. Each answer is held to
botocore's model by the client of partner.py."""

import json

import pytest

from lake import generate
from partner import ASCENDING, FIXTURES, SHAPES, Standin, code, opportunities, refused, scan


@pytest.fixture(scope="module")
def server():
    with Standin("--frozen", now="2026-05-01T00:00:00Z", generate=300, recorded=FIXTURES, reads_per_second=0, seed=3) as s:
        yield s


@pytest.fixture(scope="module")
def client(server):
    return server.selling()


# --- reading


def test_a_scan_lists_every_record_once_and_get_answers_with_the_truth(server, client):
    listed = opportunities(client)
    truth = server.truth("opportunity")
    assert len(listed) == len(truth) > 300 and {o["Id"] for o in listed} == truth.keys()
    assert [o["LastModifiedDate"] for o in listed] == sorted(o["LastModifiedDate"] for o in listed)
    for identifier in sorted(truth)[::10]:
        got = client.get_opportunity(Catalog="AWS", Identifier=identifier)
        assert (
            got["LifeCycle"].get("Stage") == truth[identifier]["Stage"]
            and got["Project"]["Title"] == truth[identifier]["Body"]["Project"]["Title"]
        )


@pytest.mark.parametrize("sort", ["LastModifiedDate", "Identifier", "CustomerCompanyName", "CreatedDate", "TargetCloseDate"])
@pytest.mark.parametrize("order", ["ASCENDING", "DESCENDING"])
def test_every_order_gives_every_record(server, client, sort, order):
    listed = opportunities(client, Sort={"SortBy": sort, "SortOrder": order}, MaxResults=37)
    assert len({o["Id"] for o in listed}) == len(listed) == len(server.truth("opportunity"))
    key = {
        "Identifier": lambda o: o["Id"],
        "CustomerCompanyName": lambda o: o["Customer"]["Account"]["CompanyName"],
        "TargetCloseDate": lambda o: o["LifeCycle"]["TargetCloseDate"],
    }.get(sort, lambda o: o[sort])
    assert [key(o) for o in listed] == sorted(map(key, listed), reverse=order == "DESCENDING")


def test_filters_choose_what_a_reading_of_the_truth_chooses(server, client):
    truth = [row["Body"] for row in server.truth("opportunity").values()]
    middle = sorted(o["LastModifiedDate"] for o in truth)[len(truth) // 2]
    late = {o["Id"] for o in opportunities(client, LastModifiedDate={"AfterLastModifiedDate": middle})}
    early = {o["Id"] for o in opportunities(client, LastModifiedDate={"BeforeLastModifiedDate": middle})}
    # "On or after": the record of the boundary is in both.
    assert late | early == {o["Id"] for o in truth} and {o["Id"] for o in truth if o["LastModifiedDate"] == middle} == late & early
    staged = {o["Id"] for o in opportunities(client, LifeCycleStage=["Launched", "Closed Lost"], LifeCycleReviewStatus=["Approved"])}
    assert (
        staged
        == {
            o["Id"]
            for o in truth
            if o["LifeCycle"]["Stage"] in ("Launched", "Closed Lost") and o["LifeCycle"]["ReviewStatus"] == "Approved"
        }
        != set()
    )
    company = truth[0]["Customer"]["Account"]["CompanyName"]
    assert {o["Id"] for o in opportunities(client, CustomerCompanyName=[company])} == {
        o["Id"] for o in truth if o["Customer"]["Account"]["CompanyName"] == company
    }
    close = {
        o["Id"]
        for o in opportunities(client, TargetCloseDate={"AfterTargetCloseDate": "2026-06-01", "BeforeTargetCloseDate": "2026-12-31"})
    }
    assert close == {o["Id"] for o in truth if "2026-06-01" <= o["LifeCycle"]["TargetCloseDate"] <= "2026-12-31"} != set()
    day = truth[0]["LifeCycle"]["TargetCloseDate"]
    for sort in (
        ASCENDING,
        {"SortBy": "TargetCloseDate", "SortOrder": "ASCENDING"},
    ):  # also where the order is another one than the filter's
        same = opportunities(client, TargetCloseDate={"AfterTargetCloseDate": day, "BeforeTargetCloseDate": day}, Sort=sort)
        assert {o["Id"] for o in same} == {o["Id"] for o in truth if o["LifeCycle"]["TargetCloseDate"] == day}
    ids = sorted(o["Id"] for o in truth)[:3]
    assert {o["Id"] for o in opportunities(client, Identifier=ids)} == set(ids)


def test_recorded_bodies_come_back_as_they_were_recorded(server):
    bodies = {}
    plain = server.selling()
    plain.meta.events.register(
        "before-parse.partnercentral-selling", lambda response_dict, **_: bodies.update(last=json.loads(response_dict["body"]))
    )

    def recorded(name):
        return json.loads((FIXTURES / name).read_text())

    plain.get_opportunity(Catalog="AWS", Identifier="O1111111")
    assert bodies["last"] == recorded("pc_GetOpportunity.json")
    plain.get_opportunity(Catalog="Sandbox", Identifier="O11478075")
    assert bodies["last"] == recorded("pc_lead_GetOpportunity_after.json")
    plain.get_engagement(Catalog="Sandbox", Identifier="eng-m1l0v2mnccwtv4")
    assert bodies["last"] == recorded("pc_lead_GetEngagement.json")
    plain.get_engagement_invitation(Catalog="AWS", Identifier="engi-0000001abc3de")
    assert bodies["last"] == {**recorded("pc_GetEngagementInvitation.json"), "Status": "EXPIRED"}  # its 15 days are long over
    plain.get_aws_opportunity_summary(Catalog="AWS", RelatedOpportunityIdentifier="O1111111")
    assert bodies["last"] == recorded("pc_GetAwsOpportunitySummary.json")
    # The summary that List makes has the members that the recorded one has; 531 is written 531.0.
    plain.list_opportunities(Catalog="AWS", Identifier=["O1111111"])
    made, known = bodies["last"]["OpportunitySummaries"][0], recorded("pc_ListOpportunities.json")["OpportunitySummaries"][0]
    assert shape(made) == shape(known) and made["Project"] == known["Project"] and bodies["last"]["NextToken"] is None


def shape(value):
    if isinstance(value, dict):
        return {k: shape(v) for k, v in value.items()}
    return [shape(v) for v in value[:1]] if isinstance(value, list) else None


def test_engagements_invitations_associations_and_solutions_are_joined(server, client):
    truth = server.truth("engagement_invitation")
    seen = {}
    for side in ("SENDER", "RECEIVER"):
        for summary in scan(
            client.list_engagement_invitations, "EngagementInvitationSummaries", Catalog="AWS", ParticipantType=side, MaxResults=3
        ):
            assert summary["Id"] not in seen
            seen[summary["Id"]] = summary
    assert seen.keys() == truth.keys() and {s["Status"] for s in seen.values()} >= {"ACCEPTED", "REJECTED", "EXPIRED"}
    engagements = {e["Id"]: e for e in scan(client.list_engagements, "EngagementSummaryList", Catalog="AWS", MaxResults=2)}
    assert engagements.keys() == server.truth("engagement").keys()
    ties = scan(
        client.list_engagement_resource_associations,
        "EngagementResourceAssociationSummaries",
        Catalog="AWS",
        ResourceType="Opportunity",
        MaxResults=2,
    )
    assert len(ties) == len(server.truth("resource_association")) > 2
    for tie in ties:
        if tie["EngagementId"] in engagements:  # the recorded one has no engagement beside it
            got = client.get_engagement(Catalog="AWS", Identifier=tie["EngagementId"])
            assert got["Contexts"][0]["Type"] == "CustomerProject" and engagements[tie["EngagementId"]]["ContextTypes"] == [
                "CustomerProject"
            ]
            assert client.list_engagement_members(Catalog="AWS", Identifier=tie["EngagementId"])["EngagementMemberList"]
            client.get_opportunity(Catalog="AWS", Identifier=tie["ResourceId"])
            client.get_aws_opportunity_summary(Catalog="AWS", RelatedOpportunityIdentifier=tie["ResourceId"])
    for identifier, summary in seen.items():
        got = client.get_engagement_invitation(Catalog="AWS", Identifier=identifier)
        assert {k: got.get(k) for k in summary if k != "ParticipantType"} == {k: v for k, v in summary.items() if k != "ParticipantType"}
    solutions = {s["Id"]: s for s in scan(client.list_solutions, "SolutionSummaries", Catalog="AWS", MaxResults=2)}
    assert solutions.keys() == server.truth("solution").keys()
    active = scan(client.list_solutions, "SolutionSummaries", Catalog="AWS", Status=["Active"])
    assert {s["Id"] for s in active} == {s["Id"] for s in solutions.values() if s["Status"] == "Active"}


def test_the_generators_file_is_served_with_its_own_truth(tmp_path):
    path, told = tmp_path / "opps.ndjson", tmp_path / "truth.ndjson"
    expected = generate(path, 600, seed=5, truth=told, bad=0, dup=0.1, upd=0.3, delete=0.05, reinsert=0.02)
    with Standin(load=path, reads_per_second=0) as s:
        live = {row["Id"]: row for row in map(json.loads, told.read_text().splitlines())}
        truth = s.truth("opportunity")
        assert len(truth) == expected["live"] and {o["Id"] for o in opportunities(s.selling())} == live.keys()
        for identifier, row in live.items():
            assert {k: truth[identifier][k] for k in row} == row


# --- what is refused


def test_requests_are_held_to_the_model(server):
    loose = server.selling(validate=False)
    for request, member, fault in [
        ({}, "Catalog", "REQUIRED_FIELD_MISSING"),
        ({"Catalog": "A1"}, "Catalog", "INVALID_STRING_FORMAT"),
        ({"Catalog": "AWS", "MaxResults": 101}, "MaxResults", "VALUE_OUT_OF_RANGE"),
        ({"Catalog": "AWS", "LifeCycleStage": ["Closed Won"]}, "LifeCycleStage[0]", "INVALID_ENUM_VALUE"),
        ({"Catalog": "AWS", "Identifier": ["O1"] * 21}, "Identifier", "TOO_MANY_VALUES"),
        ({"Catalog": "AWS", "Sort": {"SortBy": "Identifier"}}, "Sort.SortOrder", "REQUIRED_FIELD_MISSING"),
        (
            {"Catalog": "AWS", "TargetCloseDate": {"AfterTargetCloseDate": "2026-13-01"}},
            "TargetCloseDate.AfterTargetCloseDate",
            "INVALID_STRING_FORMAT",
        ),
        ({"Catalog": "Other"}, "Catalog", "INVALID_VALUE"),
        ({"Catalog": "AWS", "NextToken": "AAMA-made-up"}, "NextToken", "INVALID_VALUE"),
    ]:
        answer = refused(loose.list_opportunities, **request)
        assert answer["Error"]["Code"] == "ValidationException" and answer["Reason"] == "REQUEST_VALIDATION_FAILED"
        assert answer["ErrorList"][0]["FieldName"] == member and answer["ErrorList"][0]["Code"] == fault, answer
        http = answer["ResponseMetadata"]
        assert http["HTTPStatusCode"] == 400 and http["HTTPHeaders"]["x-amzn-errortype"] == "ValidationException" and http["RequestId"]
    assert code(loose.get_opportunity, Catalog="AWS", Identifier="O404") == "ResourceNotFoundException"
    assert code(loose.list_resource_snapshot_jobs, Catalog="AWS") == "UnknownOperationException"


@pytest.mark.parametrize(
    "body, said",
    [
        (b'{"Catalog":"AWS","Typo":1}', "ValidationException"),
        (b'{"Catalog":7}', "ValidationException"),
        (b"[]", "ValidationException"),
        (b'{"Catalog":"AWS","LastModifiedDate":{"AfterLastModifiedDate":1767225600}}', "ValidationException"),
        (b"{", "SerializationException"),
    ],
)
def test_what_a_client_of_the_model_cannot_send_is_refused_too(server, body, said):
    client = server.selling()
    client.meta.events.register("before-call.partnercentral-selling", lambda params, **_: params.update(body=body))
    assert code(client.list_opportunities, Catalog="AWS") == said


def test_a_token_serves_the_request_that_it_was_given_for(server, client):
    first = client.list_opportunities(Catalog="AWS")
    token = first["NextToken"]
    assert len(first["OpportunitySummaries"]) == 20  # where nothing is asked for
    client.list_opportunities(Catalog="AWS", NextToken=token, MaxResults=7)  # the page size may change
    assert code(client.list_opportunities, Catalog="AWS", NextToken=token, LifeCycleStage=["Launched"]) == "ValidationException"
    assert code(client.list_solutions, Catalog="AWS", NextToken=token) == "ValidationException"


def test_no_pattern_of_the_api_is_left_unchecked():
    patterns = {s.name: s.metadata["pattern"] for s in map(SHAPES.model.shape_for, SHAPES.model.shape_names) if s.metadata.get("pattern")}
    assert len(patterns) > 50 and {name for name, p in patterns.items() if "\\p{" in p} == {"TagKey", "TagValue"}
