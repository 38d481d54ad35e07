"""A schedule seen from outside: an instant that passes while the node is dead is made good once."""
from datetime import datetime, timezone

from lake import Node, generate, wait_until


def test_an_instant_that_passed_while_the_node_was_dead_starts_one_run(tmp_path):
    node = Node(tmp_path)
    node.start()
    try:
        node.setup(settle_ms=50)
        generate(node.source / "a.ndjson", 50, bad=0, dup=0, upd=0)
        refused = node.cli("schedule", "set", "--tenant", "acme", "opps", "* * * * * *", check=False)
        assert refused.returncode and "MON-FRI" in refused.stderr
        set_ = node.json("schedule", "set", "--tenant", "acme", "opps", "* * * * *", "--zone", "Europe/Berlin")
        due = datetime.fromisoformat(set_["next_at"])
        node.kill()
        wait_until("the instant passes", lambda: datetime.now(timezone.utc) > due, 90)
        node.start()
        runs = lambda: node.json("run", "list", "--tenant", "acme")
        wait_until("it is made good", lambda: len(runs()) == 1 and runs()[0]["status"] == "succeeded", 30)
        assert runs()[0]["stats_json"]["trigger"] == "schedule" and runs()[0]["read"] == 50
        listed = node.json("schedule", "list", "--tenant", "acme")[0]
        assert datetime.fromisoformat(listed["last_at"]) == due and datetime.fromisoformat(listed["next_at"]) > due
        node.cli("schedule", "clear", "--tenant", "acme", "opps")
        assert node.json("schedule", "list", "--tenant", "acme") == []
    finally:
        node.kill()
