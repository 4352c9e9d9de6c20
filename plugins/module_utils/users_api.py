# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A user's whole life in a running users API: made with an avatar, found, looked at, deleted."""

from __future__ import annotations

import contextlib
import json
import time
import typing as t
import uuid
from urllib.parse import quote

from ansible_collections.localcloud.stack.plugins.module_utils.printable import PrintableError, printable

with contextlib.suppress(ImportError):  # the module names what is not there
    import urllib3

Json = dict[str, t.Any]
SECONDS = 15.0
SHOWN = 300


class ProbeError(PrintableError):
    """A step of the probe failed; the text says which, what came back, and what to look at."""


class UsersApi:
    """A users API at a base URL without a slash at its end."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self.pool = urllib3.PoolManager(retries=False, timeout=SECONDS)

    def ask(self, doing: str, method: str, address: str, wanted: int, **more: t.Any) -> t.Any:
        """The answer of a request. ProbeError unless its status is as wanted."""
        try:
            answer = self.pool.request(method, address, **more)
        except urllib3.exceptions.HTTPError as error:
            raise ProbeError(
                f"{doing} got no answer from {address} ({error}). Likely no pod is ready; look at the pods and their log."
            ) from error
        if answer.status != wanted:
            said = printable(answer.data.decode("utf-8", errors="replace")[:SHOWN])
            raise ProbeError(
                f"{doing} gave {answer.status} instead of {wanted}: {said}. Look at the log of the users API's pods."
            )
        return answer


def probe(url: str, avatar: bytes, clock: t.Callable[[], float] = time.monotonic) -> Json:
    """Make a user nobody else has, find user and avatar, delete both; what each step took. Raises ProbeError."""
    api = UsersApi(url)
    email = f"probe-{uuid.uuid4().hex[:12]}@example.org"
    address = f"{api.url}/user/{quote(email)}"
    took: dict[str, float] = {}
    begin = clock()

    def step(name: str, doing: str, *request: t.Any, **more: t.Any) -> t.Any:
        started = clock()
        answer = api.ask(doing, *request, **more)
        took[name] = round((clock() - started) * 1000, 1)
        return answer

    fields = {"name": "Probe", "email": email, "avatar": ("avatar.png", avatar, "image/png")}
    try:
        made = step("create", "Making a user", "POST", f"{api.url}/user", 201, fields=fields)
        found = json.loads(step("get", "Finding the user", "GET", address, 200).data)
        picture = step("avatar", "Looking at the avatar", "GET", found["avatar_url"], 200)
        if picture.data != avatar or json.loads(made.data)["email"] != email:
            raise ProbeError(
                f"{url} gave back another user or avatar than it was given. Look whether it is a users API."
            )
    except BaseException:
        with contextlib.suppress(ProbeError):
            api.ask("Deleting the user", "DELETE", address, 204)
        raise
    step("delete", "Deleting the user", "DELETE", address, 204)
    took["total"] = round((clock() - begin) * 1000, 1)
    return {"email": email, "latency_ms": took}
