# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filters about what is behind a stack's AWS endpoint."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.localcloud.stack.plugins.module_utils.emulators import registry
from ansible_collections.localcloud.stack.plugins.module_utils.emulators.endpoint import parse_endpoint
from ansible_collections.localcloud.stack.plugins.module_utils.emulators.settings import problems
from ansible_collections.localcloud.stack.plugins.plugin_utils import told
from ansible_collections.localcloud.stack.plugins.plugin_utils.values import plain


def emulator_problems(settings: Mapping[str, Any]) -> list[str]:
    """All that is wrong with the settings, a sentence each."""
    return problems(settings)


def answer_problems(answer: Mapping[str, Any], endpoint: str) -> list[str]:
    """Why what answers at an endpoint, as localstack_info returned it, can't be the stack's emulator, a sentence each."""
    return registry.answer_problems(str(endpoint), str(answer["health"]["engine"]), str(answer["account"]["id"]))


def embedded_engine_problems(name: str, settings: Mapping[str, Any]) -> list[str]:
    """Why the embedded node can't have an engine, a sentence each."""
    return registry.embedded_problems(str(name), str(settings["version"]), str(settings["image"]))


def endpoint_target(endpoint: str) -> dict[str, Any]:
    """Host and port of an endpoint, and whether the host is an address. Raises AnsibleFilterError."""
    try:
        parsed = parse_endpoint(endpoint)
    except ValueError as error:
        raise AnsibleFilterError(str(error)) from None
    return {**parsed._asdict(), "is_address": parsed.is_address}


def engine(name: str) -> dict[str, Any]:
    """What playbooks ask of an engine."""
    return registry.facts(str(name))


def engine_container(name: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """What an engine's pod is made of."""
    return registry.container_facts(str(name), plain(settings))


def engine_process(name: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """How an engine is run on this machine. Raises AnsibleFilterError."""
    try:
        return registry.process_facts(str(name), plain(settings))
    except ValueError as error:
        raise AnsibleFilterError(str(error)) from None


def presumed_engine(name: str, settings: Mapping[str, Any]) -> dict[str, str]:
    """Which engine answers, as far as that is known before it does."""
    return registry.presumed(str(name), plain(settings))


def engine_lacks(facts: Mapping[str, Any]) -> list[str]:
    """The AWS services that the engine does not have."""
    return registry.lacking(str(facts["emulator"]), str(facts["version"]))


def engine_notes(facts: Mapping[str, Any]) -> list[str]:
    """What a user should know of the emulator that answers, a sentence each."""
    return registry.notes(str(facts["emulator"]), str(facts["version"]))


def services_of(kinds: Sequence[str]) -> list[str]:
    """The AWS services, as AWS names them, of Crossplane's kinds: plural.service.aws.upbound.io or service.aws.upbound.io/version."""
    from ansible_collections.localcloud.stack.plugins.module_utils.aws_resources.catalog import CLIENTS

    found = {match[1] for kind in kinds if (match := re.search(r"(?:^|\.)([a-z0-9]+)\.aws(?:\.m)?\.upbound\.io", kind))}
    return sorted({CLIENTS.get(one, one) for one in found})


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, Any]:
        return told.filters(
            {
                "answer_problems": answer_problems,
                "embedded_engine_problems": embedded_engine_problems,
                "emulator_problems": emulator_problems,
                "endpoint_target": endpoint_target,
                "engine": engine,
                "engine_container": engine_container,
                "engine_lacks": engine_lacks,
                "engine_notes": engine_notes,
                "engine_process": engine_process,
                "presumed_engine": presumed_engine,
                "services_of": services_of,
            }
        )
