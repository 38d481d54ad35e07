"""What a tenant must not reach: the node's files and credentials, another tenant's pack, the node's life."""

import json
import shutil

import pytest

from lake import ROOT, Node


def create(node, name, config, kind="files", check=False):
    return node.cli("connector", "create", "--tenant", "acme", "--name", name, "--kind", kind, "--config", json.dumps(config), check=check)


def test_a_connector_reads_named_directories_alone_and_never_the_nodes(node):
    node.token = node.tenant("acme")
    for n, url in enumerate([node.data, node.data / "raft", node.dir, "/etc", f"{node.source}/../node", "/"]):
        done = create(node, f"stolen-{n}", {"url": str(url), "pattern": "**/*", "format": "csv", "stream": "stolen"})
        assert done.returncode and "url:" in done.stderr, (url, done.stderr)
    assert "sources.directories" in create(node, "etc", {"url": "/etc", "stream": "s"}).stderr
    # A link that is laid later leads nowhere either.
    inbox = node.source / "inbox"
    inbox.mkdir()
    create(node, "link", {"url": str(inbox), "pattern": "*", "format": "csv", "stream": "stolen"}, check=True)
    inbox.rmdir()
    inbox.symlink_to(node.data)
    done = node.cli("connector", "test", "--tenant", "acme", "link", check=False)
    assert done.returncode and "files of the node itself" in done.stderr


def test_the_nodes_credentials_and_network_are_its_own(tmp_path):
    node = Node(tmp_path, settings=["sources.private_endpoints=false"])
    node.start()
    try:
        node.token = node.tenant("acme")
        done = create(node, "bucket", {"url": "s3://somebody/prefix", "stream": "s"})
        assert done.returncode and "sources.own_credentials" in done.stderr
        keys = {"access_key_id": "a", "secret_access_key": "b"}
        done = create(node, "inside", {"url": "s3://somebody/prefix", "stream": "s", "endpoint": "http://127.0.0.1:1", "allow_http": True, **keys})
        assert done.returncode and "sources.private_endpoints" in done.stderr
        for config in ({}, {"role_arn": "arn:aws:iam::222222222222:role/x"}, {"role_arn": "arn:aws:iam::222222222222:role/x", "external_id": "mine"}):
            done = create(node, "pc", {"account_id": "222222222222", **config}, "partner-central")
            assert done.returncode and ("own_credentials" in done.stderr or "external_id" in done.stderr), done.stderr
        tenant = node.json("tenant", "show", "acme", token=(node.data / "admin.token").read_text().strip())["id"]
        role = {"role_arn": "arn:aws:iam::222222222222:role/x", "external_id": f"lakewright-{tenant}", "account_id": "222222222222"}
        create(node, "pc", role, "partner-central", check=True)
    finally:
        node.kill()


@pytest.mark.parametrize("link", [" + 1", " OR 1 = 2", "::int", " UNION ALL SELECT 1"])
def test_a_long_statement_is_refused_and_the_node_lives(node, link):
    node.token = node.tenant("acme")
    for many in (1_500, 40_000):
        with pytest.raises(Exception, match="operators; at most 1000"):
            node.sql("SELECT 1 " + link * many)
    assert node.sql("SELECT 1" + " + 1" * 900) == [(901,)]
    assert node.alive()


def test_a_pack_is_its_tenants(node, tmp_path):
    node.token = node.tenant("acme")
    node.cli("pack", "load", str(ROOT / "packs" / "aws-partner"), "--pin", "--tenant", "acme")
    acme, ours = node.token, node.json("pack", "list")[0]["hash"]
    other = tmp_path / "aws-partner"
    shutil.copytree(ROOT / "packs" / "aws-partner", other)
    with open(other / "entities.yaml", "a") as f:
        f.write("# another version\n")
    evil = node.tenant("evil")
    node.cli("pack", "load", str(other), "--pin", "--tenant", "evil", token=evil)
    theirs = [p["hash"] for p in node.json("pack", "list", token=evil)]
    assert ours not in theirs and len(theirs) == 1
    for name in (theirs[0], theirs[0][:12]):
        done = node.cli("pack", "pin", name, "--tenant", "acme", token=acme, check=False)
        assert done.returncode and "does not exist" in done.stderr, done.stderr
    node.cli("pack", "pin", "aws-partner", "--tenant", "acme", token=acme)
    assert [p["hash"] for p in node.json("pack", "list", token=acme)] == [ours]
    # The installation's own are everybody's.
    admin = (node.data / "admin.token").read_text().strip()
    with open(other / "entities.yaml", "a") as f:
        f.write("# the installation's\n")
    keeper = ["--tenant", "system", "--user", "packs@system.example"]
    node.cli("user", "create", "--tenant", "system", "--email", keeper[-1], "--role", "engineer", token=admin)
    node.cli("pack", "load", str(other), token=node.json("token", "create", *keeper, token=admin)["secret"])
    assert len(node.json("pack", "list", token=acme)) == 2
