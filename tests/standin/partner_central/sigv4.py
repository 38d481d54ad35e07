"""Signature Version 4 as the service checks it: the signature is made again with botocore's signer and compared."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Any

from botocore.auth import SigV4Auth
from botocore.compat import HTTPHeaders
from botocore.credentials import Credentials as SigningKey

from . import errors
from .credentials import Credentials, Key
from .timestamps import NS, parse

SKEW = 5 * 60 * NS
_AUTHORIZATION = re.compile(r"AWS4-HMAC-SHA256 Credential=([^,]+),\s*SignedHeaders=([^,]+),\s*Signature=([0-9a-f]+)")


@dataclass
class Signed:
    """The parts of a request that its signature covers, under the names that botocore's signer reads."""

    method: str
    url: str
    headers: HTTPHeaders
    body: bytes
    context: dict[str, Any]
    params: None = None


class Verifier(SigV4Auth):  # type: ignore[misc]
    """botocore's signer over exactly the headers that the client says it signed."""

    def headers_to_sign(self, request: Signed) -> HTTPHeaders:
        return request.headers


def verify(
    known: Credentials, service: str, region: str | None, method: str, path: str, headers: dict[str, str], body: bytes, wall: int, now: int
) -> Key:
    """The key that a request was signed with, or the error that the service gives."""
    said = headers.get("authorization")
    if not said:
        raise errors.missing_signature()
    found = _AUTHORIZATION.fullmatch(said.strip())
    if not found:
        raise errors.incomplete_signature(
            f"Authorization header requires 'Credential', 'SignedHeaders' and 'Signature' parameters. Authorization={said[:60]}"
        )
    scope, signed_names, signature = found.groups()
    parts = scope.split("/")
    if len(parts) != 5 or parts[4] != "aws4_request":
        raise errors.incomplete_signature("Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term")
    access_key, day, said_region, said_service, _ = parts
    key = known.keys.get(access_key)
    token = headers.get("x-amz-security-token")
    if key is None or key.token != token:
        raise errors.unknown_key()
    if said_service != service or (region is not None and said_region != region):
        raise errors.bad_signature(f"Credential should be scoped to a valid region and to the correct service: '{service}'.")
    stamp = headers.get("x-amz-date", "")
    _check_date(stamp, day, wall)
    names = signed_names.split(";")
    required = {"host", "x-amz-date"} | ({"x-amz-target"} if "x-amz-target" in headers else set())
    if not required <= set(names) or any(name not in headers for name in names):
        raise errors.bad_signature()
    if _signature(key, said_region, service, method, path, {n: headers[n] for n in names}, body, stamp) != signature:
        raise errors.bad_signature()
    hashed = headers.get("x-amz-content-sha256")
    if hashed not in (None, "UNSIGNED-PAYLOAD", hashlib.sha256(body).hexdigest()):
        raise errors.bad_signature()
    if key.expires is not None and key.expires <= now:
        raise errors.expired_token()
    return key


def _signature(key: Key, region: str, service: str, method: str, path: str, signed: dict[str, str], body: bytes, stamp: str) -> str:
    headers = HTTPHeaders()
    for name, value in signed.items():
        headers[name] = value
    request = Signed(method, "http://" + signed["host"] + path, headers, body, {"timestamp": stamp})
    signer = Verifier(SigningKey(key.access_key, key.secret, key.token), service, region)
    return str(signer.signature(signer.string_to_sign(request, signer.canonical_request(request)), request))


def _check_date(stamp: str, day: str, wall: int) -> None:
    if not re.fullmatch(r"\d{8}T\d{6}Z", stamp):
        raise errors.incomplete_signature("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.")
    at = parse(f"{stamp[:4]}-{stamp[4:6]}-{stamp[6:8]}T{stamp[9:11]}:{stamp[11:13]}:{stamp[13:15]}Z")
    if stamp[:8] != day:
        raise errors.bad_signature("Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP.")
    if at < wall - SKEW:
        raise errors.bad_signature(f"Signature expired: {stamp} is now earlier than the time of the service less 5 min.")
    if at > wall + SKEW:
        raise errors.bad_signature(f"Signature not yet current: {stamp} is still later than the time of the service plus 5 min.")
