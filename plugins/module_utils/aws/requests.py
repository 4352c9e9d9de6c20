# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How AWS is read: every page, many requests at once, and what one resource's failure means for the rest."""

from __future__ import annotations

import concurrent.futures
import threading
import typing as t

from ansible_collections.localcloud.stack.plugins.module_utils.aws.client import aws_errors
from ansible_collections.localcloud.stack.plugins.module_utils.aws.errors import (
    AwsError,
    concerns_one_thing,
    is_not_found,
    is_not_implemented,
)

Json = dict[str, t.Any]
Item = t.TypeVar("Item")
Result = t.TypeVar("Result")


class Query(t.NamedTuple):
    """What to gather. C(names) are shell patterns."""

    services: t.Sequence[str]
    names: t.Sequence[str] = ()
    count_items: str = "exact"
    newest_items: int = 0
    sort_by: str = "CreatedAt"
    parameter_values: bool = False
    count_objects: bool = False
    on_error: str = "fail"


class Problem(t.NamedTuple):
    """What could not be read. C(name) is empty where it is the whole service."""

    service: str
    name: str
    message: str


class Reading:
    """One service being read: its client, the pool that all services share, and the problems met."""

    def __init__(
        self,
        service: str,
        client: t.Any,
        query: Query,
        pool: concurrent.futures.Executor,
        endpoint_url: str | None = None,
    ) -> None:
        self.service = service
        self.client = client
        self.query = query
        self.endpoint_url = endpoint_url
        self._pool = pool
        self._problems: dict[tuple[str, str], Problem] = {}
        self._lock = threading.Lock()

    @property
    def problems(self) -> list[Problem]:
        return [self._problems[key] for key in sorted(self._problems)]

    def pages(self, operation: str, key: str, **arguments: t.Any) -> list[t.Any]:
        return pages(self.client, operation, key, **arguments)

    def ask(self, name: str, operation: str, **arguments: t.Any) -> Json | None:
        """The answer about one resource; None where there is none.

        There is none where the resource doesn't exist (any more), where an emulator doesn't know the request, and where
        the request was refused, which is kept as a problem. What would meet every other request too is raised.
        """
        return self.attempt(name, operation, lambda: getattr(self.client, operation)(**arguments))

    def ask_pages(self, name: str, operation: str, key: str, **arguments: t.Any) -> list[t.Any] | None:
        """Like C(ask), for all pages of what the resource has."""
        return self.attempt(name, operation, lambda: self.pages(operation, key, **arguments))

    def attempt(self, name: str, operation: str, call: t.Callable[[], Result]) -> Result | None:
        """Like C(ask), for any call."""
        try:
            with aws_errors(f"{operation.replace('_', ' ')} for {name}", self.endpoint_url):
                return call()
        except AwsError as error:
            cause = error.__cause__
            if cause is None or not concerns_one_thing(cause):
                raise
            if not is_not_found(cause) and not (self.endpoint_url and is_not_implemented(cause)):
                with self._lock:
                    self._problems[name, operation] = Problem(self.service, name, error.message)
            return None

    def each(self, work: t.Callable[[Item], Result | None], items: t.Iterable[Item]) -> list[Result]:
        """The work done on each item, many at once, in their order; what came to nothing is left out.

        Work must not call C(each) itself: it would wait for the pool that it keeps busy.
        """
        pending = [self._pool.submit(work, item) for item in items]
        try:
            return [result for one in pending if (result := one.result()) is not None]
        except BaseException:
            for one in pending:
                one.cancel()
            raise


def pages(client: t.Any, operation: str, key: str, **arguments: t.Any) -> list[t.Any]:
    """Everything an operation lists, read to its last page."""
    if not client.can_paginate(operation):  # list_buckets of boto3 before 1.35 gives all at once
        return list(getattr(client, operation)(**arguments).get(key) or [])
    paginator = client.get_paginator(operation)
    return [one for page in paginator.paginate(**arguments) for one in page.get(key) or []]


def existing(client: t.Any, operation: str, **arguments: t.Any) -> Json | None:
    """The answer, or None where the resource doesn't exist (any more)."""
    try:
        return t.cast("Json", getattr(client, operation)(**arguments))
    except client.exceptions.ClientError as error:
        if is_not_found(error):
            return None
        raise


def existing_pages(client: t.Any, operation: str, key: str, **arguments: t.Any) -> list[t.Any]:
    """Like C(pages); empty where the resource that is asked about doesn't exist (any more)."""
    try:
        return pages(client, operation, key, **arguments)
    except client.exceptions.ClientError as error:
        if is_not_found(error):
            return []
        raise
