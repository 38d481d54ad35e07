"""Who may ask the stand-in of Partner Central, how often, and what goes wrong on purpose: keys, sessions, signatures,
quotas, faults, through boto3. No test sleeps: time goes on by the control endpoint."""

import http.client
import json
import re
import socket

import pytest
from botocore.exceptions import ClientError, HTTPClientError

from partner import Standin, code, refused
from measure import signed


@pytest.fixture(scope="module")
def server():
    with Standin("--frozen", generate=30, reads_per_second=0, seed=3) as s:
        yield s


# --- who asks


def test_a_role_is_assumed_with_its_external_id_alone(server):
    who = server.sts().get_caller_identity()
    assert who["Account"] == "999999999999"
    session = server.assume()
    mine = server.sts(
        {"access_key_id": session["AccessKeyId"], "secret_access_key": session["SecretAccessKey"]}, token=session["SessionToken"]
    ).get_caller_identity()
    assert mine["Account"] == "111111111111" and mine["Arn"] == "arn:aws:sts::111111111111:assumed-role/LakewrightIngest/test"
    assert server.selling(session).list_opportunities(Catalog="AWS")["OpportunitySummaries"]
    role = server.told["accounts"][0]["role_arn"]
    for wrong in ({"ExternalId": "another"}, {}, {"ExternalId": server.told["accounts"][0]["external_id"], "RoleArn": role + "x"}):
        assert code(server.sts().assume_role, **{"RoleArn": role, "RoleSessionName": "test", **wrong}) == "AccessDenied"
    assert code(server.sts(validate=False).assume_role, RoleArn=role, RoleSessionName="test", DurationSeconds=899) == "ValidationError"
    vendor = server.client("partnercentral-selling", server.told["vendor"])
    assert code(vendor.list_opportunities, Catalog="AWS") == "AccessDeniedException"


def test_signatures_are_made_again_and_compared(server):
    own = server.told["accounts"][0]
    answer = refused(server.client("partnercentral-selling", {**own, "secret_access_key": "wrong"}).list_opportunities, Catalog="AWS")
    assert (
        answer["Error"]["Code"] == "InvalidSignatureException"
        and "does not match" in answer["Error"]["Message"]
        and answer["ResponseMetadata"]["HTTPStatusCode"] == 400
    )
    assert (
        code(server.client("partnercentral-selling", {**own, "access_key_id": "AKIAUNKNOWN"}).list_opportunities, Catalog="AWS")
        == "UnrecognizedClientException"
    )
    assert (
        code(server.client("partnercentral-selling", own, token="made up").list_opportunities, Catalog="AWS")
        == "UnrecognizedClientException"
    )
    assert (
        code(server.client("partnercentral-selling", own, region="eu-west-1").list_opportunities, Catalog="AWS")
        == "InvalidSignatureException"
    )
    assert code(server.sts({**own, "secret_access_key": "wrong"}).get_caller_identity) == "SignatureDoesNotMatch"
    # The bytes that were signed are not the bytes that came; then a header; then no signature.
    for change, said in [
        (lambda request: setattr(request, "body", b'{"Catalog":"Sandbox"}'), "InvalidSignatureException"),
        (
            lambda request: request.headers.__setitem__("X-Amz-Target", b"AWSPartnerCentralSelling.ListSolutions"),
            "InvalidSignatureException",
        ),
        (lambda request: request.headers.__setitem__("X-Amz-Date", "20200101T000000Z"), "InvalidSignatureException"),
        (lambda request: request.headers.__delitem__("Authorization"), "MissingAuthenticationTokenException"),
        (lambda request: request.headers.__setitem__("Authorization", "AWS4-HMAC-SHA256 Credential=x"), "IncompleteSignatureException"),
    ]:
        client = server.selling()

        def send(request, change=change, **_):
            change(request)
            request.headers["Content-Length"] = str(len(request.body))

        client.meta.events.register("before-send.partnercentral-selling", send)
        assert code(client.list_opportunities, Catalog="AWS") == said


