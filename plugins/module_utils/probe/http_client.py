# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One request and its answer, within a time and a size. Redirects are followed within one origin only."""

from __future__ import annotations

import base64
import contextlib
import json
import mimetypes
import os
import time
import typing as t
from urllib.parse import unquote, urljoin, urlsplit

from ansible_collections.localcloud.stack.plugins.module_utils.common.environment import client_proxy, own_networks
from ansible_collections.localcloud.stack.plugins.module_utils.common.printable import PrintableError
from ansible_collections.localcloud.stack.plugins.module_utils.probe.http_answer import Answer

with contextlib.suppress(ImportError):  # the module names what is not there
    import urllib3

REDIRECTS = 5
REDIRECTING = (301, 302, 303, 307, 308)
CHUNK = 65_536
LARGEST = 32 * 1024 * 1024
DEFAULT_PORTS = {"http": 80, "https": 443}


class NoAnswerError(PrintableError):
    """A request got no answer; the text says why, and what to do."""


class Request(t.NamedTuple):
    method: str
    url: str
    headers: dict[str, str]
    body: bytes | None = None


def request_with(
    method: str, url: str, headers: t.Mapping[str, str], send: tuple[str, t.Any] | None, files: t.Any
) -> Request:
    """A request with the body that C(send) says: C(send_json), C(send_form) or C(send_body) with its value.

    C(files) has the bytes of each file that a form names.
    """
    body, content_type = _body(send, files)
    own = {
        "User-Agent": "localcloud.stack",
        **({"Content-Type": content_type} if content_type else {}),
        **_credentials(url),
    }
    given = {name.lower() for name in headers}
    return Request(
        method, url, {name: one for name, one in own.items() if name.lower() not in given} | dict(headers), body
    )


def _credentials(url: str) -> dict[str, str]:
    """The header for a URL's user and password, which urllib3 does not send by itself."""
    parts = urlsplit(url)
    if "@" not in parts.netloc:
        return {}
    user = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}"
    return {"Authorization": f"Basic {base64.b64encode(user.encode()).decode()}"}


def _body(send: tuple[str, t.Any] | None, files: t.Mapping[str, bytes]) -> tuple[bytes | None, str | None]:
    if send is None:
        return None, None
    kind, value = send
    if kind == "send_json":
        return json.dumps(value, ensure_ascii=False).encode(), "application/json"
    if kind == "send_body":
        return value.encode(), "text/plain; charset=utf-8"
    fields = {name: _file_field(one, files) if isinstance(one, dict) else one for name, one in value.items()}
    return urllib3.filepost.encode_multipart_formdata(fields)


def _file_field(field: t.Mapping[str, str], files: t.Mapping[str, bytes]) -> tuple[str, bytes, str]:
    path = field["file"]
    guessed = mimetypes.guess_type(path)[0] or "application/octet-stream"
    return os.path.basename(path), files[path], field.get("content_type") or guessed


class Client:
    """Sends requests, by the environment's proxies where these are for the address. Keeps connections."""

    def __init__(self, environ: t.Mapping[str, str] | None = None) -> None:
        self._environ = os.environ if environ is None else environ
        self._networks = own_networks()
        self._pools: dict[str | None, t.Any] = {}

    def answer(self, request: Request, seconds: float, wanted: t.Container[int] = ()) -> Answer:
        """What comes back within so many seconds. A redirect whose status is wanted is not followed. Raises NoAnswerError."""
        deadline = time.monotonic() + seconds
        for _hop in range(REDIRECTS + 1):
            answer = self._once(request, deadline)
            target = answer.headers.get("location")
            if answer.status not in REDIRECTING or answer.status in wanted or not target:
                return answer
            url = urljoin(request.url, target)
            if origin(url) != origin(request.url):
                return answer._replace(elsewhere=url)
            request = redirected(request, answer.status, url)
        raise NoAnswerError(
            f"gave more than {REDIRECTS} redirects, the last one to {request.url}. Look at what the service redirects"
        )

    def _once(self, request: Request, deadline: float) -> Answer:
        left = deadline - time.monotonic()
        if left <= 0:
            raise NoAnswerError("was redirected until the time was up. Look at what the service redirects")
        try:
            response = self._pool(request.url).request(
                request.method,
                request.url,
                body=request.body,
                headers=request.headers,
                redirect=False,
                retries=False,
                timeout=urllib3.Timeout(total=left),
                preload_content=False,
            )
            with contextlib.closing(response):
                body = _read(response, deadline)
                headers = {name.lower(): value for name, value in response.headers.items()}
                return Answer(response.status, headers, body)
        # ValueError: what http.client or the codecs refuse.
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            raise NoAnswerError(f"got no answer ({no_answer(error)}") from error

    def _pool(self, url: str) -> t.Any:
        proxy = client_proxy(url, self._environ, self._networks)
        if proxy not in self._pools:
            self._pools[proxy] = _through(proxy) if proxy else urllib3.PoolManager()
        return self._pools[proxy]


