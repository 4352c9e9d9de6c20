"""Failures a worker waits out, each with what happened, the likely cause and the next step."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    HTTPClientError,
    NoCredentialsError,
    PartialCredentialsError,
)
from botocore.exceptions import ConnectionError as NoConnectionError
from botocore.parsers import ResponseParserError


class ResourceMissingError(Exception):
    """An AWS resource which the worker needs is not there (or not yet usable)."""

    def __init__(self, kind: str, name: str, region: str, state: str = "does not exist") -> None:
        super().__init__(f"{kind} {name!r} {state} in {region}")


class NothingDoneError(Exception):
    """AWS took the call but none of its entries went through."""


# What a worker waits out. Anything else is a bug, and ends it.
PROBLEMS: tuple[type[Exception], ...] = (
    BotoCoreError,
    ClientError,
    ResponseParserError,
    ResourceMissingError,
    NothingDoneError,
)

MISSING = (
    "it was not made yet, or it has another name, region or account",
    "look at the resource in Crossplane (kubectl get managed) and compare its name with this worker's settings",
)
CREDENTIALS = (
    "the credentials are missing, wrong or expired",
    "check the Secret with AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or the service account's role",
)
DENIED = ("the worker's role may not do this", "add the action to the role's policy")
THROTTLED = ("more is asked of the service than it gives", "wait, or raise the limit or the table's capacity")
OTHER = ("see the error above", "check the service's own log if it does not go away")
UNREACHABLE_EMULATOR = (
    "the emulator is not up yet, its name is wrong, or a NetworkPolicy forbids the way",
    "open the endpoint's /_localstack/health from a pod in this namespace; check CLOUD_AWS_DEFAULTS_ENDPOINT",
)
UNREACHABLE_AWS = (
    "there is no way out to AWS (DNS, route, NetworkPolicy), or no such service in the region",
    "check AWS_REGION and egress on TCP 443; set CLOUD_AWS_DEFAULTS_ENDPOINT if an emulator was meant",
)

CODES = {
    **dict.fromkeys(
        (
            "ResourceNotFoundException",
            "NotFound",
            "NotFoundException",
            "QueueDoesNotExist",
            "AWS.SimpleQueueService.NonExistentQueue",
        ),
        MISSING,
    ),
    **dict.fromkeys(
        (
            "ExpiredToken",
            "ExpiredTokenException",
            "IncompleteSignature",
            "InvalidClientTokenId",
            "InvalidSignatureException",
            "SignatureDoesNotMatch",
            "UnrecognizedClientException",
        ),
        CREDENTIALS,
    ),
    **dict.fromkeys(("AccessDenied", "AccessDeniedException", "AuthorizationError"), DENIED),
    **dict.fromkeys(
        ("ProvisionedThroughputExceededException", "RequestLimitExceeded", "Throttling", "ThrottlingException"),
        THROTTLED,
    ),
}


@dataclass(frozen=True, slots=True)
class Problem:
    """A failure as an operator wants to read it."""

    what: str
    cause: str
    next_step: str

    def fields(self) -> dict[str, str]:
        """Give the problem as fields of a log line."""
        return asdict(self)


def explain(error: BaseException, endpoint: str) -> Problem:
    """Explain a failure. `endpoint` is the one the clients were given, empty for real AWS."""
    cause, next_step = _cause(error, endpoint)
    return Problem(" ".join(str(error).split()), cause, next_step)


def code_of(error: ClientError) -> str:
    """Give AWS's code of the error, empty where the answer had none."""
    return error.response.get("Error", {}).get("Code", "")


def cause_of(error: ClientError) -> tuple[str, str]:
    """Give the likely cause and the next step of an error that AWS answered with, MISSING for one of them."""
    return CODES.get(code_of(error), OTHER)


def _cause(error: BaseException, endpoint: str) -> tuple[str, str]:
    if isinstance(error, ClientError):
        return cause_of(error)
    if isinstance(error, ResourceMissingError):
        return MISSING
    if isinstance(error, NoCredentialsError | PartialCredentialsError):
        return CREDENTIALS
    if isinstance(error, NoConnectionError | HTTPClientError | ResponseParserError):
        return UNREACHABLE_EMULATOR if endpoint else UNREACHABLE_AWS
    return OTHER
