"""The state directory: versions, sessions and the time in one file, in order, read again at the next start."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .store import Store, Version

if TYPE_CHECKING:
    from .service import Service


class Journal:
    """Lines of JSON; a last line cut short by a kill is left out and written over."""

    def __init__(self, folder: Path):
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / "journal.ndjson"
        self._replaying = False
        self._bulk = True
        self._file = self._path.open("ab")

    def _line(self, value: dict[str, Any]) -> None:
        if not self._replaying:
            self._file.write(json.dumps(value, separators=(",", ":")).encode() + b"\n")
            if not self._bulk:
                self._file.flush()

    def filled(self, service: "Service") -> None:
        """The end of the first filling: from now on each line is on its own."""
        self._line({"kind": "made", **_made(service)})
        self._bulk = False
        self._line({"kind": "ready"})
        self._file.flush()

    def write(self, store: Store, version: Version) -> None:
        self._line(
            {
                "kind": "version",
                "account": store.account,
                "entity": version.entity.name,
                "catalog": version.catalog,
                "id": version.id,
                "number": version.number,
                "since": version.since,
                "listed_since": version.listed_since,
                "body": None if version.body is None else version.load(),
            }
        )

    def session(self, role_arn: str, session: str, expires: int) -> None:
        self._line({"kind": "session", "role": role_arn, "session": session, "expires": expires})

    def clock(self, now: int) -> None:
        self._line({"kind": "clock", "now": now})

    def token(self, account: str, token: str, made: tuple[str, str]) -> None:
        self._line({"kind": "token", "account": account, "token": token, "made": made})

    def replay(self, service: "Service") -> bool:
        """Takes up what an earlier process left; false where there is nothing whole."""
        kept, whole, newest = [], 0, 0
        with self._path.open("rb") as file:
            for raw in file:
                if not raw.endswith(b"\n"):
                    break
                kept.append(json.loads(raw))
                whole += len(raw)
        if not any(line["kind"] == "ready" for line in kept):
            self._file.truncate(0)
            return False
        self._file.truncate(whole)
        self._bulk, self._replaying = False, True
        if _made(service) not in [{k: v for k, v in line.items() if k != "kind"} for line in kept if line["kind"] == "made"]:
            raise ValueError(f"{self._path} was made with another seed or other accounts")
        for line in kept:
            kind = line["kind"]
            if kind == "session":
                service.known.restore(line["role"], line["session"], line["expires"])
            elif kind == "token":
                catalog, identifier = line["made"]
                service.worlds[line["account"]].tokens[line["token"]] = (catalog, identifier)
            elif kind == "version":
                store = service.worlds[line["account"]].store
                store.restore(
                    line["entity"], line["catalog"], line["id"], line["number"], line["body"], line["since"], line["listed_since"]
                )
            newest = max(newest, line.get("since", 0), line.get("now", 0))
        self._replaying = False
        service.clock.reach(newest)
        return True


def _made(service: "Service") -> dict[str, Any]:
    """What keys and sessions follow from, so it must be the same at each start."""
    return {"seed": service.options.seed, "accounts": list(service.options.accounts), "external_id": service.options.external_id}