def _through(proxy: str) -> t.Any:
    parts = urlsplit(proxy)
    user = f"{parts.username or ''}:{parts.password or ''}"
    headers = urllib3.make_headers(proxy_basic_auth=user) if "@" in parts.netloc else None
    return urllib3.ProxyManager(parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl(), proxy_headers=headers)


def _read(response: t.Any, deadline: float) -> bytes:
    """The whole body. Raises NoAnswerError for one that does not end in time or is too large."""
    some = getattr(
        response, "read1", response.read
    )  # read1 does not wait until a whole chunk is there; urllib3 2 has it
    parts: list[bytes] = []
    size = 0
    while part := some(CHUNK):
        parts.append(part)
        size += len(part)
        if size > LARGEST:
            raise NoAnswerError(f"got more than {LARGEST // 1024**2} MiB. Ask for something smaller")
        if time.monotonic() > deadline:
            raise NoAnswerError(
                f"did not end within its time, after {size} bytes. Likely it is a stream; ask for something finite"
            )
    return b"".join(parts)


def redirected(request: Request, status: int, url: str) -> Request:
    """The request that follows a redirect: https://www.rfc-editor.org/rfc/rfc9110#name-redirection-3xx."""
    if (status == 303 and request.method != "HEAD") or (status in (301, 302) and request.method == "POST"):
        kept = {name: one for name, one in request.headers.items() if not name.lower().startswith("content-")}
        return Request("GET", url, kept)
    return request._replace(url=url)


def origin(url: str) -> tuple[str, str | None, int | None]:
    """Scheme, host and port."""
    parts = urlsplit(url)
    try:
        return parts.scheme, parts.hostname, parts.port or DEFAULT_PORTS.get(parts.scheme)
    except ValueError:
        return parts.scheme, None, None


def no_answer(error: BaseException) -> str:
    """Why there was none, the likely cause, and what to do."""
    kinds = {one.__name__ for one in type(error).__mro__}
    text = str(error)
    if "NameResolutionError" in kinds or "Name or service not known" in text:
        return "its host name does not resolve). Likely the name is wrong; correct url"
    if "ProxyError" in kinds or "ProxySchemeUnknown" in kinds:
        return f"{_reason(text)}). Likely the environment's proxy cannot be used; correct it, or except the host by NO_PROXY"
    if "SSLError" in kinds:
        return f"{_reason(text)}). Likely it speaks plain http or its certificate is not trusted; correct url, or set SSL_CERT_FILE"
    if "refused" in text:
        return "the connection was refused). Likely nothing listens there, as no pod is ready; look at the pods and their log"
    # To urllib3 any connection that fails took too long.
    if kinds & {"ConnectTimeoutError", "ReadTimeoutError", "TimeoutError"} and "timed out" in text:
        return "it took too long). Likely the service hangs or a firewall drops the packets; look at its log"
    return f"{_reason(text)}). Likely no pod is ready or another program listens there; look at the pods and their log"


def _reason(text: str) -> str:
    """An error's text without the object that urllib3 puts before it."""
    return text.rpartition("object at 0x")[2].partition(": ")[2] or text
