# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Floci, a free emulator on the JVM, as a public image only."""

from __future__ import annotations

from ..engine import Choice, Container, Engine, Signs, Wanted

VERSION = "1.7.0"


def _environment(wanted: Wanted) -> dict[str, str]:
    return {
        # Queues' URLs begin with it; by default with localhost, which is each pod's own.
        "FLOCI_BASE_URL": f"http://{wanted.host}",
        "FLOCI_DEFAULT_REGION": wanted.region,
        # LocalStack's variables and ports are not looked at.
        "LOCALSTACK_PARITY": "false",
        "FLOCI_SERVICES_UI_ENABLED": "false",
        # hybrid writes every few seconds, so that an end without a signal loses no more.
        "FLOCI_STORAGE_MODE": "hybrid" if wanted.persistent else "memory",
        "FLOCI_STORAGE_PERSISTENT_PATH": "/data",
    }


ENGINE = Engine(
    name="floci",
    title="Floci",
    place="cluster",
    choices=(
        Choice(
            "`floci`",
            f"Floci {VERSION}, a public image that the cluster must be able to pull, so not in the embedded node. Subscriptions need a filter policy "
            "(the AWS provider gets none without ready), so the event pipeline is refused",
            "kept on a volume, but for the last seconds before a kill",
            "trying it",
        ),
    ),
    container=Container(
        part="",
        image=lambda wanted: f"floci/floci:{VERSION}",
        environment=_environment,
        scratch=("/tmp",),
        data="/data",
        health="/_floci/health",
    ),
    signs=Signs(key="original_edition", page="/_floci/health"),
    kept="Its data were kept, but for what came within seconds before it was killed, if it was.",
    free="Floci (localstack_service_engine=floci)",
    never_ready={
        "subscriptions.unfiltered": "it answers FilterPolicyScope for a subscription without a filter policy, which the AWS provider takes over "
        "and then refuses (filter_policy is required when filter_policy_scope is set); a filter_policy makes it settle",
        "secrets.policy": "PutResourcePolicy stores nothing",
    },
)
