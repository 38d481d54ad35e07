"""Instants as the service writes them: ISO 8601 text in UTC, held here as integer nanoseconds since 1970."""

from __future__ import annotations

import re
from datetime import date, datetime, timezone

NS = 1_000_000_000
_ISO = re.compile(r"(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9})\d*)?(?:([Zz])|([+-])(\d\d):?(\d\d))")


def parse(text: str) -> int:
    """Nanoseconds of an ISO 8601 instant; ValueError where it is none."""
    found = _ISO.fullmatch(text)
    if not found:
        raise ValueError(f"no ISO 8601 instant: {text}")
    year, month, day, hour, minute, second, fraction, _, sign, off_hours, off_minutes = found.groups()
    at = datetime(int(year), int(month), int(day), int(hour), int(minute), int(second), tzinfo=timezone.utc)
    seconds = int((at - datetime(1970, 1, 1, tzinfo=timezone.utc)).total_seconds())
    if sign:
        shift = int(off_hours) * 3600 + int(off_minutes) * 60
        seconds += -shift if sign == "+" else shift
    return seconds * NS + (int(fraction.ljust(9, "0")) if fraction else 0)


def _base(ns: int) -> str:
    return datetime.fromtimestamp(ns // NS, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S")


def seconds(ns: int) -> str:
    """CreatedDate of an opportunity: whole seconds."""
    return _base(ns) + "Z"


def millis(ns: int) -> str:
    """LastModifiedDate of an opportunity: up to milliseconds, and no fraction where it is zero."""
    fraction = ns % NS // 1_000_000
    return f"{_base(ns)}.{fraction:03d}Z" if fraction else _base(ns) + "Z"


def nanos(ns: int) -> str:
    """Engagements and invitations: up to nanoseconds, trailing zeros cut ("16:34:26.04932597Z")."""
    fraction = f"{ns % NS:09d}".rstrip("0")
    return f"{_base(ns)}.{fraction}Z" if fraction else _base(ns) + "Z"


def hundredths(text: str | None) -> str | None:
    """What ListEngagements makes of an instant that GetEngagement gives in nanoseconds ("16:34:26.04Z")."""
    if not text or "." not in text:
        return text
    whole, fraction = text.rstrip("Z").split(".", 1)
    fraction = fraction[:2].rstrip("0")
    return f"{whole}.{fraction}Z" if fraction else whole + "Z"


def day(ns: int) -> str:
    return date.fromtimestamp(ns // NS).isoformat() if ns < 0 else _base(ns)[:10]
