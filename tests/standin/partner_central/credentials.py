"""Accounts, their keys and roles, and the sessions that AssumeRole gives out."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass

# The account that a role of a partner trusts: the one that runs the ingestion.
VENDOR = "999999999999"


@dataclass
class Key:
    """A key pair that requests may be signed with; a session's has a token and an end."""

    access_key: str
    secret: str
    account: str
    arn: str
    user_id: str
    token: str | None = None
    expires: int | None = None


@dataclass
class Role:
    """A role of a partner's account that the vendor may assume with the right external id."""

    arn: str
    name: str
    account: str
    external_id: str


class Credentials:
    """Every key known; all of it follows from the seed, so that a restart knows what was given out before."""

    def __init__(self, seed: int, accounts: list[str], external_id: str):
        self._seed = seed
        self._issued = 0
        self.keys: dict[str, Key] = {}
        self.roles: dict[str, Role] = {}
        self.accounts = accounts
        for account in [*accounts, VENDOR]:
            user = f"arn:aws:iam::{account}:user/standin"
            self._add(Key(self._text("AKIA", account, 16), self._secret("user", account), account, user, self._text("AIDA", account, 17)))
        for account in accounts:
            role = Role(f"arn:aws:iam::{account}:role/LakewrightIngest", "LakewrightIngest", account, external_id)
            self.roles[role.arn] = role

    def _digest(self, *parts: object) -> bytes:
        return hashlib.sha512(repr((self._seed, *parts)).encode()).digest()

    def _text(self, prefix: str, name: object, length: int) -> str:
        return prefix + base64.b32encode(self._digest(prefix, name)).decode()[:length]

    def _secret(self, *parts: object) -> str:
        return base64.b64encode(self._digest("secret", *parts)).decode()[:40]

    def _add(self, key: Key) -> Key:
        self.keys[key.access_key] = key
        return key

    def user(self, account: str) -> Key:
        return self.keys[self._text("AKIA", account, 16)]

    def assume(self, role: Role, session: str, expires: int) -> Key:
        self._issued += 1
        n = self._issued
        token = "IQoJb3JpZ2luX2VjE" + base64.b64encode(self._digest("token", n) * 4).decode().rstrip("=")
        return self._add(
            Key(
                self._text("ASIA", n, 16),
                self._secret("session", n),
                role.account,
                f"arn:aws:sts::{role.account}:assumed-role/{role.name}/{session}",
                f"{self._text('AROA', role.arn, 17)}:{session}",
                token,
                expires,
            )
        )

    def restore(self, role_arn: str, session: str, expires: int) -> None:
        """A session of an earlier process: the same number gives the same keys."""
        self.assume(self.roles[role_arn], session, expires)

    def expire_all(self, now: int) -> int:
        """Ends every session that still holds; how many."""
        ended = [key for key in self.keys.values() if key.expires is not None and key.expires > now]
        for key in ended:
            key.expires = now
        return len(ended)
