# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What AWS has right now of a managed resource, in the words of its spec.forProvider.

Crossplane knows what it saw at its last poll; this asks AWS itself. Each reader gives the fields that it can see, or None
where the thing does not exist; a field that is not in its answer is not compared. Values of secrets are never asked for.
"""

from __future__ import annotations

import typing as t
from concurrent.futures import ThreadPoolExecutor

from ansible_collections.localcloud.stack.plugins.module_utils.aws.client import Clients, aws_errors
from ansible_collections.localcloud.stack.plugins.module_utils.aws.external import Json, Observed, Thing
from ansible_collections.localcloud.stack.plugins.module_utils.aws_resources.catalog import BY_KEY, CLIENTS, READERS
from ansible_collections.localcloud.stack.plugins.module_utils.aws_resources.kind import NAME
from ansible_collections.localcloud.stack.plugins.module_utils.aws_resources.observe import Aws
from ansible_collections.localcloud.stack.plugins.module_utils.common.unexpected import concerning

# Requests under way at once: an emulator is one process, more would only queue up there.
WORKERS = 8


def observe(clients: Clients, things: t.Sequence[Thing]) -> Observed:
    """What AWS has of each. For those that C(observable) refuses, an empty map. Raises AwsError."""
    if not things:
        return Observed([], [])
    aws = Aws(clients)
    clients.get("sts")
    # Made here, as boto3's sessions are not thread-safe.
    for service, region in sorted({(_service(one), _region(one)) for one in things if observable(one)}):
        clients.get(service, region)

    def read(thing: Thing) -> Json | None:
        if not observable(thing):
            return {}
        name = f"{thing.kind} {thing.external_name}"
        with concerning(name), aws_errors(f"looking at {name}", clients.connection.endpoint_url):
            return READERS[thing.kind](aws.within(_region(thing)), thing)

    with ThreadPoolExecutor(min(WORKERS, len(things))) as pool:
        found = list(pool.map(read, things))
    return Observed(found, sorted({one.kind for one in things if not observable(one)}))


def observable(thing: Thing) -> bool:
    """Whether there is a reader for it, and the name by which AWS knows it."""
    kind = BY_KEY.get(thing.kind)
    if kind is None or kind.observe is None:
        return False
    return all(thing.external_name if one == NAME else thing.parameters.get(one) for one in kind.found_by)


def _service(thing: Thing) -> str:
    """The service as boto3 names it."""
    return CLIENTS[thing.kind.split("/")[0]]


def _region(thing: Thing) -> str:
    """Where a thing is; empty where the connection's own region is meant, as for all of IAM."""
    return str(thing.parameters.get("region") or "")
