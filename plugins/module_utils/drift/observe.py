# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What AWS has right now of a managed resource, in the words of its spec.forProvider.

Crossplane knows what it saw at its last poll; this asks AWS itself. Each reader gives the fields that it can see, or None
where the resource does not exist; a field that is not in its answer is not compared. Values of secrets are never asked for.
"""

from __future__ import annotations

import typing as t
from concurrent.futures import ThreadPoolExecutor

from ansible_collections.localcloud.stack.plugins.module_utils.aws.client import Clients, aws_errors
from ansible_collections.localcloud.stack.plugins.module_utils.aws.external import ExternalResource, Json, Observed
from ansible_collections.localcloud.stack.plugins.module_utils.aws_resources.catalog import BY_KEY, CLIENTS, READERS
from ansible_collections.localcloud.stack.plugins.module_utils.aws_resources.kind import NAME
from ansible_collections.localcloud.stack.plugins.module_utils.aws_resources.observe import Aws
from ansible_collections.localcloud.stack.plugins.module_utils.common.unexpected import concerning

# Requests under way at once: an emulator is one process, more would only queue up there.
WORKERS = 8


def observe(clients: Clients, resources: t.Sequence[ExternalResource]) -> Observed:
    """What AWS has of each. For those that C(observable) refuses, an empty map. Raises AwsError."""
    if not resources:
        return Observed([], [])
    aws = Aws(clients)
    clients.get("sts")
    # Made here, as boto3's sessions are not thread-safe.
    for service, region in sorted({(_service(one), _region(one)) for one in resources if observable(one)}):
        clients.get(service, region)

    def read(resource: ExternalResource) -> Json | None:
        if not observable(resource):
            return {}
        name = f"{resource.kind} {resource.external_name}"
        with concerning(name), aws_errors(f"looking at {name}", clients.connection.endpoint_url):
            return READERS[resource.kind](aws.within(_region(resource)), resource)

    with ThreadPoolExecutor(min(WORKERS, len(resources))) as pool:
        found = list(pool.map(read, resources))
    return Observed(found, sorted({one.kind for one in resources if not observable(one)}))


def observable(resource: ExternalResource) -> bool:
    """Whether there is a reader for it, and the name by which AWS knows it."""
    kind = BY_KEY.get(resource.kind)
    if kind is None or kind.observe is None:
        return False
    return all(resource.external_name if one == NAME else resource.parameters.get(one) for one in kind.found_by)


def _service(resource: ExternalResource) -> str:
    """The service as boto3 names it."""
    return CLIENTS[resource.kind.split("/")[0]]


def _region(resource: ExternalResource) -> str:
    """Where a resource is; empty where the connection's own region is meant, as for all of IAM."""
    return str(resource.parameters.get("region") or "")
