# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An emulator's endpoint. Pure."""

from __future__ import annotations

import ipaddress
import re
import typing as t
import urllib.parse

# The account that emulators have; real AWS never assigns it.
EMULATED_ACCOUNT = "000000000000"


class Endpoint(t.NamedTuple):
    """An emulator's address."""

    host: str
    port: int

    @property
    def is_address(self) -> bool:
        """Whether the host is an IPv4 address rather than a name."""
        return is_ipv4(self.host)


def is_ipv4(host: str) -> bool:
    """Whether a host is an IPv4 address."""
    try:
        return ipaddress.ip_address(host).version == 4
    except ValueError:
        return False


def parse_endpoint(text: str) -> Endpoint:
    """The host and port of http://host:port. Raises ValueError with one sentence on what is wrong."""
    said = f"The endpoint '{text}'"
    try:
        url = urllib.parse.urlsplit(text)
        host, port = url.hostname or "", url.port
    except ValueError as error:
        raise ValueError(f"{said} is not a URL ({error}). Give it as http://host:port.") from None
    if url.scheme == "https":
        raise ValueError(
            f"{said} is https, but pods can't know the emulator's certificate. Give it as http://host:port."
        )
    if url.scheme != "http" or not host:
        raise ValueError(f"{said} is not an http URL. Give it as http://host:port.")
    if ":" in host:
        raise ValueError(
            f"{said} has an IPv6 address, which a cluster's IPv4 Service can't lead to. Give an IPv4 address or a name."
        )
    if url.path or url.query or url.fragment or "?" in text or "#" in text:
        extra = "a trailing slash" if url.path == "/" else "a path"
        raise ValueError(
            f"{said} has {extra}, which AWS's clients would add to every request. Give it as http://host:port."
        )
    if url.username or url.password:
        raise ValueError(
            f"{said.partition('//')[0]}//…' has a user, but no emulator asks for one. Give it as http://host:port."
        )
    if not re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?", host):
        raise ValueError(f"{said} has no valid host name. Give it as http://host:port.")
    return Endpoint(host, port if port is not None else 80)
