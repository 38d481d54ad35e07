"""Bad input, bad disks: each has a clear error, nothing is lost, nothing else is disturbed."""
import gzip, hashlib, json, os, shutil, subprocess

import pytest

from lake import Node, generate, run_id, wait_until

RUN = "SELECT reason, rule, detail, payload_bytes, payload_sha256, payload FROM system.dead_letters WHERE ingestion_run_id = '{}' ORDER BY address_offset"


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    """A node where tenant acme gets the bad input and tenant calm has good records only."""
    directory = tmp_path_factory.mktemp("bad")
    node = Node(directory, settings=["ingest.silver_commit_interval=200ms"])
    node.start()
    truth = generate(node.source / "calm.ndjson", 300, seed=2)
    node.setup("calm")
    calm = node.token
    assert node.settled(node.run("calm"), "calm")["status"] == "succeeded"
    node.setup("acme")
    yield node
    # Whatever happened to acme, calm has what it had, and can go on.
    assert node.sql("SELECT COUNT(*) FROM partner_central_opportunity", token=calm)[0][0] == truth["live"]
    generate(node.source / "more.ndjson", 50, start_id=10_000, bad=0, dup=0, upd=0)
    node.token = calm
    assert node.settled(node.run("calm"), "calm")["status"] == "succeeded"
    assert node.sql("SELECT COUNT(*) FROM partner_central_opportunity")[0][0] == truth["live"] + 50
    node.kill()


@pytest.fixture
def good(tmp_path, request):
    """Twenty good records with ids that no other test has."""
    path = tmp_path / "good.ndjson"
    start = int(hashlib.sha256(request.node.name.encode()).hexdigest()[:6], 16)
    generate(path, 20, start_id=start, bad=0, dup=0, upd=0)
    return path.read_bytes().splitlines()


def take(node, name, files):
    """Runs a connector of its own over these files; answers the run and its dead letters."""
    source = node.dir / f"source-{name}"
    source.mkdir()
    for file, content in files.items():
        (source / file).write_bytes(content)
    config = {"url": str(source), "stream": "opportunity", "settle_ms": 50, "poll_ms": 50}
    node.cli("connector", "create", "--tenant", "acme", "--name", name, "--kind", "files", "--config", json.dumps(config))
    run = node.settled(node.run(connector=name))
    keys = ["reason", "rule", "detail", "bytes", "sha256", "kept"]
    return run, [dict(zip(keys, [*row[:-1], len(row[-1])])) for row in node.sql(RUN.format(run["id"]))]


def lines(*records):
    return b"".join(r + b"\n" for r in records)


def change(line, **changes):
    o = json.loads(line)
    for path, value in changes.items():
        *parents, last = path.split("__")
        at = o
        for p in parents:
            at = at[p]
        at[last] = value
    return json.dumps(o).encode()


def exact(run, read, rejected):
    assert run["status"] == "succeeded" and run["stats_json"]["exact"], run
    assert (run["read"], run["rejected"], run["accepted"]) == (read, rejected, read - rejected), run


def test_a_truncated_line(lake, good):
    run, dead = take(lake, "truncated", {"a.ndjson": lines(*good)[:-700]})
    exact(run, 20, 1)
    assert dead[0]["reason"] == "parse" and dead[0]["detail"]


def test_a_line_of_50_mb(lake, good):
    large = b'{"Id":"O77777777","Note":"' + b"x" * 50_000_000 + b'"}'
    run, dead = take(lake, "large", {"a.ndjson": lines(*good[:10], large, *good[10:])})
    exact(run, 21, 1)
    assert (dead[0]["reason"], dead[0]["bytes"], dead[0]["sha256"], dead[0]["kept"]) == ("oversize", len(large), hashlib.sha256(large).hexdigest(), 65536)


def test_invalid_utf8(lake, good):
    bad = good[0].replace(b'"Catalog":"AWS"', b'"Catalog":"A\xff\xfeS"')
    run, dead = take(lake, "utf8", {"a.ndjson": lines(bad, *good[1:])})
    exact(run, 20, 1)
    assert dead[0]["reason"] == "invalid_utf8"


def test_deep_nesting(lake, good):
    deep = good[0][:-1] + b',"Deep":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    run, dead = take(lake, "deep", {"a.ndjson": lines(deep, *good[1:])})
    exact(run, 20, 1)
    assert dead[0]["reason"] == "too_deep"


