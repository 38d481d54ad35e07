"""The Prometheus endpoint: what a run took in is counted, by tenant and connector."""
import re, urllib.request

from lake import generate, wait_until


def test_a_run_is_counted(node):
    node.setup()
    generate(node.source / "opps.ndjson", 200)
    assert node.settled(node.run())["status"] == "succeeded"

    def scrape():
        with urllib.request.urlopen("http://" + node.addresses()["metrics"] + "/metrics", timeout=5) as answer:
            return answer.read().decode()
    counted = re.compile(r"^lakewright_records_total\{tenant=.*connector=.*\} 200$", re.M)
    text = wait_until("the metrics count the records", lambda: t if counted.search(t := scrape()) else None)
    for word in ("bytes_total", "credit", "commit_seconds", "lag"):
        assert re.search(rf"^lakewright_\w*{word}\w*", text, re.M), f"no metric speaks of {word}"
    assert node.token not in text
