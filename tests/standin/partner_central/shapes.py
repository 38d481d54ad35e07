"""Shapes of botocore's service models compiled to functions that find every fault of a value."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from botocore import session
from botocore.model import OperationModel, ServiceModel, Shape

from . import timestamps
from .errors import FieldFault

Check = Callable[[Any, str, list[FieldFault]], None]


class Shapes:
    """The checks of one service; `nulls` tells whether null stands for an absent member, as it does in JSON."""

    def __init__(self, service: str):
        self.model: ServiceModel = session.get_session().get_service_model(service)
        self.operations: frozenset[str] = frozenset(self.model.operation_names)
        self._checks: dict[str, Check] = {}

    def operation(self, name: str) -> OperationModel:
        return self.model.operation_model(name)

    def faults_of_input(self, operation: str, value: Any) -> list[FieldFault]:
        return self._faults(self.operation(operation).input_shape, value)

    def faults_of_output(self, operation: str, value: Any) -> list[FieldFault]:
        return self._faults(self.operation(operation).output_shape, value)

    def _faults(self, shape: Shape, value: Any) -> list[FieldFault]:
        found: list[FieldFault] = []
        self.check(shape)(value, "", found)
        return found

    def check(self, shape: Shape) -> Check:
        known = self._checks.get(shape.name)
        if known is None:
            # Shapes may hold themselves, so the name is taken before the members are compiled.
            self._checks[shape.name] = lambda value, path, found: self._checks[shape.name](value, path, found)
            known = self._checks[shape.name] = self._compile(shape)
        return known

    def _compile(self, shape: Shape) -> Check:
        make = {
            "structure": self._structure,
            "list": self._list,
            "map": self._map,
            "string": _string,
            "integer": _number,
            "long": _number,
            "boolean": _boolean,
            "timestamp": _timestamp,
        }
        return make[shape.type_name](shape)

    def _structure(self, shape: Shape) -> Check:
        members = {name: self.check(member) for name, member in shape.members.items()}
        required, union = tuple(shape.required_members), bool(getattr(shape, "is_tagged_union", False))

        def check(value: Any, path: str, found: list[FieldFault]) -> None:
            if not isinstance(value, dict):
                return wrong_type(value, "an object", path, found)
            prefix = path + "." if path else ""
            for name in required:
                if value.get(name) is None:
                    found.append(FieldFault(prefix + name, "is required", "REQUIRED_FIELD_MISSING"))
            for name, part in value.items():
                member = members.get(name)
                if member is None:
                    found.append(FieldFault(prefix + name, "is no member of this structure", "INVALID_VALUE"))
                elif part is not None:
                    member(part, prefix + name, found)
            if union and sum(part is not None for part in value.values()) != 1:
                found.append(FieldFault(path, "must have exactly one member set", "INVALID_VALUE"))

        return check

    def _list(self, shape: Shape) -> Check:
        member, limits = self.check(shape.member), _limits(shape)

        def check(value: Any, path: str, found: list[FieldFault]) -> None:
            if not isinstance(value, list):
                return wrong_type(value, "a list", path, found)
            _length(len(value), limits, path, found, "values")
            for i, part in enumerate(value):
                if part is None:
                    found.append(FieldFault(f"{path}[{i}]", "is null", "REQUIRED_FIELD_MISSING"))
                else:
                    member(part, f"{path}[{i}]", found)

        return check

    def _map(self, shape: Shape) -> Check:
        key, member, limits = self.check(shape.key), self.check(shape.value), _limits(shape)

        def check(value: Any, path: str, found: list[FieldFault]) -> None:
            if not isinstance(value, dict):
                return wrong_type(value, "an object", path, found)
            _length(len(value), limits, path, found, "values")
            for name, part in value.items():
                key(name, f"{path}.{name}", found)
                if part is not None:
                    member(part, f"{path}.{name}", found)

        return check


def wrong_type(value: Any, wanted: str, path: str, found: list[FieldFault]) -> None:
    found.append(FieldFault(path, f"must be {wanted}, is {type(value).__name__}", "INVALID_VALUE"))


def _limits(shape: Shape) -> tuple[int | None, int | None]:
    return shape.metadata.get("min"), shape.metadata.get("max")


def _length(size: int, limits: tuple[int | None, int | None], path: str, found: list[FieldFault], what: str) -> None:
    low, high = limits
    if low is not None and size < low:
        found.append(FieldFault(path, f"must have at least {low} {what}", "NOT_ENOUGH_VALUES"))
    if high is not None and size > high:
        found.append(FieldFault(path, f"must have at most {high} {what}", "TOO_MANY_VALUES"))


def _pattern(text: str | None) -> re.Pattern[str] | None:
    """Patterns are Java's: classes such as \\p{L}, which Python has not (in STS's tags alone), are not held to."""
    return None if text is None or "\\p{" in text else re.compile(text)


def _string(shape: Shape) -> Check:
    allowed = frozenset(getattr(shape, "enum", ()) or ())
    pattern = _pattern(shape.metadata.get("pattern"))
    low, high = _limits(shape)

    def check(value: Any, path: str, found: list[FieldFault]) -> None:
        if not isinstance(value, str):
            return wrong_type(value, "a string", path, found)
        if allowed and value not in allowed:
            found.append(FieldFault(path, f"must be one of {sorted(allowed)}", "INVALID_ENUM_VALUE"))
        if pattern is not None and not pattern.fullmatch(value):
            found.append(FieldFault(path, f"must match {pattern.pattern}", "INVALID_STRING_FORMAT"))
        if (low is not None and len(value) < low) or (high is not None and len(value) > high):
            found.append(FieldFault(path, f"must have {low} to {high} characters", "VALUE_OUT_OF_RANGE"))

    return check


def _number(shape: Shape) -> Check:
    low, high = _limits(shape)

    def check(value: Any, path: str, found: list[FieldFault]) -> None:
        if not isinstance(value, int) or isinstance(value, bool):
            return wrong_type(value, "an integer", path, found)
        if (low is not None and value < low) or (high is not None and value > high):
            found.append(FieldFault(path, f"must be from {low} to {high}", "VALUE_OUT_OF_RANGE"))

    return check


def _boolean(_: Shape) -> Check:
    def check(value: Any, path: str, found: list[FieldFault]) -> None:
        if not isinstance(value, bool):
            wrong_type(value, "a boolean", path, found)

    return check


def _timestamp(shape: Shape) -> Check:
    form = shape.serialization.get("timestampFormat")

    def check(value: Any, path: str, found: list[FieldFault]) -> None:
        if form != "iso8601" or not isinstance(value, str):
            return wrong_type(value, "an ISO 8601 instant as text", path, found)
        try:
            timestamps.parse(value)
        except ValueError as fault:
            found.append(FieldFault(path, str(fault), "INVALID_STRING_FORMAT"))

    return check
