"""How compilers are run, and what recipes make of a module's files."""

from __future__ import annotations

import os
from typing import Any

import pytest
import yaml
from ansible_collections.localcloud.stack.plugins.module_utils.toolchain.recipes import collector, packaged

PAGE = 4096


@pytest.mark.parametrize(("gibibytes", "bounded"), [(64, True), (16, True), (15, False), (4, False)])
def test_a_compiler_collects_no_garbage_where_there_is_memory_enough_for_four(
    monkeypatch: pytest.MonkeyPatch, gibibytes: int, bounded: bool
) -> None:
    found = {"SC_PAGE_SIZE": PAGE, "SC_PHYS_PAGES": gibibytes * 1024**3 // PAGE}
    monkeypatch.setattr(os, "sysconf", found.__getitem__)
    assert ("GOMEMLIMIT" in collector()) is bounded
    assert (collector()["GOGC"] == "off") is bounded


def definition(*versions: str) -> str:
    """A kind's definition in the form of controller-gen."""
    listed: list[dict[str, Any]] = [
        {
            "name": one,
            "schema": {"openAPIV3Schema": {"properties": {"spec": {}}}},
            "served": True,
            "storage": one == versions[0],
        }
        for one in versions
    ]
    return "---\n" + yaml.safe_dump(
        {"kind": "CustomResourceDefinition", "spec": {"group": "s3.aws.upbound.io", "versions": listed}}
    )


def test_the_provider_converts_between_a_kinds_versions() -> None:
    text = definition("v1beta1", "v1beta2")
    made, before = (yaml.safe_load(one) for one in (packaged(text), text))
    webhook = {"clientConfig": {"service": {"path": "/convert"}}, "conversionReviewVersions": ["v1"]}
    assert made["spec"].pop("conversion") == {"strategy": "Webhook", "webhook": webhook}
    assert made == before


def test_a_kind_of_one_version_stays_as_it_is() -> None:
    assert packaged(definition("v1beta1")) == definition("v1beta1")
