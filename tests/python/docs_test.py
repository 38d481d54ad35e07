"""The pages of docs/ as they stand, against a node: every Python block is run, and harlequin is started."""
import importlib.metadata
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time

import pytest

from lake import ROOT, Node, generate

DOCS = ROOT / "docs"
PAGES = sorted(p.name for p in DOCS.glob("*.md") if "```python" in p.read_text())
NEEDED = {"dbapi.md": ["adbc-driver-flightsql"], "pandas.md": ["pandas"], "polars.md": ["polars"]}
HARLEQUIN = ROOT / ".venv-harlequin" / "bin"


def need(page):
    for name in NEEDED.get(page, []):
        try:
            importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            pytest.fail(f"docs/{page} needs {name}: {sys.executable} -m pip install -r tests/python/requirements.txt")


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    node = Node(tmp_path_factory.mktemp("docs"))
    node.start()
    try:
        generate(node.source / "opps.ndjson", 200)
        node.setup("acme")
        assert node.settled(node.run("acme"), "acme")["status"] == "succeeded"
        yield node
    finally:
        node.kill()


def environment(node):
    return dict(os.environ, LAKEWRIGHT_FLIGHT=node.addresses()["flight"], LAKEWRIGHT_TOKEN=node.token)


@pytest.mark.parametrize("page", PAGES)
def test_the_code_of_a_page_runs(node, page):
    need(page)
    code = "\n".join(re.findall(r"```python\n(.*?)```", (DOCS / page).read_text(), re.S))
    done = subprocess.run([sys.executable, "-c", code], env=environment(node), capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


def test_every_page_with_code_is_tried():
    assert {"dbapi.md", "pandas.md", "polars.md"} <= set(PAGES)


def test_links_lead_somewhere():
    for page in [*DOCS.glob("*.md"), ROOT / "README.md"]:
        for link in re.findall(r"\]\((?!http)([^)#]+)", page.read_text()):
            assert (page.parent / link).exists(), f"{page.name} links to {link}"


def test_harlequin_starts_and_shows_the_tenant(node, tmp_path):
    if not (HARLEQUIN / "harlequin").exists():
        pytest.fail(f"{HARLEQUIN}/harlequin is missing; install it: tests/tools/setup.sh python")
    command, = re.findall(r"```sh\n(.*?)\n```", (DOCS / "harlequin.md").read_text(), re.S)
    env = dict(environment(node), TERM="xterm-256color", HOME=str(tmp_path), COLUMNS="160", LINES="50")
    env["PATH"] = str(HARLEQUIN) + os.pathsep + env["PATH"]
    pid, fd = pty.fork()
    if pid == 0:
        os.execve("/bin/sh", ["sh", "-c", "exec " + command], env)
    try:
        seen, deadline = "", time.monotonic() + 90
        while "acme" not in seen:
            assert time.monotonic() < deadline, seen[-4000:]
            if select.select([fd], [], [], 1)[0]:
                try:
                    seen += os.read(fd, 65536).decode(errors="replace")
                except OSError:
                    pytest.fail(seen[-4000:])
        assert "could not" not in seen
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(fd)
