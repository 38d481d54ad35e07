"""What every List has in common: catalog, page size, token, order, and the oddities of paging."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

from . import paging
from .store import Body, dumps
from .world import World

DEFAULT_PAGE = 20
_EMPTY = "empty"  # marks a token that an empty page gave out


def answer_list(
    world: World,
    operation: str,
    request: Body,
    entity: str,
    member: str,
    sort: Body,
    accept: Callable[[dict[str, Any]], bool],
    low: Any = None,
    high: Any = None,
) -> bytes:
    odd, now, catalog = world.odd, world.clock.now(), request["Catalog"]
    world.store.settle(now)
    index = world.store.index(entity, catalog, sort["SortBy"])
    after = world.pager.read(operation, request, now)
    limit = request.get("MaxResults") or DEFAULT_PAGE
    if odd["short-pages"]:
        turn = hashlib.sha256(repr(after).encode()).digest()[0]
        if after is not None and after[-1] != _EMPTY and turn % 7 == 0:
            return _page(world, operation, request, member, [], [*after, _EMPTY], now)
        limit = max(1, limit - turn % 3)
    listed = world.store.listed
    repeated = None
    if odd["duplicate-items"] and after is not None and limit > 1 and not odd["offset-paging"]:
        repeated = listed(entity, catalog, after[1])
        limit -= repeated is not None

    def wanted(identifier: str) -> bool:
        version = listed(entity, catalog, identifier)
        return version is not None and accept(version.keys)

    read = paging.by_offset if odd["offset-paging"] else paging.by_key
    ids, end = read(index, after, sort["SortOrder"] == "DESCENDING", limit, wanted, low, high)
    found = [version for i in ids if (version := listed(entity, catalog, i)) is not None]
    if end is None and odd["trailing-token"] and len(found) == limit and not odd["offset-paging"]:
        end = [found[-1].keys[sort["SortBy"]], found[-1].id]
    sent = ([repeated] if repeated else []) + found
    for version in sent:
        version.shown += 1
    items = [version.summary() for version in sent]
    return _page(world, operation, request, member, items, end, now)


def _page(world: World, operation: str, request: Body, member: str, items: list[bytes], end: list[Any] | None, now: int) -> bytes:
    token = world.pager.write(operation, request, end, now) if end is not None else None
    head = b'{"' + member.encode() + b'":[' + b",".join(items) + b"]"
    if token is not None or world.odd["explicit-nulls"]:
        head += b',"NextToken":' + dumps(token)
    return head + b"}"
