"""The environment's buckets and parameters in AWS. All calls block."""

from __future__ import annotations

import time
from base64 import b64decode, urlsafe_b64encode
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.config import Config
from botocore.exceptions import ClientError

from localcloud_events.aws import session
from localcloud_events.problems import code_of

if TYPE_CHECKING:
    from localcloud_auxiliary_service.settings import Settings

# Seconds: less in all than the Main API waits. A call has one more try.
CONNECT, READ, TRIES = 1, 2, 2
# Seconds in which a page is gathered; a page that takes longer ends early, and the next one goes on behind it.
GATHERING = 3.0
# What GetParametersByPath gives at most at once.
MOST_AT_ONCE = 10
LONGEST_TOKEN = 4096
# Said by SSM and by S3 of a token that is none of theirs.
NOT_A_TOKEN = {"InvalidNextToken", "ValidationException", "InvalidArgument"}


class NoSuchParameterError(Exception):
    """There is no such parameter in this environment; others are not told apart from none."""


class SecureError(Exception):
    """The value is secret, and was not asked for or is not told here."""


class BadTokenError(Exception):
    """The page's token is none of AWS's."""


class GarbageError(Exception):
    """What answers for AWS answers something else than AWS does."""


@dataclass(frozen=True, slots=True)
class Page:
    """Names, and the token of the next page where there is one."""

    names: list[str]
    token: str | None


class Cloud:
    """What the service knows of AWS. Threads may share it."""

    def __init__(self, s3: Any, ssm: Any, settings: Settings) -> None:
        self._s3, self._ssm, self._settings = s3, ssm, settings

    def buckets(self, limit: int, token: str | None) -> Page:
        """Give names of the environment's buckets; raises BadTokenError, GarbageError, or what the SDK raises."""
        prefix = self._settings.bucket_prefix
        more = {"ContinuationToken": _decoded(token)} if token else {}
        answer = _asked(self._s3.list_buckets, token, Prefix=prefix, MaxBuckets=limit, **more)
        # An emulator may take no notice of the prefix.
        names = [name for name in _names(answer, "Buckets") if name.startswith(prefix)]
        return Page(names, _encoded(answer.get("ContinuationToken")))

    def parameters(self, limit: int, token: str | None) -> Page:
        """Give names of the environment's parameters; raises as `buckets` does. Never more than a page is in memory."""
        end = time.monotonic() + GATHERING
        names: list[str] = []
        theirs = _decoded(token) if token else None
        while True:
            more = {"NextToken": theirs} if theirs else {}
            answer = _asked(
                self._ssm.get_parameters_by_path,
                theirs,
                Path=self._settings.parameter_path,
                Recursive=True,
                WithDecryption=False,
                MaxResults=min(MOST_AT_ONCE, limit - len(names)),
                **more,
            )
            names += _names(answer, "Parameters")
            theirs = answer.get("NextToken")
            if not theirs or len(names) >= limit or time.monotonic() > end:
                return Page(names, _encoded(theirs))

    def parameter(self, name: str, *, decrypt: bool) -> str:
        """Give a parameter's value by its name, or by its last part if it is right in the environment's path.

        Raises NoSuchParameterError, SecureError, GarbageError, or what the SDK raises.
        """
        full = self._full(name)
        known = self._get(full, decrypt=False)
        if known.get("Type") != "SecureString":
            return _text(known)
        if not (decrypt and self._settings.secure_strings):
            raise SecureError
        return _text(self._get(full, decrypt=True))

    def check(self) -> None:
        """Ask for something small; raises as `parameters` does."""
        self.parameters(1, None)

    def _full(self, name: str) -> str:
        path, plain = self._settings.parameter_path, name.strip("/")
        full = f"/{plain}" if "/" in plain else f"{path}/{plain}"
        if not plain or not full.startswith(f"{path}/"):
            raise NoSuchParameterError
        return full

    def _get(self, name: str, *, decrypt: bool) -> dict[str, Any]:
        try:
            answer = self._ssm.get_parameter(Name=name, WithDecryption=decrypt)
        except ClientError as error:
            # A version or a label (name:3) that there is not counts as a name of which there is none.
            if code_of(error) in {"ParameterNotFound", "ParameterVersionNotFound"}:
                raise NoSuchParameterError from None
            raise
        found = answer.get("Parameter")
        if not isinstance(found, dict):
            raise GarbageError("GetParameter")
        return found


def _asked(call: Any, token: str | None, **arguments: Any) -> dict[str, Any]:
    try:
        answer: dict[str, Any] = call(**arguments)
    except ClientError as error:
        if token and code_of(error) in NOT_A_TOKEN:
            raise BadTokenError from None
        raise
    return answer


def _names(answer: dict[str, Any], key: str) -> list[str]:
    # The SDK takes a page of HTML for an answer without fields.
    if not isinstance(answer.get(key), list):
        raise GarbageError(key)
    return [one["Name"] for one in answer[key]]


def _text(parameter: dict[str, Any]) -> str:
    value = parameter.get("Value")
    if not isinstance(value, str):
        raise GarbageError("Value")
    return value


def _encoded(token: str | None) -> str | None:
    """A token that needs no escaping in a URL."""
    return urlsafe_b64encode(token.encode()).decode().rstrip("=") if token else None


def _decoded(token: str) -> str:
    try:
        return b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True).decode()
    except ValueError:
        raise BadTokenError from None


def build_cloud(settings: Settings) -> Cloud:
    """Make it with its clients; raises BotoCoreError for settings of the SDK that make no sense."""
    config = Config(
        connect_timeout=CONNECT,
        read_timeout=READ,
        retries={"mode": "standard", "total_max_attempts": TRIES},
        # One connection for each thread, and one for readiness.
        max_pool_connections=settings.aws_concurrency + 1,
        # The endpoint comes from our settings alone, where an empty one means AWS.
        ignore_configured_endpoint_urls=True,  # type: ignore[call-arg]  # unknown to the types
        s3={"addressing_style": "path" if settings.endpoint else "auto"},
    )
    made = session()
    arguments: dict[str, Any] = {"region_name": settings.region, "config": config}
    if settings.endpoint:
        arguments["endpoint_url"] = settings.endpoint
    return Cloud(made.client("s3", **arguments), made.client("ssm", **arguments), settings)
