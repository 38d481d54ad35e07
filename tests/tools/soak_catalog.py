"""SIGKILLs a node again and again while catalog commands are proposed, and checks after each restart that
every acknowledged command is there, that no refused one is, and that the node comes up by itself.

  soak_catalog.py --seconds 3600 [--seed 1]
"""
import argparse, concurrent.futures, json, pathlib, random, subprocess, sys, tempfile, threading, time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "python"))
from lake import Node


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--seconds", type=float, default=3600)
    ap.add_argument("--seed", type=int, default=1)
    a = ap.parse_args()
    r = random.Random(a.seed)
    end = time.monotonic() + a.seconds
    acked, unknown, kills, slowest = set(), set(), 0, 0.0
    with tempfile.TemporaryDirectory(prefix="lakewright-soak-") as directory:
        node = Node(directory, settings=["catalog.snapshot_entries=100", "log.filter=warn"])
        node.start()
        number = 0
        while time.monotonic() < end:
            stop = threading.Event()
            timer = threading.Timer(r.uniform(0.05, 1.5), lambda: (node.process.kill(), stop.set()))
            token = (node.data / "admin.token").read_text().strip()
            timer.start()

            def propose(slug):
                try:
                    done = node.cli("tenant", "create", slug, check=False, token=token, timeout=20)
                except (OSError, ValueError, subprocess.TimeoutExpired):
                    return slug, None
                return slug, done.returncode == 0

            with concurrent.futures.ThreadPoolExecutor(4) as pool:
                while not stop.is_set():
                    slugs = [f"t{number + i}" for i in range(4)]
                    number += 4
                    for slug, done in pool.map(propose, slugs):
                        (acked if done else unknown).add(slug)
            timer.join()
            node.process.wait()
            kills += 1
            begun = time.monotonic()
            node.start()
            slowest = max(slowest, time.monotonic() - begun)
            there = set()
            for tenant in node.json("tenant", "list", "--limit", "1000000", token=token):
                there.add(tenant["slug"])
            lost = acked - there
            if lost:
                raise SystemExit(f"after {kills} kills {len(lost)} acknowledged commands are lost: {sorted(lost)[:5]}\n{node.tail()}")
            invented = there - acked - unknown - {"system"}
            if invented:
                raise SystemExit(f"nobody proposed {sorted(invented)[:5]}")
            if kills % 20 == 0:
                print(f"{kills} kills, {len(acked)} acknowledged commands, none lost; slowest restart {slowest:.1f} s", flush=True)
        took = node.stop()
        print(json.dumps({"kills": kills, "acknowledged": len(acked), "unknown": len(unknown), "lost": 0, "slowest_restart_s": round(slowest, 2),
                          "clean_stop_s": round(took, 2), "seconds": a.seconds}))


if __name__ == "__main__":
    main()
