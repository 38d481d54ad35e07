"""The stand-in of Partner Central as a process of a test, and boto3 clients against it."""

import os
import pathlib
import re
import subprocess
import sys
import urllib.error
import urllib.request
from datetime import datetime, timezone
import json

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

ROOT = pathlib.Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "tests" / "standin"
FIXTURES = ROOT / "tests" / "fixtures"
sys.path.insert(0, str(PACKAGE))
from partner_central.shapes import Shapes  # noqa: E402

SHAPES = Shapes("partnercentral-selling")
SESSION = boto3.session.Session()  # its models are read once for all clients
ASCENDING = {"SortBy": "LastModifiedDate", "SortOrder": "ASCENDING"}

# What the server sends against the model, as recorded bodies do: oddity -> (operation, member, fault).
RECORDED = {
    "explicit-nulls": [
        ("GetEngagementInvitation", r"Payload\.OpportunityInvitation\.ReceiverResponsibilities", "REQUIRED_FIELD_MISSING"),
        ("GetAwsOpportunitySummary", r".*\.AwsProducts\[\d+\]\.ProductCode", "REQUIRED_FIELD_MISSING"),
    ],
    "documented-enums": [
        (".*Opportunit.*", r".*PrimaryNeedsFromAws\[\d+\]", "INVALID_ENUM_VALUE"),
        ("(List|Get)Opportunit.*", r".*LifeCycle\.(Stage|ReviewStatus)", "INVALID_ENUM_VALUE"),
        ("(List|Get)Opportunit.*", r".*ExpectedCustomerSpend\[\d+\]\.Frequency", "INVALID_ENUM_VALUE"),
    ],
    "association-extras": [("ListEngagementResourceAssociations", r".*\.Resource(Arn|Owner)", "INVALID_VALUE")],
    "solution-category-null": [("ListSolutions", r".*\.Category", "REQUIRED_FIELD_MISSING")],
    "recorded bodies": [("GetOpportunity", r"OpportunityTeam\[\d+\]\.Email", "INVALID_STRING_FORMAT")],
}


NOW = "2026-05-01T00:00:00Z"
CLOSED = ["--frozen", "--now", NOW, "--reads-per-second", "0", "--writes-per-second", "0"]


class Standin:
    """A server process; `with` ends it."""

    def __init__(self, *flags, **options):
        args = [str(f) for f in flags]
        for name, value in options.items():
            args += ["--" + name.replace("_", "-"), str(value)]
        self.args = args
        self.start()

    def start(self):
        env = {**os.environ, "PYTHONPATH": str(PACKAGE)}
        self.process = subprocess.Popen([sys.executable, "-m", "partner_central", *self.args], stdout=subprocess.PIPE, env=env, text=True)
        line = self.process.stdout.readline()
        assert line, "the stand-in did not start; see its standard error"
        self.told = json.loads(line)
        self.address = self.told["address"]

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()

    def control(self, method, path, body=None):
        request = urllib.request.Request(
            f"{self.address}/_standin/{path}", method=method, data=None if body is None else json.dumps(body).encode()
        )
        try:
            with urllib.request.urlopen(request) as answer:
                text = answer.read()
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{method} {path}: {error.read().decode()}") from None
        if answer.headers["Content-Type"] == "application/x-ndjson":
            return [json.loads(line) for line in text.splitlines()]
        return json.loads(text)

    def advance(self, seconds=0, changes=0, **more):
        return self.control("POST", "advance", {"seconds": seconds, "changes": changes, **more})

    def stats(self, account="111111111111"):
        return self.control("GET", "stats")["accounts"][account]

    def truth(self, entity, catalog="AWS"):
        return {row["Id"]: row for row in self.control("GET", f"truth?entity={entity}&catalog={catalog}")}

    def sts(self, key=None, **more):
        return self.client("sts", key or self.told["vendor"], **more)

    def assume(self, account=0, **more):
        chosen = self.told["accounts"][account]
        given = {"RoleArn": chosen["role_arn"], "RoleSessionName": "test", "ExternalId": chosen["external_id"], **more}
        return self.sts().assume_role(**given)["Credentials"]

    def selling(self, credentials=None, account=0, **more):
        """A client with the account's own key, or with a session; each of its answers is held to the model."""
        if credentials is None:
            client = self.client("partnercentral-selling", self.told["accounts"][account], **more)
        else:
            key = {"access_key_id": credentials["AccessKeyId"], "secret_access_key": credentials["SecretAccessKey"]}
            client = self.client("partnercentral-selling", key, token=credentials["SessionToken"], **more)
        client.meta.events.register("before-parse.partnercentral-selling", hold_to_model)
        return client

    def client(self, service, key, token=None, region="us-east-1", retries=0, validate=True, **config):
        return SESSION.client(
            service,
            endpoint_url=self.address,
            region_name=region,
            aws_access_key_id=key["access_key_id"],
            aws_secret_access_key=key["secret_access_key"],
            aws_session_token=token,
            config=Config(retries={"total_max_attempts": retries + 1, "mode": "standard"}, parameter_validation=validate, **config),
        )


def hold_to_model(operation_model, response_dict, **_):
    """Refuses what neither the model nor a recorded body allows."""
    if response_dict["status_code"] != 200:
        return hold_error(operation_model, response_dict)
    body, name = json.loads(response_dict["body"]), operation_model.name
    wrong = [f for f in SHAPES.faults_of_output(name, body) if oddity_of(name, f) is None]
    assert not wrong, (name, wrong)


def hold_error(operation_model, response_dict):
    """An error of the API is one of its operation's, with that shape's members; those of the layer before it have a namespace."""
    if response_dict["body"].startswith(b"{"):
        body = json.loads(response_dict["body"])
        namespace, _, name = body.pop("__type").rpartition("#")
        assert response_dict["headers"]["x-amzn-errortype"] == name and response_dict["headers"]["x-amzn-requestid"]
        if not namespace:
            assert name in {shape.name for shape in operation_model.error_shapes}
            assert response_dict["status_code"] == (500 if name == "InternalServerException" else 400)
            found = []
            SHAPES.check(SHAPES.model.shape_for(name))(body, "", found)
            assert found == []


def oddity_of(operation, fault):
    """The name of the oddity that a fault comes from."""
    for oddity, places in RECORDED.items():
        for where, member, code in places:
            if re.fullmatch(where, operation) and re.fullmatch(member, fault.field) and fault.code == code:
                return oddity
    return None


def pages(call, **request):
    """The pages of a scan, one after another as the caller asks for them."""
    while True:
        page = call(**request)
        yield page
        if not page.get("NextToken"):
            return
        request["NextToken"] = page["NextToken"]


def scan(call, member, **request):
    return [item for page in pages(call, **request) for item in page[member]]


def opportunities(client, **request):
    return scan(client.list_opportunities, "OpportunitySummaries", **{"Catalog": "AWS", "MaxResults": 100, "Sort": ASCENDING, **request})


def refused(call, **request):
    with pytest.raises(ClientError) as caught:
        call(**request)
    return caught.value.response


def code(call, **request):
    return refused(call, **request)["Error"]["Code"]


def instant(text):
    """Of millisecond precision at most, as LastModifiedDate has."""
    text = text.rstrip("Z")
    whole, _, fraction = text.partition(".")
    return datetime.fromisoformat(f"{whole}.{(fraction or '0')[:3]:0<3}").replace(tzinfo=timezone.utc)


def started(*flags, **options):
    return Standin(*CLOSED, *flags, **{"generate": 120, **options})
