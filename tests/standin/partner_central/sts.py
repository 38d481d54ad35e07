"""sts:GetCallerIdentity and sts:AssumeRole: the query protocol, with answers in XML."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

from . import timestamps
from .credentials import VENDOR, Credentials, Key
from .errors import FieldFault, ServiceError
from .shapes import Shapes
from .timestamps import NS

SPACE = "https://sts.amazonaws.com/doc/2011-06-15/"
# The names that the query protocol has for errors which JSON services name otherwise.
_NAMES = {
    "ExpiredTokenException": ("ExpiredToken", 403),
    "UnrecognizedClientException": ("InvalidClientTokenId", 403),
    "InvalidSignatureException": ("SignatureDoesNotMatch", 403),
    "MissingAuthenticationTokenException": ("MissingAuthenticationToken", 403),
    "IncompleteSignatureException": ("IncompleteSignature", 400),
    "ThrottlingException": ("Throttling", 400),
}


class Sts:
    """Answers for all accounts; a session given out is told to `issued`, which keeps it over a restart."""

    def __init__(self, known: Credentials, issued: Callable[[str, str, int], None]):
        self._known = known
        self._issued = issued
        self._shapes = Shapes("sts")

    def answer(self, key: Key, body: bytes, now: int, request_id: str) -> bytes:
        given = dict(parse_qsl(body.decode(), keep_blank_values=True))
        action, version = given.pop("Action", ""), given.pop("Version", "")
        if action not in ("GetCallerIdentity", "AssumeRole") or version != "2011-06-15":
            raise ServiceError("InvalidAction", f"Could not find operation {action} for version {version}")
        if action == "GetCallerIdentity":
            told = f"<UserId>{escape(key.user_id)}</UserId><Account>{key.account}</Account><Arn>{escape(key.arn)}</Arn>"
        else:
            told = self._assume(key, given, now)
        meta = f"<ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata>"
        return f'<{action}Response xmlns="{SPACE}"><{action}Result>{told}</{action}Result>{meta}</{action}Response>'.encode()

    def _assume(self, key: Key, given: dict[str, str], now: int) -> str:
        faults: list[FieldFault] = []
        request: dict[str, object] = {k: v for k, v in given.items() if "." not in k}
        if "DurationSeconds" in request:
            if not str(request["DurationSeconds"]).isdigit():
                raise ServiceError("ValidationError", "DurationSeconds must be an integer")
            request["DurationSeconds"] = int(str(request["DurationSeconds"]))
        faults = self._shapes.faults_of_input("AssumeRole", request)
        if faults:
            said = "; ".join(f"Value at '{f.field}' failed to satisfy constraint: {f.message}" for f in faults)
            raise ServiceError("ValidationError", f"{len(faults)} validation error detected: {said}")
        role = self._known.roles.get(given["RoleArn"])
        trusted = role is not None and key.account in (VENDOR, role.account)
        if role is None or not trusted or given.get("ExternalId") != role.external_id:
            raise ServiceError(
                "AccessDenied", f"User: {key.arn} is not authorized to perform: sts:AssumeRole on resource: {given['RoleArn']}", 403
            )
        expires = now // NS * NS + int(given.get("DurationSeconds") or 3600) * NS
        session = self._known.assume(role, given["RoleSessionName"], expires)
        self._issued(role.arn, given["RoleSessionName"], expires)
        return (
            f"<AssumedRoleUser><AssumedRoleId>{session.user_id}</AssumedRoleId><Arn>{escape(session.arn)}</Arn></AssumedRoleUser>"
            f"<Credentials><AccessKeyId>{session.access_key}</AccessKeyId><SecretAccessKey>{session.secret}</SecretAccessKey>"
            f"<SessionToken>{session.token}</SessionToken><Expiration>{timestamps.seconds(expires)}</Expiration></Credentials>"
        )


def error_body(fault: ServiceError, request_id: str) -> tuple[int, bytes]:
    code, status = _NAMES.get(fault.type, (fault.type, fault.status))
    kind = "Sender" if status < 500 else "Receiver"
    error = f"<Error><Type>{kind}</Type><Code>{code}</Code><Message>{escape(fault.message)}</Message></Error>"
    return status, f'<ErrorResponse xmlns="{SPACE}">{error}<RequestId>{request_id}</RequestId></ErrorResponse>'.encode()