def test_numbers_out_of_range(lake, good):
    spend = [{"Amount": "9" * 60, "CurrencyCode": "USD", "Frequency": "Monthly", "TargetCompany": "AWS"}]
    months = {"Value": 10**30}
    run, dead = take(lake, "range", {"a.ndjson": lines(change(good[0], Project__ExpectedCustomerSpend=spend),
                                                       change(good[1], Project__ExpectedContractDuration=months), *good[2:])})
    exact(run, 20, 0)
    keys = [json.loads(g)["Id"] for g in good[:2]]
    rows = lake.sql(f"SELECT aws_monthly_revenue, contract_months, _flags FROM partner_central_opportunity WHERE pc_opportunity_id IN ('{keys[0]}', '{keys[1]}') ORDER BY pc_opportunity_id")
    assert rows[0][0] is None and "unreadable:aws_monthly_revenue" in rows[0][2]
    assert rows[1][1] is None and "unreadable:contract_months" in rows[1][2]


def test_the_30th_of_february(lake, good):
    run, dead = take(lake, "february", {"a.ndjson": lines(change(good[0], LifeCycle__TargetCloseDate="2026-02-30"), *good[1:])})
    exact(run, 20, 1)
    assert (dead[0]["reason"], dead[0]["rule"]) == ("schema", "type:close_date") and "2026-02-30" in dead[0]["detail"]


def test_duplicate_keys_in_an_object(lake, good):
    key = json.loads(good[0])["Id"]
    run, _ = take(lake, "twice", {"a.ndjson": lines(b'{"Id":"O00000000","Arn":"first",' + good[0][1:], *good[1:])})
    exact(run, 20, 0)
    arn, flags = lake.sql(f"SELECT arn, _flags FROM partner_central_opportunity WHERE pc_opportunity_id = '{key}'")[0]
    assert arn != "first" and "duplicate_keys" in flags


def test_an_empty_file(lake, good):
    run, dead = take(lake, "empty", {"a.ndjson": b"", "b.ndjson": lines(*good)})
    exact(run, 20, 0)


