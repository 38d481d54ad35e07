"""What one account holds: the versions of every entity, what Get and List see of them, and when."""

from __future__ import annotations

import bisect
import heapq
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

Body = dict[str, Any]
Place = tuple[Any, str]  # a sort key and the id that breaks its ties


def dumps(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


@dataclass(frozen=True)
class Entity:
    """A kind of record: its keys for sorting and filtering, and what a List tells of it."""

    name: str
    keys: Callable[[Body], dict[str, Any]]
    summary: Callable[[Body], Body]


class Version:
    """One state of a record, from the instant it became visible; a deletion is a version without a body."""

    __slots__ = ("entity", "catalog", "id", "number", "body", "keys", "since", "until", "listed_since", "got", "shown", "_summary")

    def __init__(
        self,
        entity: Entity,
        catalog: str,
        identifier: str,
        number: int,
        body: bytes | None,
        keys: dict[str, Any],
        since: int,
        listed_since: int,
    ):
        self.entity, self.catalog, self.id, self.number = entity, catalog, identifier, number
        self.body, self.keys, self.since, self.listed_since = body, keys, since, listed_since
        self.until: int | None = None
        self.got = self.shown = 0  # how often a Get and a List answered with it
        self._summary: bytes | None = None

    def load(self) -> Body:
        body: Body = json.loads(self.body or b"null")
        return body

    def summary(self) -> bytes:
        if self._summary is None:
            self._summary = dumps(self.entity.summary(self.load()))
        return self._summary


class Journal(Protocol):
    """Where changes are kept over a restart."""

    def write(self, store: "Store", version: Version) -> None: ...

    def token(self, account: str, token: str, made: tuple[str, str]) -> None: ...


class Store:
    """The records of one account. Get sees a change at once; List sees it when its lag is over."""

    def __init__(self, account: str, entities: list[Entity]):
        self.account = account
        self.entities = {entity.name: entity for entity in entities}
        self.journal: Journal | None = None
        self.history: list[Version] = []
        self._current: dict[str, dict[tuple[str, str], Version]] = {e: {} for e in self.entities}
        self._listed: dict[str, dict[tuple[str, str], Version]] = {e: {} for e in self.entities}
        self._last: dict[tuple[str, str, str], Version] = {}
        self._indexes: dict[tuple[str, str, str], list[Place]] = {}
        self._shown: dict[tuple[str, str, str], int] = {}  # the newest version that the lists have known
        self._pending: list[tuple[int, int, Version]] = []

    def put(self, entity: str, catalog: str, identifier: str, body: Body, at: int, lag: int = 0, number: int | None = None) -> Version:
        kind = self.entities[entity]
        return self._add(kind, catalog, identifier, number, dumps(body), kind.keys(body), at, lag)

    def remove(self, entity: str, catalog: str, identifier: str, at: int, lag: int = 0) -> Version:
        return self._add(self.entities[entity], catalog, identifier, None, None, {}, at, lag)

    def _add(
        self, kind: Entity, catalog: str, identifier: str, number: int | None, body: bytes | None, keys: dict[str, Any], at: int, lag: int
    ) -> Version:
        last = self._last.get((kind.name, catalog, identifier))
        version = Version(kind, catalog, identifier, number or (last.number + 1 if last else 1), body, keys, at, at + lag)
        self.take(version)
        if self.journal is not None:
            self.journal.write(self, version)
        return version

    def restore(self, entity: str, catalog: str, identifier: str, number: int, body: Body | None, since: int, listed_since: int) -> None:
        """A version of an earlier process."""
        kind = self.entities[entity]
        keys = kind.keys(body) if body is not None else {}
        self.take(Version(kind, catalog, identifier, number, dumps(body) if body is not None else None, keys, since, listed_since))

    def take(self, version: Version) -> None:
        """A version into what Get sees, and into what List sees when it is time."""
        name, key = version.entity.name, (version.catalog, version.id)
        last = self._last.get((name, *key))
        if last is not None:
            last.until = version.since
        self._last[(name, *key)] = version
        self.history.append(version)
        if version.body is None:
            self._current[name].pop(key, None)
        else:
            self._current[name][key] = version
        heapq.heappush(self._pending, (version.listed_since, len(self.history), version))

    def settle(self, now: int) -> None:
        """Brings into the lists what has become visible there by now."""
        while self._pending and self._pending[0][0] <= now:
            version = heapq.heappop(self._pending)[2]
            name, key = version.entity.name, (version.catalog, version.id)
            old = self._listed[name].get(key)
            if self._shown.get((name, *key), 0) > version.number:
                continue  # a later version, or the end of the record, was faster into the list
            self._shown[(name, *key)] = version.number
            for (entity, catalog, sort), index in self._indexes.items():
                if entity == name and catalog == version.catalog:
                    if old is not None:
                        del index[bisect.bisect_left(index, (old.keys[sort], old.id))]
                    if version.body is not None:
                        bisect.insort(index, (version.keys[sort], version.id))
            if version.body is None:
                self._listed[name].pop(key, None)
            else:
                self._listed[name][key] = version

    def get(self, entity: str, catalog: str, identifier: str) -> Version | None:
        return self._current[entity].get((catalog, identifier))

    def listed(self, entity: str, catalog: str, identifier: str) -> Version | None:
        return self._listed[entity].get((catalog, identifier))

    def index(self, entity: str, catalog: str, sort: str) -> list[Place]:
        """The ids of a catalog in the order of a key; made at its first use and kept from then on."""
        name = (entity, catalog, sort)
        if name not in self._indexes:
            listed = self._listed[entity].values()
            self._indexes[name] = sorted((v.keys[sort], v.id) for v in listed if v.catalog == catalog)
        return self._indexes[name]

    def begin(self, now: int, journal: Journal | None) -> None:
        """The end of the first filling: what is there becomes visible now, and nothing that came before ever was."""
        self.history = [version for version in self.history if version.until is None and version.body is not None]
        for version in self.history:
            version.since = version.listed_since = now
        self.journal = journal
        if journal is not None:
            for version in self.history:
                journal.write(self, version)

    def all(self, entity: str) -> Iterator[Version]:
        """What Get sees, in the order of catalog and id: the truth."""
        current = self._current[entity]
        return (current[key] for key in sorted(current))

    def values(self, entity: str) -> list[Version]:
        """What Get sees, in the order in which the records came."""
        return list(self._current[entity].values())

    def count(self, entity: str) -> int:
        return len(self._current[entity])

    def last(self, entity: str, catalog: str, identifier: str) -> Version | None:
        """The newest version, a deletion too."""
        return self._last.get((entity, catalog, identifier))
