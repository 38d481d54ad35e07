"""Webhooks seen from outside: alerts arrive signed, a refusal is shown and made good, a restart forgets nothing."""
import base64, hashlib, hmac, http.server, json, threading

import pytest

from lake import Node, wait_until


class Taker(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.came.append((dict(self.headers), body))
        self.send_response(self.server.status)
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def taker():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Taker)
    server.came, server.status = [], 204
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()


@pytest.fixture
def lake(tmp_path):
    node = Node(tmp_path, settings=["webhooks.allow_private=true"])
    node.start()
    node.token = node.tenant("acme")
    yield node
    node.kill()


def hook(node):
    return node.json("webhook", "list", "--tenant", "acme")[0]


def test_alerts_arrive_signed_and_a_restart_forgets_none(lake, taker):
    url = f"http://127.0.0.1:{taker.server_port}/alerts"
    made = lake.json("webhook", "create", "--tenant", "acme", "ops", url)
    lake.cli("webhook", "test", "--tenant", "acme", "ops")
    wait_until("the test arrives", lambda: hook(lake)["delivered"] == 1, 30)
    headers, body = taker.came[0]
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    key = base64.b64decode(made["secret"].removeprefix("whsec_"))
    assert headers["webhook-signature"] == "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    told = json.loads(body)
    assert told["type"] == "alert.webhook_test" and told["data"]["subject"] == "ops"
    assert made["secret"] not in lake.cli("webhook", "list", "--tenant", "acme").stdout

    taker.status = 500
    lake.cli("webhook", "test", "--tenant", "acme", "ops")
    wait_until("the refusal is shown", lambda: hook(lake)["attempts"] > 0, 30)
    assert hook(lake)["last_error"].startswith("it answered 500")
    lake.kill()
    taker.status = 200
    lake.start()
    wait_until("it is made good", lambda: hook(lake)["delivered"] == 2, 60)
    lake.cli("webhook", "delete", "--tenant", "acme", "ops")
    assert lake.json("webhook", "list", "--tenant", "acme") == []


def test_private_addresses_and_strangers_are_refused(tmp_path, taker):
    node = Node(tmp_path)
    node.start()
    try:
        node.token = node.tenant("acme")
        for url in (f"http://127.0.0.1:{taker.server_port}/", "https://169.254.169.254/latest/meta-data/", "ftp://example.com/"):
            assert node.cli("webhook", "create", "--tenant", "acme", "ops", url, check=False).returncode
        analyst = node.tenant("globex", roles=["analyst"])
        refused = node.cli("webhook", "create", "--tenant", "globex", "ops", "https://example.com/", token=analyst, check=False)
        assert "manage connectors" in refused.stderr
        assert node.cli("webhook", "list", "--tenant", "acme", token=analyst, check=False).returncode
    finally:
        node.kill()
