"""Starts the server and prints where it listens and with which keys, as one line of JSON."""

from __future__ import annotations

import asyncio
import json
import signal
import sys

from . import changes, wire
from .app import App
from .credentials import VENDOR
from .options import Options, parse
from .service import Service


async def serve(options: Options, service: Service) -> None:
    server = await wire.listen(App(service), options.host, options.port)
    host, port = server.sockets[0].getsockname()[:2]
    vendor = service.known.user(VENDOR)
    accounts = [
        {
            "account_id": account,
            "access_key_id": (key := service.known.user(account)).access_key,
            "secret_access_key": key.secret,
            "role_arn": role.arn,
            "external_id": role.external_id,
        }
        for account, role in zip(options.accounts, service.known.roles.values())
    ]
    print(
        json.dumps(
            {
                "address": f"http://{host}:{port}",
                "region": "us-east-1",
                "accounts": accounts,
                "vendor": {"account_id": VENDOR, "access_key_id": vendor.access_key, "secret_access_key": vendor.secret},
            }
        ),
        flush=True,
    )
    ended = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, ended.set)
    if options.changes_per_minute > 0:
        asyncio.get_running_loop().create_task(_change(service, 60 / options.changes_per_minute))
    await ended.wait()
    server.close()


async def _change(service: Service, seconds: float) -> None:
    """Records change by themselves."""
    while True:
        await asyncio.sleep(seconds)
        changes.advance(list(service.worlds.values()), 0, 1)


def main() -> None:
    try:
        options = parse()
        service = Service(options)
    except ValueError as fault:
        sys.exit(f"partner_central: {fault}")
    asyncio.run(serve(options, service))


if __name__ == "__main__":
    main()
