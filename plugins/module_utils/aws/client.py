# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Connections to AWS: arguments, session, clients. The only file of the AWS modules that imports boto3 for talking.

It does so where it talks, as the import takes as long as comparing a thousand objects does.
"""

from __future__ import annotations

import contextlib
import functools
import os
import typing as t

from ansible_collections.localcloud.stack.plugins.module_utils.aws.errors import (
    THROTTLED,
    UNREADABLE,
    AwsError,
    explain,
)

CONNECT_TIMEOUT = 3
READ_TIMEOUT = 10
# An emulator that is away is to be reported soon. AWS throttles clients that read a lot, an emulator where faults are wanted (localstack_service_faults).
MAX_ATTEMPTS = 3
MAX_ATTEMPTS_AWS = 6
# Before the second attempt after a throttled one, in seconds; each further wait is twice as long.
THROTTLED_WAIT = 0.2
MAX_CONNECTIONS = 16


def aws_argument_spec() -> dict[str, t.Any]:
    """Arguments that every AWS module shares, named as amazon.aws names them; documented in doc_fragments/aws.py."""
    # Imported here so that everything else in this file can be used without Ansible.
    from ansible.module_utils.basic import env_fallback

    return {
        # Its environment variables are left to botocore, which knows those of single services too.
        "endpoint_url": {"type": "str", "aliases": ["aws_endpoint_url"]},
        "region": {
            "type": "str",
            "aliases": ["aws_region"],
            "fallback": (env_fallback, ["AWS_REGION", "AWS_DEFAULT_REGION"]),
        },
        "access_key": {"type": "str", "aliases": ["aws_access_key_id", "aws_access_key"], "no_log": False},
        "secret_key": {"type": "str", "aliases": ["aws_secret_access_key", "aws_secret_key"], "no_log": True},
        "session_token": {"type": "str", "aliases": ["aws_session_token"], "no_log": True},
        "profile": {"type": "str", "aliases": ["aws_profile"]},
        "validate_certs": {"type": "bool", "default": True},
        "aws_ca_bundle": {"type": "path", "fallback": (env_fallback, ["AWS_CA_BUNDLE"])},
        "aws_config": {"type": "dict"},
    }


# What emulators' documentation has everybody use: no secret, as it would else be cut out of every name in a result that contains it.
PUBLIC_KEYS = frozenset({"test"})
AWS_REQUIRED_TOGETHER = [["access_key", "secret_key"]]
AWS_MUTUALLY_EXCLUSIVE = [["access_key", "profile"]]


class Connection(t.NamedTuple):
    """Where and as whom to call AWS. C(aws_config) holds settings of botocore's Config that go before our own."""

    endpoint_url: str | None = None
    region: str | None = None
    access_key: str | None = None
    secret_key: str | None = None
    session_token: str | None = None
    profile: str | None = None
    validate_certs: bool = True
    aws_ca_bundle: str | None = None
    aws_config: dict[str, t.Any] | None = None

    @classmethod
    def from_params(cls, params: t.Mapping[str, t.Any]) -> Connection:
        """From a module's parameters; an empty text counts as not given."""
        given = {name: params.get(name) or None for name in cls._fields if name != "validate_certs"}
        return cls(**given, validate_certs=params.get("validate_certs", True))

    @property
    def plain(self) -> bool:
        """Whether the endpoint has no certificate."""
        return (self.endpoint_url or "").lower().startswith("http://")

    @property
    def complete(self) -> bool:
        """Whether where and as whom is all said here, so that nothing of this machine's configuration is needed."""
        return bool(self.endpoint_url and self.access_key)

    @property
    def verify(self) -> bool | str:
        """What a server's certificate is checked against: nothing, a bundle's path, or the usual authorities."""
        bundle = None if self.plain else self.aws_ca_bundle
        return (bundle or True) if self.validate_certs else False


