"""The truth and the history of records as NDJSON, for the oracles of tests."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

from . import timestamps
from .store import Version
from .world import World


def truth(worlds: list[World], asked: Mapping[str, Any]) -> Iterator[bytes]:
    """Every record that Get would answer with now; `entity`, `catalog` choose, `body=0` leaves the bodies out."""
    chosen = [
        (world, version)
        for world in worlds
        for entity in world.store.entities
        if asked.get("entity") in (None, entity)
        for version in world.store.all(entity)
        if asked.get("catalog") in (None, version.catalog)
    ]
    return (_line(world, version, asked, {}) for world, version in chosen)


def history(worlds: list[World], asked: Mapping[str, Any]) -> Iterator[bytes]:
    """Every version that a client could ever have seen, in the order in which they came, with how often it was sent.

    `body=1` adds the bodies."""
    asked = {"body": "0", **asked}
    chosen = [
        (world, version, version.until, version.got, version.shown)
        for world in worlds
        for version in world.store.history
        if asked.get("entity") in (None, version.entity.name) and asked.get("catalog") in (None, version.catalog)
    ]
    return (_line(world, version, asked, _seen(version, until, got, shown)) for world, version, until, got, shown in chosen)


def _seen(version: Version, until: int | None, got: int, shown: int) -> dict[str, Any]:
    return {
        "Deleted": version.body is None,
        "VisibleFrom": timestamps.nanos(version.since),
        "ListedFrom": timestamps.nanos(version.listed_since),
        "VisibleUntil": None if until is None else timestamps.nanos(until),
        "Got": got,
        "Listed": shown,
    }


def _line(world: World, version: Version, asked: Mapping[str, Any], further: dict[str, Any]) -> bytes:
    body = version.load()
    told: dict[str, Any] = {
        "Account": world.account,
        "Entity": version.entity.name,
        "Catalog": version.catalog,
        "Id": version.id,
        "Version": version.number,
    }
    if body is not None:
        told["LastModifiedDate"] = body.get("LastModifiedDate") or body.get("ModifiedAt")
        told["Sha256"] = hashlib.sha256(version.body or b"").hexdigest()
        if version.entity.name == "opportunity":
            told["Stage"], told["Amount"] = (body.get("LifeCycle") or {}).get("Stage"), _aws_amount(body)
    told.update(further)
    if str(asked.get("body", "1")) != "0":
        told["Body"] = body
    return json.dumps(told, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"


def _aws_amount(body: dict[str, Any]) -> str | None:
    entries = (body.get("Project") or {}).get("ExpectedCustomerSpend") or []
    return next((entry.get("Amount") for entry in entries if entry["TargetCompany"] == "AWS"), None)
