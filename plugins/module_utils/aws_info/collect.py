# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads what is there in AWS: services in parallel, and within each the details of many resources at once."""

from __future__ import annotations

import concurrent.futures
import typing as t

from ansible_collections.localcloud.stack.plugins.module_utils.aws.client import MAX_CONNECTIONS, Clients, aws_errors
from ansible_collections.localcloud.stack.plugins.module_utils.aws.errors import AwsError, not_aws
from ansible_collections.localcloud.stack.plugins.module_utils.aws.requests import Json, Problem, Query, Reading
from ansible_collections.localcloud.stack.plugins.module_utils.aws_info.readers import READERS
from ansible_collections.localcloud.stack.plugins.module_utils.emulators.health import health_facts

# Requests about single resources under way at once, of all services together; no client has fewer connections.
WORKERS = MAX_CONNECTIONS
# Problems that the message of a failure names; all of them are in its 'errors'.
NAMED_PROBLEMS = 5


class Outcome(t.NamedTuple):
    """What reading a service came to: facts by key (empty if the service failed as a whole), and the problems met."""

    found: dict[str, list[Json]]
    problems: list[Problem]


def gather(clients: Clients, query: Query) -> Json:
    """Health, account, and the facts of each service asked for.

    Returns: the facts, and C(errors): what could not be read, a list of dicts with service, name and message.
    Raises: AwsError if nothing can be read, or, unless on_error is C(warn), if anything could not; all that was read
        and all errors are then in its details.
    """
    for service in ["sts", *query.services]:
        clients.get(service)
    # One after the other and first: what they say of a wrong endpoint or wrong credentials holds for all services.
    endpoint_url = clients.endpoint_url
    health = health_facts(endpoint_url, verify=clients.connection.verify) if endpoint_url else None
    found: Json = {
        "endpoint_url": endpoint_url,
        "region": clients.region,
        "health": health,
        "account": account(clients),
    }
    outcomes = _read(clients, query)
    for outcome in outcomes:
        found |= outcome.found
    problems = [problem for outcome in outcomes for problem in outcome.problems]
    found["errors"] = [problem._asdict() for problem in problems]
    if problems and query.on_error == "fail":
        raise AwsError(summary_of(problems), **found)
    return found


def account(clients: Clients) -> Json:
    """Who we are; also the cheapest proof that something that speaks AWS answers and takes the credentials."""
    endpoint_url = clients.endpoint_of("sts")
    with aws_errors("asking for the caller's identity", endpoint_url):
        identity = clients.get("sts").get_caller_identity()
    if not identity.get("Account"):
        raise AwsError(not_aws(endpoint_url or "AWS"))
    return {"id": identity["Account"], "arn": identity.get("Arn"), "user_id": identity.get("UserId")}


def summary_of(problems: t.Sequence[Problem]) -> str:
    """All problems in one message: each if they are few, else the first ones and how many more there are."""
    messages = list(dict.fromkeys(problem.message for problem in problems))
    more = len(messages) - NAMED_PROBLEMS
    named = messages[:NAMED_PROBLEMS] + ([f"And {more} more problems, all in 'errors'."] if more > 0 else [])
    return " ".join(named)


def _read(clients: Clients, query: Query) -> list[Outcome]:
    """Each service has a thread that lists and waits; the requests about single resources share one pool."""
    chosen = [service for service in READERS if service in query.services]
    if not chosen:
        return []
    with (
        concurrent.futures.ThreadPoolExecutor(WORKERS) as requests,
        concurrent.futures.ThreadPoolExecutor(len(chosen)) as services,
    ):
        return list(services.map(lambda service: _read_one(clients, service, query, requests), chosen))


def _read_one(clients: Clients, service: str, query: Query, pool: concurrent.futures.Executor) -> Outcome:
    reader, endpoint_url = READERS[service], clients.endpoint_of(service)
    reading = Reading(service, clients.get(service), query, pool, endpoint_url)
    try:
        with aws_errors(reader.doing, endpoint_url):
            return Outcome(reader.read(reading), reading.problems)
    except AwsError as error:
        return Outcome({}, [Problem(service, "", error.message)])
