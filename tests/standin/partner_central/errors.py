"""The errors that the service and the layer before it answer with, and their bodies on the wire."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any


@dataclass
class ServiceError(Exception):
    """An error of the API: its type, HTTP status and members."""

    type: str
    message: str
    status: int = 400
    # Errors of the layer before the service have a namespace and write `message` small; modelled ones do neither.
    namespace: str | None = None
    members: dict[str, Any] = field(default_factory=dict)

    def body(self) -> bytes:
        name = f"{self.namespace}#{self.type}" if self.namespace else self.type
        key = "message" if self.namespace else "Message"
        return json.dumps({"__type": name, key: self.message, **self.members}).encode()


@dataclass
class FieldFault:
    """One entry of a ValidationException's ErrorList."""

    field: str
    message: str
    code: str

    def wire(self) -> dict[str, str]:
        return {"FieldName": self.field, "Message": self.message, "Code": self.code}


CORAL = "com.amazon.coral.service"


def validation(faults: list[FieldFault], reason: str = "REQUEST_VALIDATION_FAILED") -> ServiceError:
    said = "; ".join(f"{f.field}: {f.message}" for f in faults)
    members = {"Reason": reason, "ErrorList": [f.wire() for f in faults]}
    return ServiceError("ValidationException", f"{len(faults)} validation error(s) detected: {said}", members=members)


def invalid(name: str, message: str, code: str = "INVALID_VALUE") -> ServiceError:
    return validation([FieldFault(name, message, code)])


def business(name: str, message: str, code: str = "ACTION_NOT_PERMITTED") -> ServiceError:
    return validation([FieldFault(name, message, code)], "BUSINESS_VALIDATION_FAILED")


def not_found(what: str, identifier: str) -> ServiceError:
    return ServiceError("ResourceNotFoundException", f"{what} with identifier {identifier} was not found.")


def conflict(message: str) -> ServiceError:
    return ServiceError("ConflictException", message)


def denied(message: str) -> ServiceError:
    return ServiceError("AccessDeniedException", message)


def throttled() -> ServiceError:
    return ServiceError("ThrottlingException", "Rate exceeded", namespace="com.amazon.coral.availability")


def internal() -> ServiceError:
    return ServiceError("InternalServerException", "An internal server error occurred. Retry your request.", 500)


def expired_token() -> ServiceError:
    return ServiceError("ExpiredTokenException", "The security token included in the request is expired", namespace=CORAL)


def unknown_key() -> ServiceError:
    return ServiceError("UnrecognizedClientException", "The security token included in the request is invalid.", namespace=CORAL)


def missing_signature() -> ServiceError:
    return ServiceError("MissingAuthenticationTokenException", "Missing Authentication Token", namespace=CORAL)


def incomplete_signature(message: str) -> ServiceError:
    return ServiceError("IncompleteSignatureException", message, namespace=CORAL)


def bad_signature(message: str | None = None) -> ServiceError:
    said = message or (
        "The request signature we calculated does not match the signature you provided. "
        "Check your AWS Secret Access Key and signing method. Consult the service documentation for details."
    )
    return ServiceError("InvalidSignatureException", said, namespace=CORAL)


def unknown_operation() -> ServiceError:
    return ServiceError("UnknownOperationException", "", namespace=CORAL)


def serialization(message: str) -> ServiceError:
    return ServiceError("SerializationException", message, namespace=CORAL)
