#!/usr/bin/env python3
"""How many requests a second the stand-in answers: signed requests over kept connections, in wall time and in the server's own CPU time.

.venv/bin/python tests/standin/measure.py [--records 20000] [--seconds 3] [--connections 4]
"""

import json
import os
import pathlib
import socket
import subprocess
import sys
import threading
import time
import argparse

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

HERE = pathlib.Path(__file__).resolve().parent
CASES: dict[str, dict[str, object]] = {
    "GetOpportunity": {"Catalog": "AWS", "Identifier": "O10000001"},
    "GetAwsOpportunitySummary": {"Catalog": "AWS", "RelatedOpportunityIdentifier": "O10000001"},
    "ListOpportunities": {"Catalog": "AWS", "MaxResults": 20, "Sort": {"SortBy": "LastModifiedDate", "SortOrder": "ASCENDING"}},
    "ListOpportunities of 100": {"Catalog": "AWS", "MaxResults": 100, "Sort": {"SortBy": "LastModifiedDate", "SortOrder": "ASCENDING"}},
}


def signed(address: str, key: dict[str, str], operation: str, body: dict[str, object]) -> bytes:
    """The bytes of a request; the same are sent again and again, as their signature holds for 5 minutes."""
    data, host = json.dumps(body).encode(), address.removeprefix("http://")
    headers = {"Host": host, "X-Amz-Target": f"AWSPartnerCentralSelling.{operation}", "Content-Type": "application/x-amz-json-1.0"}
    request = AWSRequest("POST", address + "/", headers=headers, data=data)
    SigV4Auth(Credentials(key["access_key_id"], key["secret_access_key"]), "partnercentral-selling", "us-east-1").add_auth(request)
    lines = [f"{name}: {value}" for name, value in request.headers.items()]
    return ("POST / HTTP/1.1\r\n" + "\r\n".join(lines) + f"\r\nContent-Length: {len(data)}\r\n\r\n").encode() + data


def ask(where: tuple[str, int], request: bytes, until: float, counts: list[int]) -> None:
    with socket.create_connection(where) as s:
        got, n = b"", 0
        while time.monotonic() < until:
            s.sendall(request)
            while (end := got.find(b"\r\n\r\n")) < 0:
                got += s.recv(1 << 18)
            assert got.startswith(b"HTTP/1.1 200"), got[:300]
            size = int(got[:end].lower().split(b"content-length: ")[1].split(b"\r\n")[0])
            while len(got) < end + 4 + size:
                got += s.recv(1 << 18)
            got, n = got[end + 4 + size :], n + 1
        counts.append(n)


def cpu(pid: int) -> float:
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--records", type=int, default=20_000)
    ap.add_argument("--seconds", type=float, default=3)
    ap.add_argument("--connections", type=int, default=4)
    a = ap.parse_args()
    begun = time.monotonic()
    server = subprocess.Popen(
        [sys.executable, "-m", "partner_central", "--generate", str(a.records), "--reads-per-second", "0", "--reads-per-day", "0"],
        cwd=HERE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        told = json.loads(server.stdout.readline() if server.stdout else "")
        print(f"started with {a.records} opportunities in {time.monotonic() - begun:.1f} s")
        host, port = told["address"].removeprefix("http://").split(":")
        for name, body in CASES.items():
            counts: list[int] = []
            request = signed(told["address"], told["accounts"][0], name.split()[0], body)
            wall, used = time.monotonic(), cpu(server.pid)
            threads = [
                threading.Thread(target=ask, args=((host, int(port)), request, wall + a.seconds, counts)) for _ in range(a.connections)
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            wall, used = time.monotonic() - wall, cpu(server.pid) - used
            print(f"{name:26} {sum(counts) / wall:7.0f} a second, {sum(counts) / used:7.0f} a second of the server's CPU")
    finally:
        server.terminate()
        server.wait()


if __name__ == "__main__":
    main()
