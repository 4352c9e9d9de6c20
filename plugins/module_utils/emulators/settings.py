# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is behind the stack's AWS endpoint: the rules for its settings, and what follows from them. Pure."""

from __future__ import annotations

import ipaddress
import typing as t

from ansible_collections.localcloud.stack.plugins.module_utils.common.extra_vars import text_problem
from ansible_collections.localcloud.stack.plugins.module_utils.emulators.endpoint import EMULATED_ACCOUNT
from ansible_collections.localcloud.stack.plugins.module_utils.emulators.engine import Engine
from ansible_collections.localcloud.stack.plugins.module_utils.emulators.fault_proxy import problems as fault_problems
from ansible_collections.localcloud.stack.plugins.module_utils.emulators.registry import (
    ENGINES,
    choosable,
    free_choices,
)

# Classes of Ingress whose way of limiting source ranges is known.
SOURCE_RANGE_CLASSES = ("traefik", "nginx")


def problems(settings: t.Mapping[str, t.Any]) -> list[str]:
    """All that is wrong with the settings of a stack's AWS endpoint, a sentence each.

    C(settings): engine, version, token, endpoint, start, account, role_arn, credentials, faults, ingress_class, source_ranges,
    own_image (version of an image that was built, empty where images are pulled). Empty means not set.
    """
    name = settings["engine"]
    if name not in choosable():
        hint = (
            f" {ENGINES[name].title} is used with localstack_service_engine=outside, at its endpoint."
            if name in ENGINES
            else ""
        )
        return [f"There is no engine '{name}'. Set localstack_service_engine to one of {', '.join(choosable())}.{hint}"]
    engine = ENGINES[name]
    found = engine.problems(settings)
    # Whether a version needs a token can be said only of one that exists.
    if not found or not engine.token:
        found = found + _token_problems(engine, settings)
    if settings["endpoint"] and not engine.is_outside:
        found.append(
            f"localstack_service_outside_endpoint is set, but the engine is '{name}', which has none outside. Remove it, "
            "or set localstack_service_engine=outside."
        )
    if settings["account"] and engine.is_emulated:
        found.append(
            f"localstack_service_account is set, but the engine is '{name}', which has the account {EMULATED_ACCOUNT}. "
            "Remove it, or set localstack_service_engine=aws."
        )
    return found + _faults(settings) + _ingress(settings)


def _faults(settings: t.Mapping[str, t.Any]) -> list[str]:
    """Faults that are wrong, or that no proxy would do."""
    if not settings["faults"]:
        return []
    found = fault_problems(settings["faults"], "localstack_service_faults")
    if not ENGINES[settings["engine"]].is_outside or not settings["start"]:
        found.append(
            "localstack_service_faults is set, but the proxy that does them is put only before an emulator that is started on this machine. Remove "
            "it, or set localstack_service_engine=outside and localstack_service_outside_start=true."
        )
    return found


def _ingress(settings: t.Mapping[str, t.Any]) -> list[str]:
    """Source ranges that no rule would enforce are worse than none."""
    if problem := text_problem("stack_ingress_source_ranges", settings["source_ranges"], "list"):
        return [problem]
    found = []
    for network in settings["source_ranges"]:
        try:
            ipaddress.ip_network(network)
        except ValueError as error:
            found.append(f"'{network}' is not a network ({error}). Give source ranges like 10.0.0.0/8.")
    if settings["source_ranges"] and settings["ingress_class"] not in SOURCE_RANGE_CLASSES:
        found.append(
            f"How the Ingress class '{settings['ingress_class']}' limits source ranges is not known here. Use one of "
            f"{', '.join(SOURCE_RANGE_CLASSES)}, or leave stack_ingress_source_ranges empty."
        )
    return found


def _token_problems(engine: Engine, settings: t.Mapping[str, t.Any]) -> list[str]:
    """A token that is missing, or given where none is needed; of the version only what is right by itself."""
    version, given = str(settings["version"]), settings["token"]
    if given and not engine.token:
        return [f"A token is given, but the engine '{engine.name}' needs none. Remove it, so that it stays unseen."]
    needed = bool(engine.token and engine.token.needed(version))
    if given and not needed:
        return [f"A token is given, but {engine.title} {version} needs none. Remove it, so that it stays unseen."]
    if needed and not given and engine.token:
        return [
            f"{engine.title} {version} runs only with a token: put it into the environment variable {engine.token.variable}. "
            f"{free_choices()}."
        ]
    return []