def test_a_gzip_cut_short(lake, good):
    whole = gzip.compress(lines(*good))
    run, dead = take(lake, "gzip", {"a.ndjson.gz": whole[: len(whole) * 2 // 3], "b.ndjson": lines(change(good[0], Id="O98765432"))})
    assert run["status"] == "succeeded" and run["stats_json"]["exact"], run
    # What could be unpacked is there, and so is the file after it; that the rest is missing is said.
    assert 1 < run["read"] <= 21
    assert lake.sql("SELECT COUNT(*) FROM partner_central_opportunity WHERE pc_opportunity_id = 'O98765432'")[0][0] == 1
    assert said(lake, "bad_compression", "a.ndjson.gz")


def test_a_corrupted_parquet_file(lake, good):
    import pyarrow as pa
    import pyarrow.parquet as pq
    path = lake.dir / "whole.parquet"
    pq.write_table(pa.Table.from_pylist([{"Id": f"O5{i:07}", "note": "x" * 1000} for i in range(2000)]), path, compression="none")
    content = bytearray(path.read_bytes())
    content[len(content) // 2: len(content) // 2 + 4000] = os.urandom(4000)
    cut = path.read_bytes()[:-100]
    run, dead = take(lake, "parquet", {"a.parquet": cut, "b.ndjson": lines(*good)})
    assert run["status"] == "succeeded", run
    assert run["accepted"] >= 20
    assert said(lake, "bad_parquet", "a.parquet")


def said(node, *words, since=0):
    """Whether one line of the log has all these words."""
    log = (node.dir / "node.log").read_bytes()[since:].decode(errors="replace")
    return any(all(w in line for w in words) for line in log.splitlines())


def test_a_directory_that_vanishes(lake, good):
    run, _ = take(lake, "vanishing", {"a.ndjson": lines(*good[:8])})
    exact(run, 8, 0)
    source = lake.dir / "source-vanishing"
    aside = source.with_name("aside")

    # Before a run: it is refused, and the error names the directory.
    source.rename(aside)
    refused = lake.cli("run", "start", "--tenant", "acme", "vanishing", check=False)
    assert refused.returncode and str(source) in refused.stderr, refused
    aside.rename(source)

    # Under a run: that is told, and the run goes on when it is back.
    run = run_id(lake.cli("run", "start", "--tenant", "acme", "vanishing", "--mode", "streaming").stdout)
    (source / "b.ndjson").write_bytes(lines(*good[8:14]))
    wait_until("the new file is read", lambda: lake.get_run(run)["read"] == 6)
    mark = (lake.dir / "node.log").stat().st_size
    source.rename(aside)
    wait_until("the missing directory is told", lambda: said(lake, "WARN", str(source), since=mark))
    aside.rename(source)
    (source / "c.ndjson").write_bytes(lines(*good[14:]))
    wait_until("it reads on", lambda: lake.get_run(run)["read"] == 12, 60)
    lake.cli("run", "cancel", "--tenant", "acme", run)
    lake.settled(run)
    # Cancelled it is at once; what was committed is merged after.
    wait_until("every record has its outcome", lambda: lake.get_run(run)["stats_json"]["exact"])
    ids = ", ".join(f"'{json.loads(g)['Id']}'" for g in good)
    assert lake.sql(f"SELECT COUNT(*) FROM partner_central_opportunity WHERE pc_opportunity_id IN ({ids})")[0][0] == 20


def as_root(*command):
    subprocess.run([*([] if os.geteuid() == 0 else ["sudo"]), *command], check=True)


def test_a_full_disk(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    as_root("mount", "-t", "tmpfs", "-o", f"size=24m,mode=0700,uid={os.geteuid()}", "tmpfs", str(disk))
    node = Node(tmp_path, settings=[f"storage.url=file://{disk}/lake", "ingest.silver_commit_interval=200ms", "ingest.batch_rows=500"])
    try:
        node.start()
        node.setup()
        truth = generate(node.source / "opps.ndjson", 3000, seed=9)
        filler = disk / "filler"
        with open(filler, "wb") as f:
            free = shutil.disk_usage(disk).free
            f.write(b"x" * (free - 64 * 1024))
        run = node.run()
        wait_until("the full disk is told", lambda: said(node, "No space left"), 60)
        assert node.alive()
        filler.unlink()
        over = node.settled(run)
        if over["status"] != "succeeded":
            assert "No space left" in over["error"], over
            node.cli("connector", "clear-broken", "--tenant", "acme", "opps")
            assert node.settled(node.run())["status"] == "succeeded"
        assert node.sql("SELECT COUNT(*), COUNT(DISTINCT _offset) FROM bronze.files_opportunity")[0] == (truth["lines"], truth["lines"])
        assert node.sql("SELECT COUNT(*) FROM partner_central_opportunity")[0][0] == truth["live"]
        assert not node.json("table", "verify", "silver.partner_central_opportunity", "--tenant", "acme").get("faults")
    finally:
        if node.process is not None:
            node.kill()
        as_root("umount", str(disk))


@pytest.mark.parametrize("clean", [True, False], ids=["after a clean stop", "after a kill"])
def test_a_corrupted_sled(tmp_path, clean):
    node = Node(tmp_path, settings=["catalog.snapshot_entries=100"])
    node.start()
    node.setup()
    truth = generate(node.source / "opps.ndjson", 500, seed=6)
    assert node.settled(node.run())["status"] == "succeeded"
    before = node.sql("SELECT * FROM system.files ORDER BY path"), node.json("tenant", "list")
    if clean:
        node.stop()
    else:
        node.kill()
    state = node.data / "catalog" / "state"
    files = [f for f in state.rglob("*") if f.is_file() and f.stat().st_size > 4096]
    assert files, list(state.rglob("*"))
    for f in files:
        content = bytearray(f.read_bytes())
        for at in range(1024, len(content), 8192):
            content[at: at + 512] = os.urandom(len(content[at: at + 512]))
        f.write_bytes(content)
    node.start()
    try:
        assert (node.sql("SELECT * FROM system.files ORDER BY path"), node.json("tenant", "list")) == before
        assert node.sql("SELECT COUNT(*) FROM partner_central_opportunity")[0][0] == truth["live"]
        generate(node.source / "more.ndjson", 50, start_id=10_000, bad=0, dup=0, upd=0)
        assert node.settled(node.run())["status"] == "succeeded"
        assert node.sql("SELECT COUNT(*) FROM partner_central_opportunity")[0][0] == truth["live"] + 50
    finally:
        node.kill()