def test_a_session_ends(server):
    with Standin("--frozen", generate=10, reads_per_second=0) as s:
        credentials = s.assume(DurationSeconds=900)
        client = s.selling(credentials)
        s.advance(899)
        client.list_opportunities(Catalog="AWS")
        s.advance(1)
        answer = refused(client.list_opportunities, Catalog="AWS")
        assert answer["Error"] == {"Code": "ExpiredTokenException", "Message": "The security token included in the request is expired"}
        again = s.selling(s.assume())
        again.list_opportunities(Catalog="AWS")
        assert s.control("POST", "expire-sessions")["ended"] == 1
        assert code(again.list_opportunities, Catalog="AWS") == "ExpiredTokenException"
        assert s.control("GET", "stats")["errors"]["ListOpportunities:ExpiredTokenException"] == 2


# --- quotas


def test_ten_reads_a_second_are_shared_by_the_reads_of_an_account():
    with Standin("--frozen", "--account", "111111111111", "--account", "222222222222=5", generate=10) as s:
        first, second = s.selling(), s.selling(account=1)
        for _ in range(5):
            first.list_opportunities(Catalog="AWS")
            first.list_solutions(Catalog="AWS")
        answer = refused(first.list_opportunities, Catalog="AWS")
        assert (
            answer["Error"] == {"Code": "ThrottlingException", "Message": "Rate exceeded"}
            and answer["ResponseMetadata"]["HTTPStatusCode"] == 400
        )
        assert len(second.list_opportunities(Catalog="AWS")["OpportunitySummaries"]) >= 5
        s.advance(0.5)
        for _ in range(5):
            first.list_opportunities(Catalog="AWS")
        assert code(first.list_opportunities, Catalog="AWS") == "ThrottlingException"
        told = s.stats()
        assert (told["calls"], told["throttles"]) == (17, 2) and told["throttles_by_operation"] == {"ListOpportunities": 2}
        assert told["groups"]["reads"]["peak_admitted_in_a_second"] == 15 and s.stats("222222222222")["calls"] == 1


def test_a_day_rolls():
    with Standin("--frozen", generate=10, reads_per_second=0, reads_per_day=20) as s:
        client = s.selling()
        for _ in range(10):
            client.list_opportunities(Catalog="AWS")
        s.advance(12 * 3600)
        for _ in range(10):
            client.list_opportunities(Catalog="AWS")
        assert code(client.list_opportunities, Catalog="AWS") == "ThrottlingException"
        s.advance(12 * 3600 + 1)
        for _ in range(10):
            client.list_opportunities(Catalog="AWS")
        assert code(client.list_opportunities, Catalog="AWS") == "ThrottlingException"
        assert s.stats()["groups"]["reads"]["throttled_by_day"] == 2


# --- faults


def test_faults_fall_as_they_are_asked_for_and_the_same_each_time():
    with Standin("--frozen", generate=30, reads_per_second=0) as s:
        client = s.selling(read_timeout=5)

        def fates(seed):
            s.control("POST", "faults", {"seed": seed, "rules": [{"kind": "500", "operation": "ListOpportunities", "rate": 0.4}]})
            return "".join("." if not failing(client.list_opportunities, Catalog="AWS") else "x" for _ in range(30))

        assert fates(1) == fates(1) != fates(2) and 3 < fates(1).count("x") < 25
        client.list_solutions(Catalog="AWS")
        for kind, error in [
            ("503", "503"),
            ("throttle", "ThrottlingException"),
            ("expired", "ExpiredTokenException"),
            ("denied", "AccessDeniedException"),
        ]:
            s.control("POST", "faults", {"rules": [{"kind": kind, "limit": 1}]})
            assert code(client.list_opportunities, Catalog="AWS") == error
            client.list_opportunities(Catalog="AWS")
        for kind, error in [("reset", HTTPClientError), ("truncate", ValueError)]:  # boto3 itself does not count a body's bytes
            s.control("POST", "faults", {"rules": [{"kind": kind, "limit": 1, "skip": 1}]})
            client.list_opportunities(Catalog="AWS")
            with pytest.raises(error):
                client.list_opportunities(Catalog="AWS")
        s.control("POST", "faults", {"rules": [{"kind": "slow", "seconds": 0.05, "limit": 1}]})
        client.list_opportunities(Catalog="AWS")
        assert s.control("GET", "faults")[0]["done"] == 1 and s.control("DELETE", "faults") == []
        s.control("POST", "faults", {"rules": [{"kind": "500", "operation": "AssumeRole", "limit": 1}]})
        assert code(s.sts().assume_role, RoleArn=s.told["accounts"][0]["role_arn"], RoleSessionName="test") == "InternalServerException"
        # A write that has run and whose answer never came: the same ClientToken finds what it made.
        s.control("POST", "limits", {"writes_per_second": 0})
        s.control("POST", "faults", {"rules": [{"kind": "reset", "operation": "CreateOpportunity", "limit": 1, "late": True}]})
        request = {"Catalog": "AWS", "ClientToken": "once", "Customer": {"Account": {"CompanyName": "Made once"}}}
        before = len(s.truth("opportunity"))
        with pytest.raises(HTTPClientError):
            client.create_opportunity(**request)
        made = client.create_opportunity(**request)["Id"]
        truth = s.truth("opportunity")
        assert len(truth) == before + 1 and truth[made]["Body"]["Customer"]["Account"]["CompanyName"] == "Made once"
        assert (
            s.stats()["calls_by_operation"]["CreateOpportunity"] == 2
            and s.control("GET", "stats")["injected"]["CreateOpportunity:reset"] == 1
        )
        # boto3 gets over all of it by trying again.
        s.control("POST", "faults", {"rules": [{"kind": "reset", "limit": 1}, {"kind": "500", "limit": 1}]})
        assert s.selling(retries=3).list_opportunities(Catalog="AWS")["OpportunitySummaries"]


