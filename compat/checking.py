"""Run checks of the contract against an endpoint, many at once, and say what came out."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Collection
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import NamedTuple

from ansible_collections.localcloud.stack.plugins.module_utils.aws.errors import AwsError
from ansible_collections.localcloud.stack.plugins.module_utils.emulators.health import health_facts
from ansible_collections.localcloud.stack.plugins.module_utils.emulators.settings import EMULATED_ACCOUNT
from botocore.exceptions import BotoCoreError, ClientError

from compat.aws import Aws, Clients, code_of, is_failure
from compat.contract import Behaviour

THREADS = 24
# An engine that is asked much answers with an error of its own now and then. A client that only sent the request again would find half of
# what the first one made, so that the whole check is made again, with other names, when nothing else goes on.
ATTEMPTS = 1
ATTEMPTS_AWS = 6
# Reads by which an engine loads its services, one after the other: it fails where many ask for one at once that is not there yet.
LOADED = {
    "dynamodb": "list_tables",
    "events": "list_event_buses",
    "iam": "list_roles",
    "kinesis": "list_streams",
    "kms": "list_keys",
    "s3": "list_buckets",
    "secretsmanager": "list_secrets",
    "sns": "list_topics",
    "sqs": "list_queues",
    "ssm": "describe_parameters",
}
# What differs from run to run: our names and AWS's ids.
_VARYING = re.compile(r"/?compat-[0-9a-f]{10}\S*|[0-9a-f]{8}-[0-9a-f-]{27}|arn:aws\S+|\d{10,}")


class RefusedError(Exception):
    """The contract is not run against this endpoint."""


class Target(NamedTuple):
    """Where the contract is run: engine, version, address (none: real AWS) and account."""

    engine: str
    version: str
    endpoint: str | None
    account: str


class Outcome(NamedTuple):
    """What a check saw: nothing where the engine does what AWS documents. C(left): what could not be removed."""

    seen: str | None
    left: tuple[str, ...] = ()


def target(endpoint: str | None, account: str | None, region: str) -> Target:
    """Who answers there; without an endpoint real AWS. Only reads. Raises RefusedError for what is not allowed."""
    engine, version = _recognised(endpoint) if endpoint else ("aws", "current")
    if engine in ("aws", "unknown") and not account:
        raise RefusedError(
            f"{endpoint or 'Real AWS'} is not recognised as an emulator, and the contract makes resources that may cost money. "
            "Nothing was sent but reads. Give ACCOUNT=<12 digits> to allow that account, or correct ENDPOINT."
        )
    try:
        answers = Clients(endpoint, region, ATTEMPTS).get("sts").get_caller_identity()["Account"]
    except (ClientError, BotoCoreError) as error:
        raise RefusedError(
            f"{endpoint or 'AWS'} does not tell its account ({error}). Correct ENDPOINT or the credentials."
        ) from error
    if answers != (account or EMULATED_ACCOUNT):
        wanted = f"ACCOUNT={account}" if account else f"an emulator's account {EMULATED_ACCOUNT}"
        raise RefusedError(
            f"{endpoint or 'AWS'} has the account {answers}, not {wanted}. Give ACCOUNT={answers} if that one is meant."
        )
    return Target(engine, version, endpoint, answers)


def _recognised(endpoint: str) -> tuple[str, str]:
    try:
        facts = health_facts(endpoint)
    except AwsError as error:
        raise RefusedError(str(error)) from error
    return facts["engine"], facts["version"] or "unknown"


def start(behaviours: Collection[Behaviour], at: Target, region: str) -> dict[str, Future[Outcome]]:
    """Start all checks; each one's outcome by its id. Those of real AWS that would take days are left out."""
    clients = Clients(at.endpoint, region, ATTEMPTS if at.endpoint else ATTEMPTS_AWS)
    for service in {one.service for one in behaviours} & set(LOADED) if at.engine != "aws" else ():
        with contextlib.suppress(ClientError, BotoCoreError):
            getattr(clients.get(service), LOADED[service])()
    pool = ThreadPoolExecutor(THREADS)
    # The long ones first, as they only wait.
    ordered = sorted(behaviours, key=lambda one: not one.slow)
    asked = [one for one in ordered if one.aws or at.engine != "aws"]

    def once(one: Behaviour) -> tuple[Outcome, bool]:
        return check(one, Aws(clients, at.account))

    started = {one.id: pool.submit(once, one) for one in asked}
    pool.shutdown(wait=False)

    def settled(one: Behaviour) -> Outcome:
        outcome, failed = started[one.id].result()
        if not failed:
            return outcome
        wait(started.values())
        again, _failed = once(one)
        return again._replace(left=outcome.left + again.left)

    alone = ThreadPoolExecutor(1)
    # What only waits for others comes last.
    ended = {one.id: alone.submit(settled, one) for one in sorted(asked, key=lambda one: one.slow)}
    alone.shutdown(wait=False)
    return ended


def check(behaviour: Behaviour, aws: Aws) -> tuple[Outcome, bool]:
    """Run one check and remove what it made; whether it ended in an error of the engine's own."""
    seen, failed = _seen(behaviour, aws)
    aws.clean()
    return Outcome(_VARYING.sub("…", seen) if seen else None, tuple(aws.left)), failed


def _seen(behaviour: Behaviour, aws: Aws) -> tuple[str | None, bool]:
    """What a check sees, and whether that is an error of the engine's own."""
    try:
        return behaviour.check(aws), False
    except ClientError as error:
        return f"{error.operation_name} answers {code_of(error)}", is_failure(error)
    except BotoCoreError as error:
        return f"no usable answer ({type(error).__name__})", False
    except (KeyError, IndexError, TypeError, ValueError) as error:
        return f"the answer lacks something ({type(error).__name__}: {error})", False