class Clients:
    """Clients by service, made on first use.

    Make them in one thread (boto3 sessions aren't thread-safe), use them in any.
    """

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._clients: dict[tuple[str, str], t.Any] = {}
        if connection.aws_ca_bundle and not connection.plain and not os.path.exists(connection.aws_ca_bundle):
            raise AwsError(
                f"There is no file {connection.aws_ca_bundle} to check certificates against. "
                "Correct aws_ca_bundle or AWS_CA_BUNDLE."
            )
        import boto3

        with aws_errors("opening the session", connection.endpoint_url):
            self._core = _core_session(connection)
            if not (connection.aws_config or {}).get("retries"):
                self._core.register("needs-retry", wait_after_throttling)
            self._core.register_component("data_loader", _loader(self._core.get_config_variable("data_path")))
            self._session = boto3.session.Session(
                aws_access_key_id=connection.access_key,
                aws_secret_access_key=connection.secret_key,
                aws_session_token=connection.session_token,
                profile_name=connection.profile,
                region_name=connection.region,
                botocore_session=self._core,
            )

    @property
    def region(self) -> str | None:
        return t.cast("str | None", self._session.region_name)

    @property
    def endpoint_url(self) -> str | None:
        """The endpoint of every service that has none of its own; None means real AWS."""
        if self.connection.endpoint_url or self._endpoints_ignored():
            return self.connection.endpoint_url
        return os.environ.get("AWS_ENDPOINT_URL") or self._profile().get("endpoint_url")

    def endpoint_of(self, service: str) -> str | None:
        """A service's endpoint: the argument's, else the environment's, else the profile's, a service's own first.

        The rules: https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html
        """
        if self.connection.endpoint_url or self._endpoints_ignored():
            return self.connection.endpoint_url
        name = str(self._core.get_service_model(service).service_id).replace(" ", "_").replace("-", "_")
        of_services = self._core.full_config.get("services", {}).get(self._profile().get("services"), {})
        return (
            os.environ.get(f"AWS_ENDPOINT_URL_{name.upper()}")
            or os.environ.get("AWS_ENDPOINT_URL")
            or of_services.get(name.lower(), {}).get("endpoint_url")
            or self.endpoint_url
        )

    def _endpoints_ignored(self) -> bool:
        return bool(self._core.get_config_variable("ignore_configured_endpoint_urls"))

    def _profile(self) -> dict[str, t.Any]:
        with aws_errors("reading the profile", None):
            return self._core.get_scoped_config()

    def get(self, service: str, region: str | None = None) -> t.Any:
        """A service's client, of this region or of the connection's own."""
        # An S3 client may be made without a region: refuse that here for all services alike.
        if not (region or self.region):
            raise AwsError(
                "There is no region: neither argument nor environment nor profile gives one. "
                "Set region or AWS_REGION, for example eu-central-1."
            )
        key = (service, str(region or self.region))
        if key not in self._clients:
            self._clients[key] = self._make(*key, self.endpoint_of(service))
        return self._clients[key]

    def _make(self, service: str, region: str, endpoint_url: str | None) -> t.Any:
        doing = f"making the {service} client"
        with aws_errors(doing, endpoint_url):
            try:
                return self._session.client(
                    t.cast("t.Any", service),
                    region_name=region,
                    endpoint_url=endpoint_url,
                    verify=self.connection.verify,
                    config=client_config(endpoint_url, self.connection.aws_config),
                )
            except ValueError as error:  # what botocore raises for an endpoint that is not a URL
                raise AwsError(explain(error, doing, endpoint_url)) from error


def _core_session(connection: Connection) -> t.Any:
    """botocore's session. For a connection that says all, neither variables of the environment nor configuration files are read.

    A profile that does not exist, or a setting for AWS that no emulator has, would else be in the way of an endpoint and its keys.
    """
    from botocore.session import Session

    if not connection.complete:
        return Session()
    variables = {
        name: (None, None, default, conversion)
        for name, (_file, _environment, default, conversion) in Session.SESSION_VARIABLES.items()
    }
    nothing = dict.fromkeys(("config_file", "credentials_file"), (None, None, os.devnull, None))
    return Session(session_vars={**variables, **nothing})


@functools.cache
def _loader(data_path: str | None) -> t.Any:
    """What reads botocore's descriptions of services, and remembers them; one for all sessions."""
    import botocore.loaders

    return botocore.loaders.create_loader(data_path)


def wait_after_throttling(
    attempts: int, response: tuple[t.Any, dict[str, t.Any]] | None = None, **_event: t.Any
) -> float | None:
    """How many seconds botocore waits before it sends a throttled request again, beside its own rules. None: not by this rule.

    It is an event's handler: attempts and response are what botocore says of a request.
    """
    code = ((response[1] if response else {}).get("Error") or {}).get("Code")
    return THROTTLED_WAIT * 2 ** (attempts - 1) if code in THROTTLED and attempts < MAX_ATTEMPTS_AWS else None


def read_ahead(services: t.Iterable[str]) -> None:
    """Read the descriptions of these services now, for all clients to come, also those of processes forked from this one."""
    clients = Clients(Connection("http://localhost", "us-east-1", "nobody", "nobody"))
    for service in services:
        clients.get(service)


def client_config(endpoint_url: str | None, given: dict[str, t.Any] | None = None) -> t.Any:
    """boto3's settings; for an endpoint that was given, no proxy comes between. What the user gives goes first."""
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError

    own: dict[str, t.Any] = {"proxies": {}, "s3": {"addressing_style": "path"}} if endpoint_url else {}
    config = Config(
        connect_timeout=CONNECT_TIMEOUT,
        read_timeout=READ_TIMEOUT,
        retries={"mode": "standard", "total_max_attempts": MAX_ATTEMPTS if endpoint_url else MAX_ATTEMPTS_AWS},
        max_pool_connections=MAX_CONNECTIONS,
        user_agent_extra="localcloud.stack",
        **own,
    )
    try:
        return config.merge(Config(**given)) if given else config
    except (TypeError, BotoCoreError) as error:
        raise AwsError(
            f"aws_config is not a configuration of botocore ({error}). Correct it; its settings are those of "
            "botocore.config.Config."
        ) from error


@contextlib.contextmanager
def aws_errors(doing: str, endpoint_url: str | None) -> t.Iterator[None]:
    """Turns whatever boto3 raises into an AwsError that names cause and next step."""
    from botocore.exceptions import BotoCoreError, ClientError
    from botocore.parsers import ResponseParserError

    try:
        yield
    except (ClientError, BotoCoreError, ResponseParserError, *UNREADABLE) as error:
        raise AwsError(explain(error, doing, endpoint_url)) from error
