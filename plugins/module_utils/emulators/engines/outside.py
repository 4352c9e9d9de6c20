# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An emulator outside the cluster: one that runs already, or one that is started on this machine."""

from __future__ import annotations

import ipaddress

from ..endpoint import parse_endpoint
from ..engine import Choice, Engine, Json


def _problems(settings: Json) -> list[str]:
    endpoint = settings["endpoint"]
    if not endpoint:
        return []
    if settings["start"]:
        return [
            "localstack_service_outside_endpoint and localstack_service_outside_start are both set. Set the first for an emulator "
            "that runs already, the second to have one started."
        ]
    try:
        parsed = parse_endpoint(endpoint)
    except ValueError as error:
        return [str(error)]
    if not parsed.is_address and parsed.port != 4566:
        return [
            f"The endpoint '{endpoint}' has a name and another port than 4566, and a Service by name can't change ports. Give the "
            "IPv4 address instead of the name, or let the emulator listen on 4566."
        ]
    if parsed.is_address and ipaddress.ip_address(parsed.host).is_loopback:
        return [
            f"The endpoint '{endpoint}' is a loopback address, which is each pod's own. Give the address that the cluster's nodes "
            "reach this machine by."
        ]
    return []


ENGINE = Engine(
    name="outside",
    title="an emulator outside the cluster",
    place="outside",
    choices=(
        Choice(
            "`outside`",
            "an emulator that runs elsewhere: Docker Desktop's extension, a process of this machine (`localstack_service_outside_start=true` "
            "starts MiniStack), or at `localstack_service_outside_endpoint` one that is recognized: LocalStack, MiniStack, Floci, moto",
            "its own matter",
            "one emulator for several clusters",
        ),
    ),
    problems=_problems,
)
