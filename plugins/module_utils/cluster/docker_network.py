# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Docker's and Podman's networks, as far as pods of a kind cluster reach this machine by them. Pure."""

from __future__ import annotations

import ipaddress
import json
from typing import Any


def ipv4_gateway(inspected: str) -> str:
    """The machine's own IPv4 address in a network, of what `docker network inspect` or Podman's prints (JSON); empty where that says none.

    Since Docker 27 the first of its IPAM entries may be of IPv6, and an entry may leave its gateway out, which is the subnet's first
    address then.
    """
    try:
        (network,) = json.loads(inspected or "[{}]")
        entries: list[dict[str, Any]] = network.get("subnets") or network.get("IPAM", {}).get("Config") or []
        # Podman writes the same names small.
        known = [{name.lower(): value for name, value in one.items()} for one in entries]
        subnets = [
            (ipaddress.ip_network(one["subnet"], strict=False), one.get("gateway"))
            for one in known
            if one.get("subnet")
        ]
    except (ValueError, TypeError, AttributeError):
        return ""
    for subnet, gateway in subnets:
        if subnet.version == 4:
            return str(gateway or subnet.network_address + 1).partition("/")[0]
    return ""
