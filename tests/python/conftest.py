"""Fixtures: a node with a tenant, its log shown when a test fails."""
import pytest

from lake import Node


@pytest.fixture
def node(tmp_path):
    n = Node(tmp_path)
    n.start()
    yield n
    if n.process is not None:
        n.kill()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    if report.failed and "node" in getattr(item, "funcargs", {}):
        report.sections.append(("node.log", item.funcargs["node"].tail(60)))
