"""Addresses that the service gives away: where its callers reach it."""

from __future__ import annotations

import re
from ipaddress import ip_address
from urllib.parse import quote

from starlette.datastructures import Headers
from starlette.requests import Request

from localcloud_users_api.settings import Network
from localcloud_web.settings import HOST

PREFIX = re.compile(r"(/[A-Za-z0-9._~-]+)+")
HOST_HEADER = re.compile(HOST)
# What stays readable in a path although it could be quoted.
SAFE = "@+"


def user_path(email: str) -> str:
    """Give the path of a user."""
    return f"/user/{quote(email, safe=SAFE)}"


class Links:
    """Where callers reach the service: `public_url`, or what each request was sent to.

    What a proxy says (X-Forwarded-Proto, -Host, -Prefix) is believed only if its address is in `trusted`.
    """

    def __init__(self, public_url: str, trusted: tuple[Network, ...]) -> None:
        self._public_url = public_url.rstrip("/")
        self._trusted = trusted

    def base(self, request: Request) -> str:
        """Give the service's address as the request's sender sees it, without a slash at its end."""
        if self._public_url:
            return self._public_url
        told = request.headers if self._is_trusted(request) else Headers()
        forwarded = _last(told, "x-forwarded-proto").lower()
        scheme = forwarded if forwarded in {"http", "https"} else request.scope["scheme"]
        prefix = _last(told, "x-forwarded-prefix").rstrip("/")
        return (
            f"{scheme}://"
            f"{self._host(request, _last(told, 'x-forwarded-host'))}"
            f"{prefix if PREFIX.fullmatch(prefix) else ''}"
        )

    def _host(self, request: Request, forwarded: str) -> str:
        for host in (forwarded, request.headers.get("host", "")):
            if HOST_HEADER.fullmatch(host):
                return host
        server = request.scope.get("server") or ("localhost", None)
        return f"{server[0]}:{server[1]}" if server[1] else str(server[0])

    def _is_trusted(self, request: Request) -> bool:
        if not self._trusted or request.client is None:
            return False
        try:
            address = ip_address(request.client.host)
        except ValueError:
            return False
        return any(address in network for network in self._trusted)


def _last(headers: Headers, name: str) -> str:
    """Give the header's last entry: the one that the proxy next to us has made or let through."""
    return headers.get(name, "").rpartition(",")[2].strip()
