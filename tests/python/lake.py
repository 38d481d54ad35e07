"""A real node for tests: start, kill, restart, drive with the CLI, query through ADBC."""
import json, os, pathlib, shutil, signal, subprocess, time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "debug" / "lakewright"
GENERATOR = ROOT / "tests" / "tools" / "gen_opportunities.py"
PYTHON = ROOT / ".venv" / "bin" / "python"


def wait_until(what, check, seconds=30):
    """The one place that waits: until `check` gives something true."""
    deadline = time.monotonic() + seconds
    while True:
        found = check()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"within {seconds} s this did not happen: {what}")
        time.sleep(0.02)


class Node:
    """A node process over a data directory that outlives it."""

    def __init__(self, directory, settings=(), binary=None):
        if not (binary or BINARY).exists():
            raise AssertionError(f"{BINARY} is missing; build it: cargo build -p lakewright-node")
        self.binary = str(binary or BINARY)
        self.dir = pathlib.Path(directory)
        self.data = self.dir / "node"
        self.source = self.dir / "source"
        self.source.mkdir(parents=True, exist_ok=True)
        self.settings = list(settings)
        self.process = None
        self.token = None
        self.starts = 0

    def start(self, crash_at=None, wait=True):
        addresses = self.data / "addresses.json"
        addresses.unlink(missing_ok=True)
        self.starts += 1
        env = dict(os.environ)
        env.pop("LAKEWRIGHT_CRASH_AT", None)
        if crash_at:
            env["LAKEWRIGHT_CRASH_AT"] = crash_at
        args = [self.binary, "node"]
        for s in [f"node.data_dir={self.data}", "admin.listen=127.0.0.1:0", "flight.listen=127.0.0.1:0", "metrics.listen=127.0.0.1:0",
                  f"sources.directories={self.dir}", "sources.private_endpoints=true", *self.settings]:
            args += ["--set", s]
        self.log = open(self.dir / "node.log", "ab")
        self.process = subprocess.Popen(args, env=env, stderr=self.log, stdout=self.log, cwd=self.dir)
        if wait:
            wait_until("the node comes up", lambda: addresses.exists() or not self.alive(), 60)
            if not self.alive():
                if crash_at:
                    return False
                raise AssertionError("the node ended at start:\n" + self.tail())
        return True

    def tail(self, n=30):
        return "\n".join((self.dir / "node.log").read_text(errors="replace").splitlines()[-n:])[:20_000]

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def kill(self):
        if self.alive():
            self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self, seconds=12):
        self.process.send_signal(signal.SIGTERM)
        begun = time.monotonic()
        self.process.wait(seconds)
        return time.monotonic() - begun

    def addresses(self):
        return json.loads((self.data / "addresses.json").read_text())

    def cli(self, *args, token=None, check=True, as_json=True, timeout=120):
        a = self.addresses()
        env = dict(os.environ, LAKEWRIGHT_SERVER="http://" + a["admin"], LAKEWRIGHT_FLIGHT="http://" + a["flight"],
                   LAKEWRIGHT_TOKEN=token or self.token or (self.data / "admin.token").read_text().strip())
        command = [self.binary, *(["--output", "json"] if as_json else []), *args]
        done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=timeout)
        if check and done.returncode:
            raise AssertionError(f"{' '.join(args)}: {done.stderr}\n{self.tail()}")
        return done

    def json(self, *args, **kw):
        return json.loads(self.cli(*args, **kw).stdout)

    def tenant(self, slug, roles=("operator", "engineer", "analyst")):
        """Makes a tenant with a user that has these roles; answers its token."""
        admin = (self.data / "admin.token").read_text().strip()
        email = f"user@{slug}.example"
        self.cli("tenant", "create", slug, token=admin)
        self.cli("user", "create", "--tenant", slug, "--email", email, *[a for r in roles for a in ("--role", r)], token=admin)
        return self.json("token", "create", "--tenant", slug, "--user", email, token=admin)["secret"]

    def setup(self, slug="acme", connector="opps", **config):
        """A tenant with the pack and a files connector on the source directory."""
        self.token = self.tenant(slug)
        self.cli("pack", "load", str(ROOT / "packs" / "aws-partner"), "--pin", "--tenant", slug)
        config = {"url": str(self.source), "stream": "opportunity", **config}
        self.cli("connector", "create", "--tenant", slug, "--name", connector, "--kind", "files", "--config", json.dumps(config))

    def run(self, slug="acme", connector="opps", check=True):
        """Starts a run, without waiting for it; answers its id."""
        done = self.cli("run", "start", "--tenant", slug, connector, check=check)
        if done.returncode:
            return None
        return run_id(done.stdout)

    def get_run(self, run, slug="acme"):
        return self.json("run", "show", "--tenant", slug, run)

    def settled(self, run, slug="acme", seconds=120):
        """Waits until a run is over; answers it."""
        def over():
            r = self.get_run(run, slug)
            return r if r["status"] in ("succeeded", "failed", "cancelled") else None
        return wait_until(f"run {run} is over", over, seconds)

    def connect(self, token=None):
        import adbc_driver_flightsql.dbapi as flight
        return flight.connect("grpc://" + self.addresses()["flight"],
                              db_kwargs={"adbc.flight.sql.authorization_header": f"Bearer {token or self.token}"})

    def sql(self, query, token=None):
        """Rows of a query, as tuples."""
        with self.connect(token) as c, c.cursor() as cursor:
            cursor.execute(query)
            return cursor.fetchall()


def run_id(text):
    found = json.loads(text)
    if isinstance(found, list):
        found = found[0]
    if "runs" in found:
        found = found["runs"][0]
    return found["id"]


def generate(path, n, seed=7, start_id=0, truth=None, **shares):
    """Generates records; answers the exact truth."""
    args = [str(PYTHON if PYTHON.exists() else "python3"), str(GENERATOR), "-n", str(n), "-o", str(path), "--seed", str(seed), "--start-id", str(start_id)]
    if truth:
        args += ["--truth", str(truth)]
    for name, share in shares.items():
        args += [f"--{name}", str(share)]
    return json.loads(subprocess.run(args, check=True, capture_output=True, text=True).stdout)


def cut(path, directory, pieces):
    """Cuts a file of lines into as many files, in order."""
    lines = pathlib.Path(path).read_bytes().splitlines(keepends=True)
    size = -(-len(lines) // pieces)
    out = []
    for i in range(0, len(lines), size):
        piece = pathlib.Path(directory) / f"part-{i // size:04}.ndjson"
        piece.write_bytes(b"".join(lines[i:i + size]))
        out.append(piece)
    return out


def clean(directory):
    shutil.rmtree(directory, ignore_errors=True)
