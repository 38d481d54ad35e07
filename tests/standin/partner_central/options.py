"""The flags of the program."""

from __future__ import annotations

import argparse
from dataclasses import dataclass, field
from pathlib import Path

from . import timestamps
from .meter import Limits
from .oddities import ODDITIES, Oddities


@dataclass
class Options:
    """How a server is to be; the defaults are what the flags default to."""

    state: Path | None = None
    host: str = "127.0.0.1"
    port: int = 0
    seed: int = 1
    accounts: dict[str, int] = field(default_factory=lambda: {"111111111111": 0})  # account -> opportunities generated
    external_id: str = "lakewright-external-id"
    load: Path | None = None
    recorded: Path | None = None
    oddities: list[str] = field(default_factory=list)
    limits: Limits = field(default_factory=Limits)
    changes_per_minute: float = 0.0
    frozen: bool = False
    now: int | None = None


def _accounts(given: list[str], generate: int) -> dict[str, int]:
    accounts = {}
    for each in given:
        account, _, size = each.partition("=")
        if len(account) != 12 or not account.isdigit():
            raise ValueError(f"an account has 12 digits, unlike {account}")
        accounts[account] = int(size) if size else generate
    return accounts


def parse(argv: list[str] | None = None) -> Options:
    ap = argparse.ArgumentParser(
        prog="partner_central",
        description="A stand-in server of the AWS Partner Central Selling API.",
        epilog="Oddities: " + "; ".join(f"{n} ({'on' if on else 'off'}): {what}" for n, (on, what) in ODDITIES.items()),
    )
    add = ap.add_argument
    add("--host", default="127.0.0.1")
    add("--port", type=int, default=0, help="0 takes a free one; the address is printed as JSON")
    add("--state", type=Path, help="a directory that keeps every change over a restart; without it all is in memory")
    add("--seed", type=int, default=1)
    add(
        "--account",
        action="append",
        metavar="ID[=N]",
        help="an AWS account, repeatable; each has records (N instead of --generate's) and quotas of its own (default 111111111111)",
    )
    add("--external-id", default="lakewright-external-id", help="what sts:AssumeRole must be called with")
    add(
        "--generate",
        type=int,
        default=0,
        metavar="N",
        help="N opportunities of the API's own forms in each account, with all that belongs to them",
    )
    add("--load", type=Path, metavar="FILE", help="NDJSON of gen_opportunities.py into the first account")
    add("--recorded", type=Path, metavar="DIR", help="the recorded bodies of tests/fixtures into the first account, unchanged")
    add("--oddity", action="append", default=[], metavar="NAME=on|off", help="repeatable; all=off switches all of them off")
    add("--reads-per-second", type=float, default=10, help="per account; 0 is no limit")
    add("--reads-per-day", type=int, default=100_000, help="per account in rolling 24 hours; 0 is no limit")
    add("--writes-per-second", type=float, default=1)
    add("--writes-per-day", type=int, default=10_000)
    add(
        "--quota-per-operation",
        action="store_true",
        help="each operation has its own budget (default: the reads share one, the writes another)",
    )
    add("--changes-per-minute", type=float, default=0, help="records change by themselves, in each account")
    add("--frozen", action="store_true", help="the service's time moves by POST /_standin/advance alone")
    add("--now", help="the service's time at the start, ISO 8601 (default: the machine's)")
    a = ap.parse_args(argv)
    Oddities(a.oddity)  # refuses a wrong name before anything is made
    limits = Limits(a.reads_per_second, a.reads_per_day, a.writes_per_second, a.writes_per_day, not a.quota_per_operation)
    return Options(
        state=a.state,
        host=a.host,
        port=a.port,
        seed=a.seed,
        accounts=_accounts(a.account or ["111111111111"], a.generate),
        external_id=a.external_id,
        load=a.load,
        recorded=a.recorded,
        oddities=a.oddity,
        limits=limits,
        changes_per_minute=a.changes_per_minute,
        frozen=a.frozen,
        now=timestamps.parse(a.now) if a.now else None,
    )
