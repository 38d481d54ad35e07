"""A real S3 server (SeaweedFS) and a proxy before it that loses calls or is away."""
import asyncio, json, pathlib, random, shutil, socket, subprocess, threading

from lake import ROOT, wait_until

WEED = ROOT / ".venv" / "bin" / "weed"
KEY, SECRET = "AKTEST", "SKTEST"


def free_ports(n):
    """Ports that nobody listens on now. SeaweedFS cannot be told to take port 0."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(n)]
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


class Seaweed:
    """An S3 server on a directory, with one identity and one bucket named `lake`."""

    def __init__(self, directory):
        if not WEED.exists():
            raise AssertionError(f"{WEED} is missing; run: make setup")
        self.dir = pathlib.Path(directory)
        self.dir.mkdir(parents=True, exist_ok=True)
        identity = {"name": "admin", "credentials": [{"accessKey": KEY, "secretKey": SECRET}], "actions": ["Admin", "Read", "List", "Tagging", "Write"]}
        (self.dir / "s3.json").write_text(json.dumps({"identities": [identity]}))
        self.process = None

    def start(self):
        names = ["master.port", "master.port.grpc", "volume.port", "volume.port.grpc", "filer.port", "filer.port.grpc", "s3.port", "s3.port.grpc"]
        ports = dict(zip(names, free_ports(len(names))))
        self.port = ports["s3.port"]
        data = self.dir / "data"
        data.mkdir(exist_ok=True)
        args = [WEED, "server", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", f"-dir={data}", "-master.volumeSizeLimitMB=64", "-master.telemetry=false", "-volume.max=50",
                "-filer", "-s3", f"-s3.config={self.dir / 's3.json'}", "-s3.port.iceberg=0", "-s3.port.lance=0", *[f"-{k}={v}" for k, v in ports.items()],
                f"-filer.localSocket={self.dir / 'filer.sock'}", f"-s3.localSocket={self.dir / 's3.sock'}"]
        self.log = open(self.dir / "weed.log", "ab")
        self.process = subprocess.Popen([str(a) for a in args], stdout=self.log, stderr=self.log)
        wait_until("SeaweedFS takes a bucket", self.make_bucket, 60)
        return self

    def make_bucket(self):
        assert self.process.poll() is None, (self.dir / "weed.log").read_text()[-3000:]
        try:
            self.files().create_dir("lake")
            with self.files().open_output_stream("lake/_ready") as out:
                out.write(b"ready")
            return True
        except OSError:
            return False

    def files(self):
        """The store as a file system: `lake/...`."""
        from pyarrow import fs
        return fs.S3FileSystem(access_key=KEY, secret_key=SECRET, endpoint_override=f"127.0.0.1:{self.port}", scheme="http", region="us-east-1",
                               allow_bucket_creation=True, request_timeout=5, connect_timeout=2)

    def settings(self, port=None, prefix="node"):
        """A node's settings for this store, through a proxy's port if there is one."""
        return [f"storage.url=s3://lake/{prefix}", f"storage.endpoint=http://127.0.0.1:{port or self.port}", "storage.region=us-east-1",
                f"storage.access_key_id={KEY}", f"storage.secret_access_key={SECRET}", "storage.allow_http=true"]

    def connector(self, prefix, port=None):
        """A `files` connector's settings for a prefix of this store."""
        return {"url": f"s3://lake/{prefix}", "endpoint": f"http://127.0.0.1:{port or self.port}", "region": "us-east-1", "access_key_id": KEY,
                "secret_access_key": SECRET, "allow_http": True}

    def stop(self):
        if self.process is not None:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.dir / "data", ignore_errors=True)


class FaultProxy:
    """Forwards TCP to a port. `fail` is the share of requests that are lost: half of them before the server has seen
    them, half after, when only the answer is missing. `away` refuses everything. Seeded."""

    def __init__(self, target, seed=1):
        self.target, self.fail, self.away = target, 0.0, False
        self.random = random.Random(seed)
        self.requests = self.lost = self.refused = 0
        self.open = set()
        self.loop = asyncio.new_event_loop()
        ready = threading.Event()

        async def serve():
            self.server = await asyncio.start_server(self.connection, "127.0.0.1", 0)
            self.port = self.server.sockets[0].getsockname()[1]
            ready.set()

        def run():
            self.loop.run_until_complete(serve())
            self.loop.run_forever()

        self.thread = threading.Thread(target=run, daemon=True)
        self.thread.start()
        assert ready.wait(10)

    async def connection(self, reader, writer):
        self.open.add(writer)
        upstream = None
        try:
            if self.away:
                self.refused += 1
                return
            back, upstream = await asyncio.open_connection("127.0.0.1", self.target)
            state = {"asking": False, "mute": False}
            done, rest = await asyncio.wait([asyncio.ensure_future(self.requests_of(reader, upstream, state)), asyncio.ensure_future(self.answers_of(back, writer, state))],
                                            return_when=asyncio.FIRST_COMPLETED)
            for task in rest:
                task.cancel()
            await asyncio.gather(*done, *rest, return_exceptions=True)
        except OSError:
            pass
        finally:
            self.open.discard(writer)
            for w in (writer, upstream):
                if w is not None:
                    w.transport.abort()

    async def requests_of(self, reader, upstream, state):
        while data := await reader.read(1 << 16):
            if self.away:
                self.refused += 1
                return
            if not state["asking"]:  # the first bytes after an answer begin a request
                state["asking"] = True
                self.requests += 1
                if self.random.random() < self.fail:
                    self.lost += 1
                    if self.random.random() < 0.5:
                        return
                    state["mute"] = True
            upstream.write(data)
            await upstream.drain()

    async def answers_of(self, back, writer, state):
        while data := await back.read(1 << 16):
            state["asking"] = False
            if state["mute"] or self.away:
                return
            writer.write(data)
            await writer.drain()

    def go_away(self):
        """Cuts every connection and refuses new ones until `come_back`."""
        self.away = True
        self.loop.call_soon_threadsafe(lambda: [w.transport.abort() for w in list(self.open)])

    def come_back(self):
        self.away = False

    def close(self):
        self.go_away()
        self.loop.call_soon_threadsafe(self.server.close)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(10)
