# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the readers of all kinds share: AWS's clients, and how its answers become fields of spec.forProvider."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from ansible_collections.localcloud.stack.plugins.module_utils.aws.client import Clients
from ansible_collections.localcloud.stack.plugins.module_utils.aws.external import ExternalResource, Json

from .target import Target

Known = TypeVar("Known")


class Aws:
    """The clients of one region (none: the connection's own), and what is asked for once only, such as the account."""

    def __init__(self, clients: Clients, region: str | None = None, main: Aws | None = None) -> None:
        self.clients = clients
        self.region = region or clients.region
        self._main = main or self
        self._account = ""
        self._known: dict[tuple[str, str], Any] = {}

    def within(self, region: str | None) -> Aws:
        """The same in another region."""
        return self if region in (None, "", self.region) else Aws(self.clients, region, self._main)

    def get(self, service: str) -> Any:
        return self.clients.get(service, self.region)

    def once(self, name: str, ask: Callable[[], Known]) -> Known:
        """What is known by this name in the region, asked for when it is first needed. Threads at the same time may each ask."""
        known = self._main._known
        if (self.region or "", name) not in known:
            known[self.region or "", name] = ask()
        found: Known = known[self.region or "", name]
        return found

    @property
    def account(self) -> str:
        if self._main is not self:
            return self._main.account
        if not self._account:
            self._account = str(self.get("sts").get_caller_identity()["Account"])
        return self._account

    def arn(self, service: str, resource: str) -> str:
        """The ARN of a resource of this account and region."""
        return Target(region=str(self.region), account=self.account).arn(service, resource)


# Gives the fields that it can see, or None where the resource does not exist.
Reader = Callable[[Aws, ExternalResource], "Json | None"]


def tag_map(listed: Iterable[Json]) -> dict[str, str]:
    """Tags as AWS lists them, as a map."""
    return {str(one.get("Key") or one.get("TagKey")): str(one.get("Value", one.get("TagValue"))) for one in listed}


def to_int(value: Any) -> int | None:
    return int(value) if value not in (None, "") else None


def document(value: Any) -> str | None:
    """A policy document as text; boto3 has it parsed."""
    return value if value is None or isinstance(value, str) else json.dumps(value, sort_keys=True)
