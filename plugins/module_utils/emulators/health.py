# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which emulator answers at an endpoint, and what it says of itself."""

from __future__ import annotations

import json
import socket
import ssl
import typing as t
import urllib.error
import urllib.request

from ansible_collections.localcloud.stack.plugins.module_utils.aws.errors import AwsError, tls_failed, unreachable
from ansible_collections.localcloud.stack.plugins.module_utils.emulators.registry import ENGINES

HEALTH = "/_localstack/health"
TIMEOUT = 5


class Answer(t.NamedTuple):
    """What came back: status, headers in lower case, and the body if it is a JSON object."""

    status: int
    headers: dict[str, str]
    document: dict[str, t.Any] | None


Fetch = t.Callable[[str], Answer]


def health_facts(endpoint_url: str, fetch: Fetch | None = None, verify: bool | str = True) -> dict[str, t.Any]:
    """Engine, version, edition and services; engine V(unknown) where no page of a known engine answers.

    Version and edition are empty, and there are no services, where the engine has no page that says them.

    C(verify) is what a certificate is checked against: V(False) nothing, a path a bundle, else the usual authorities.
    """
    fetch = fetch or (lambda url: http_get(url, verify))
    base = endpoint_url.rstrip("/")
    answer = fetch(base + HEALTH)
    document = answer.document if answer.status == 200 else None
    if document is None or not isinstance(document.get("services"), dict):
        known = [(one.name, one.signs) for one in ENGINES.values() if one.signs and not one.signs.has_health]
        engine = next((name for name, signs in known if _is_document(fetch(base + signs.page))), "unknown")
        return {"engine": engine, "version": None, "edition": None, "services": {}}
    version = document.get("version")
    return {
        "engine": _engine(answer, document, lambda path: fetch(base + path)),
        # As text, whatever it is: 5, 4.14.0, dev.
        "version": None if version is None else str(version),
        "edition": document.get("edition"),
        "services": dict(sorted(document["services"].items())),
    }


def _engine(answer: Answer, document: dict[str, t.Any], ask: Fetch) -> str:
    """By the health page itself, else by a page that only one of them has."""
    known = [(one.name, one.signs) for one in ENGINES.values() if one.signs and one.signs.has_health]
    for name, signs in known:
        if signs.header in answer.headers or signs.key in document:
            return name
    # LocalStack's pages are imitated, so that they prove the least.
    known.sort(key=lambda one: one[1].page.startswith("/_localstack/"))
    return next((name for name, signs in known if _is_document(ask(signs.page))), "unknown")


def _is_document(answer: Answer) -> bool:
    return answer.status == 200 and answer.document is not None


def http_get(url: str, verify: bool | str = True) -> Answer:
    """A GET without proxies. An HTTP error status is an answer; no answer at all is an AwsError."""
    try:
        https = urllib.request.HTTPSHandler(context=_tls(verify))
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), https)
        with opener.open(url, timeout=TIMEOUT) as response:
            return Answer(response.status, _lower(response.headers), _json(response.read()))
    except urllib.error.HTTPError as error:
        with error:
            return Answer(error.code, _lower(error.headers), _json(error.read()))
    except (urllib.error.URLError, OSError, ValueError) as error:
        if isinstance(getattr(error, "reason", error), ssl.SSLError):
            raise AwsError(tls_failed(_origin(url), str(getattr(error, "reason", error)))) from error
        raise AwsError(unreachable(_origin(url), _reason(error))) from error
    except Exception as error:  # http.client's: something listens there that doesn't speak HTTP
        raise AwsError(
            f"{_origin(url)} does not speak HTTP ({type(error).__name__}); likely the port belongs to another service. "
            "Correct endpoint_url."
        ) from error


def _tls(verify: bool | str) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=verify if isinstance(verify, str) else None)
    if verify is False:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _origin(url: str) -> str:
    return url.split("/_", 1)[0]


def _reason(error: Exception) -> str:
    cause = getattr(error, "reason", error)
    if isinstance(cause, socket.gaierror):
        return "the host name does not resolve"
    if isinstance(cause, TimeoutError):
        return f"no answer within {TIMEOUT} s"
    if isinstance(cause, OSError) and cause.strerror:
        return cause.strerror[:1].lower() + cause.strerror[1:]
    return str(cause)


def _lower(headers: t.Any) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def _json(body: bytes) -> dict[str, t.Any] | None:
    try:
        document = json.loads(body)
    except ValueError:
        return None
    return document if isinstance(document, dict) else None