def failing(call, **request):
    try:
        call(**request)
        return False
    except ClientError as error:
        assert error.response["Error"]["Code"] == "InternalServerException" and error.response["ResponseMetadata"]["HTTPStatusCode"] == 500
        return True


# --- the wire


def test_requests_may_come_in_pieces_in_a_row_and_with_expectations(server):
    host, port = server.address.removeprefix("http://").split(":")
    one = signed(server.address, server.told["accounts"][0], "GetOpportunity", {"Catalog": "AWS", "Identifier": "O10000001"})
    two = signed(server.address, server.told["accounts"][0], "ListSolutions", {"Catalog": "AWS"})
    with socket.create_connection((host, int(port))) as s:
        both = one + two + one
        for i in range(0, len(both), 97):
            s.sendall(both[i : i + 97])
        answers = [read(s) for _ in range(3)]
        assert answers[0] == answers[2] and answers[0][1]["Id"] == "O10000001" and answers[1][1]["SolutionSummaries"]
        # A slow answer holds up the next on its connection, and no other.
        server.control("POST", "faults", {"rules": [{"kind": "slow", "seconds": 0.3, "operation": "GetOpportunity", "limit": 1}]})
        s.sendall(one + two)
        assert server.control("GET", "health") == {"ok": True}
        assert [read(s)[1].keys() for _ in range(2)] == [answers[0][1].keys(), answers[1][1].keys()]
        head, body = one.split(b"\r\n\r\n")
        s.sendall(head + b"\r\nExpect: 100-continue\r\n\r\n")
        assert s.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        s.sendall(body)
        assert read(s)[0] == 200
    for wrong in (
        b"nonsense\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n",
    ):
        with socket.create_connection((host, int(port))) as s:
            s.sendall(wrong)
            got = s.makefile("rb").read()  # to the end: the connection is closed
            assert got.startswith(b"HTTP/1.1 400 ")


def test_a_long_truth_holds_up_nobody_however_slowly_it_is_read():
    with Standin("--frozen", generate=3000, reads_per_second=0) as s:
        client, slow = s.selling(), http.client.HTTPConnection(s.address.removeprefix("http://"))
        slow.request("GET", "/_standin/truth")
        answer = slow.getresponse()  # its head alone
        for _ in range(5):
            assert client.list_opportunities(Catalog="AWS")["OpportunitySummaries"]
        s.advance(60, 50)  # what changes meanwhile is not in it
        text = answer.read()
        rows = [json.loads(line) for line in text.splitlines()]
        opportunities = [row for row in rows if row["Entity"] == "opportunity"]
        assert len(text) > 5_000_000 and len(opportunities) >= 3000 and {row["Version"] for row in opportunities} == {1}
        slow.close()


def read(s):
    """One answer of a socket: its status and its JSON."""
    got = b""
    while b"\r\n\r\n" not in got:
        got += s.recv(1)
    size = int(re.search(rb"Content-Length: (\d+)", got)[1])
    body = b""
    while len(body) < size:
        body += s.recv(size - len(body))
    return int(got.split()[1]), json.loads(body)
