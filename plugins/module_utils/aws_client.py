# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Connections to AWS: arguments, session, clients. The only file of the AWS modules that imports boto3 for talking."""

from __future__ import annotations

import contextlib
import traceback
import typing as t

from ansible_collections.localcloud.stack.plugins.module_utils.aws_errors import AwsError, explain

try:
    import boto3
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError
    from botocore.parsers import ResponseParserError

    BOTO3_IMPORT_ERROR: str | None = None
except ImportError:
    BOTO3_IMPORT_ERROR = traceback.format_exc()

CONNECT_TIMEOUT = 3
READ_TIMEOUT = 10
MAX_ATTEMPTS = 3


def aws_argument_spec() -> dict[str, t.Any]:
    """Arguments that every AWS module shares; documented in doc_fragments/aws.py."""
    # Imported here so that everything else in this file can be used without Ansible.
    from ansible.module_utils.basic import env_fallback

    return {
        "endpoint_url": {"type": "str", "fallback": (env_fallback, ["AWS_ENDPOINT_URL"])},
        "region": {"type": "str", "fallback": (env_fallback, ["AWS_REGION", "AWS_DEFAULT_REGION"])},
        "access_key": {"type": "str", "no_log": False},
        "secret_key": {"type": "str", "no_log": True},
        "session_token": {"type": "str", "no_log": True},
        "profile": {"type": "str"},
    }


AWS_REQUIRED_TOGETHER = [["access_key", "secret_key"]]
AWS_MUTUALLY_EXCLUSIVE = [["access_key", "profile"]]


class Connection(t.NamedTuple):
    """Where and as whom to call AWS."""

    endpoint_url: str | None = None
    region: str | None = None
    access_key: str | None = None
    secret_key: str | None = None
    session_token: str | None = None
    profile: str | None = None

    @classmethod
    def from_params(cls, params: t.Mapping[str, t.Any]) -> Connection:
        """From a module's parameters; an empty text counts as not given."""
        return cls(**{name: params.get(name) or None for name in cls._fields})


class Clients:
    """Clients by service, made on first use.

    Make them in one thread (boto3 sessions aren't thread-safe), use them in any.
    """

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._clients: dict[str, t.Any] = {}
        with aws_errors("opening the session", connection.endpoint_url):
            self._session = boto3.session.Session(
                aws_access_key_id=connection.access_key,
                aws_secret_access_key=connection.secret_key,
                aws_session_token=connection.session_token,
                profile_name=connection.profile,
                region_name=connection.region,
            )

    @property
    def region(self) -> str | None:
        return t.cast("str | None", self._session.region_name)

    def get(self, service: str) -> t.Any:
        if service not in self._clients:
            # An S3 client may be made without a region: refuse that here for all services alike.
            if not self.region:
                raise AwsError(
                    "There is no region: neither argument nor environment nor profile gives one. "
                    "Set region or AWS_REGION, for example eu-central-1."
                )
            doing = f"making the {service} client"
            with aws_errors(doing, self.connection.endpoint_url):
                try:
                    self._clients[service] = self._session.client(
                        t.cast("t.Any", service),
                        endpoint_url=self.connection.endpoint_url,
                        config=client_config(self.connection.endpoint_url),
                    )
                except ValueError as error:  # what botocore raises for an endpoint that is no URL
                    raise AwsError(explain(error, doing, self.connection.endpoint_url)) from error
        return self._clients[service]


def client_config(endpoint_url: str | None) -> t.Any:
    """boto3's settings; for an endpoint that was given, no proxy comes between."""
    own: dict[str, t.Any] = {"proxies": {}, "s3": {"addressing_style": "path"}} if endpoint_url else {}
    return Config(
        connect_timeout=CONNECT_TIMEOUT,
        read_timeout=READ_TIMEOUT,
        retries={"mode": "standard", "total_max_attempts": MAX_ATTEMPTS},
        max_pool_connections=16,
        user_agent_extra="localcloud.stack",
        **own,
    )


@contextlib.contextmanager
def aws_errors(doing: str, endpoint_url: str | None) -> t.Iterator[None]:
    """Turns whatever boto3 raises into an AwsError that names cause and next step."""
    try:
        yield
    except (ClientError, BotoCoreError, ResponseParserError) as error:
        raise AwsError(explain(error, doing, endpoint_url)) from error
