"""A bounded load of a client of our own, and what became of it: events into the topic, users into the users API."""

from __future__ import annotations

import contextlib
import json
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
from ansible_collections.localcloud.stack.plugins.module_utils.common.waiting import WaitError, wait_for
from botocore.exceptions import BotoCoreError, ClientError

EVENTS_A_SECOND, REQUESTS_A_SECOND = 5, 2
# However long a test takes: no more of either than this.
MOST = 1000
# An accepted event is in the table by then, once all works again: a message that was received and not deleted comes again after 30 s.
SETTLED_SECONDS = 60
AVATAR = Path(__file__).resolve().parents[2] / "blueprints/users_api/avatar.png"
Send = Callable[[str], None]


class RefusedError(Exception):
    """A request that was answered otherwise than asked, or not at all."""


@dataclass
class Sent:
    """What was sent of one kind: identifiers by what came back."""

    accepted: list[str] = field(default_factory=list)
    # Whether these were done is not known: their answers are missing, or are errors.
    refused: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Balance:
    """What became of what was accepted: events that are not in the table, users that are not listed, and what is there twice."""

    missing: list[str]
    unlisted: list[str]
    twice: list[str]

    @property
    def lost(self) -> list[str]:
        return self.missing + self.unlisted


class Load:
    """Publishes events and makes users at a steady rate until stop(); nothing is sent again."""

    def __init__(self, sns: Any, topic: str, dynamodb: Any, table: str, api: str) -> None:
        self.run = uuid.uuid4().hex[:8]
        self._sns, self._topic, self._dynamodb, self._table = sns, topic, dynamodb, table
        self._api = httpx2.Client(base_url=api, timeout=5, trust_env=False)
        self._picture = AVATAR.read_bytes()
        self.events, self.users = Sent(), Sent()
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._send, args=(self.events, EVENTS_A_SECOND, self.publish), daemon=True),
            threading.Thread(target=self._send, args=(self.users, REQUESTS_A_SECOND, self.make_user), daemon=True),
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()
        wait_for("the load to flow", self._idle, 30)

    def _idle(self) -> str | None:
        events, users = len(self.events.accepted), len(self.users.accepted)
        return None if events >= 5 and users >= 2 else f"{events} events and {users} users were accepted"

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _send(self, sent: Sent, rate: float, send: Send) -> None:
        for number in range(MOST):
            identifier = f"{self.run}-{number}"
            begin = time.monotonic()
            try:
                send(identifier)
                sent.accepted.append(identifier)
            except RefusedError:
                sent.refused.append(identifier)
            if self._stop.wait(max(0.0, 1 / rate - (time.monotonic() - begin))):
                return

    def publish(self, identifier: str) -> None:
        """Publish one event. Raises RefusedError."""
        body = json.dumps({"Id": identifier, "Number": 1, "CreatedAt": "2026-01-01T00:00:00Z"})
        message = json.dumps({"attributes": {"encoding": "application/json"}, "body": body})
        try:
            self._sns.publish(TopicArn=self._topic, Message=message)
        except (ClientError, BotoCoreError) as error:
            raise RefusedError(str(error)) from error

    def make_user(self, identifier: str) -> None:
        """Make one user with an avatar. Raises RefusedError."""
        files = {"avatar": ("a.png", self._picture, "image/png")}
        self._request(
            201, "POST", "/user", data={"name": "Load", "email": f"{identifier}@load.example.org"}, files=files
        )

    def _request(self, status: int, method: str, path: str, **arguments: Any) -> httpx2.Response:
        try:
            answer = self._api.request(method, path, **arguments)
        except httpx2.HTTPError as error:
            raise RefusedError(str(error)) from error
        if answer.status_code != status:
            raise RefusedError(f"{answer.status_code} {answer.text[:200]}")
        return answer

    def balance(self) -> Balance:
        """Wait until all that was accepted has arrived; what has not, and what is there twice or was never sent. Removes the users."""
        missing: set[str] = set(self.events.accepted)

        def arriving() -> str | None:
            missing.difference_update(self._stored(sorted(missing)))
            return f"{len(missing)} events are missing" if missing else None

        # What is still missing then is told by what is returned.
        with contextlib.suppress(WaitError):
            wait_for("all events to be in the table", arriving, SETTLED_SECONDS)
        listed = Counter(self._listed())
        known = {*self.users.accepted, *self.users.refused}
        unlisted = [one for one in self.users.accepted if one not in listed]
        twice = [one for one, number in listed.items() if number > 1 or one not in known]
        for identifier in listed:
            self._request(204, "DELETE", f"/user/{identifier}@load.example.org")
        self._api.close()
        return Balance(sorted(missing), unlisted, twice)

    def arrived(self, identifier: str) -> bool:
        """Whether an event is in the table."""
        return bool(self._stored([identifier]))

    def _stored(self, identifiers: list[str]) -> set[str]:
        found: set[str] = set()
        for start in range(0, len(identifiers), 100):
            keys = [{"Id": {"S": one}} for one in identifiers[start : start + 100]]
            try:
                answer = self._dynamodb.batch_get_item(
                    RequestItems={self._table: {"Keys": keys, "ConsistentRead": True}}
                )
            except (ClientError, BotoCoreError):
                return found
            found |= {item["Id"]["S"] for item in answer["Responses"][self._table]}
        return found

    def _listed(self) -> Iterator[str]:
        """This run's users as the API lists them, page by page."""
        query: dict[str, Any] = {"limit": 100}
        while True:
            page = self._request(200, "GET", "/users", params=query).json()
            for user in page["users"]:
                name, _at, place = user["email"].partition("@")
                if place == "load.example.org" and name.startswith(f"{self.run}-"):
                    yield name
            if not page.get("next"):
                return
            query["next"] = page["next"]
