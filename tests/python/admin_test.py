"""The admin API as a stranger meets it: grpcurl over server reflection, the standard health service, Prometheus."""
import json, re, subprocess, urllib.request

import pytest

from lake import ROOT, Node, generate, wait_until

GRPCURL = ROOT / ".venv" / "bin" / "grpcurl"


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    node = Node(tmp_path_factory.mktemp("admin"))
    node.start()
    node.setup()
    generate(node.source / "opps.ndjson", 200)
    assert node.settled(node.run())["status"] == "succeeded"
    yield node
    node.kill()


def grpcurl(node, *args, token=None, data=None):
    address = node.addresses()["admin"]
    header = ["-H", f"authorization: Bearer {token}"] if token else []
    body = ["-d", json.dumps(data)] if data is not None else []
    return subprocess.run([str(GRPCURL), "-plaintext", *header, *body, address, *args], capture_output=True, text=True, timeout=30)


def test_reflection_lists_and_describes_the_services(served):
    listed = grpcurl(served, "list")
    assert {"lakewright.admin.v1.Admin", "grpc.health.v1.Health"} <= set(listed.stdout.split()), listed.stderr
    methods = grpcurl(served, "list", "lakewright.admin.v1.Admin").stdout.split()
    assert "lakewright.admin.v1.Admin.GetNode" in methods and len(methods) > 20


def test_health_needs_no_token_and_all_else_does(served):
    assert json.loads(grpcurl(served, "grpc.health.v1.Health/Check").stdout) == {"status": "SERVING"}
    for wrong in (None, "lw_wrong"):
        refused = grpcurl(served, "lakewright.admin.v1.Admin/ListTenants", token=wrong)
        assert refused.returncode and "Unauthenticated" in refused.stderr, refused


def test_a_call_with_a_token(served):
    admin = (served.data / "admin.token").read_text().strip()
    node = grpcurl(served, "lakewright.admin.v1.Admin/GetNode", token=admin)
    assert json.loads(node.stdout)["version"], node.stderr
    tenants = json.loads(grpcurl(served, "lakewright.admin.v1.Admin/ListTenants", token=admin).stdout)["tenants"]
    assert "acme" in {t["slug"] for t in tenants}
    # A user of one tenant manages no tenants.
    refused = grpcurl(served, "lakewright.admin.v1.Admin/CreateTenant", token=served.token, data={"slug": "mine"})
    assert refused.returncode and "PermissionDenied" in refused.stderr, refused


def test_metrics_tell_records_by_tenant_and_connector(served):
    def scrape():
        with urllib.request.urlopen("http://" + served.addresses()["metrics"] + "/metrics", timeout=5) as answer:
            return answer.read().decode()
    text = wait_until("the metrics count the records", lambda: t if re.search(r"^lakewright_records_total\{tenant=.*connector=.*\} 200$", t := scrape(), re.M) else None)
    for word in ("bytes_total", "credit", "commit_seconds", "lag"):
        assert re.search(rf"^lakewright_\w*{word}\w*", text, re.M), f"no metric speaks of {word}"
    assert served.token not in text
