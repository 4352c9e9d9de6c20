"""By which address kind's nodes reach this machine, as versions of Docker tell it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.localcloud.stack.plugins.module_utils.cluster.docker_network import ipv4_gateway
from hypothesis import given
from hypothesis import strategies as st

V4 = {"Subnet": "172.18.0.0/16", "Gateway": "172.18.0.1"}
V6 = {"Subnet": "fc00:f853:ccd:e793::/64", "Gateway": "fc00:f853:ccd:e793::1"}


@pytest.mark.parametrize(
    ("entries", "gateway"),
    [
        ([V4, V6], "172.18.0.1"),
        ([V6, V4], "172.18.0.1"),
        ([V6, {"Subnet": "172.18.0.0/16"}], "172.18.0.1"),
        ([V6, {**V4, "Gateway": ""}], "172.18.0.1"),
        ([{**V4, "Gateway": "172.18.0.9/16"}], "172.18.0.9"),
        ([V6], ""),
        ([], ""),
        (None, ""),
    ],
)
def test_it_is_the_one_of_ipv4_wherever_it_stands(entries: Any, gateway: str) -> None:
    assert ipv4_gateway(json.dumps([{"Name": "kind", "IPAM": {"Config": entries}}])) == gateway


def test_podman_s() -> None:
    """As Podman 4.3 describes a network that kind has made."""
    subnets = [
        {"subnet": "fc00:f853:ccd:e793::/64", "gateway": "fc00:f853:ccd:e793::1"},
        {"subnet": "10.89.0.0/24", "gateway": "10.89.0.1"},
    ]
    assert ipv4_gateway(json.dumps([{"name": "kind", "driver": "bridge", "subnets": subnets}])) == "10.89.0.1"


@pytest.mark.parametrize("printed", ["", "[]", "Error: no such network: kind", '[{"IPAM": null}]', '["kind"]', "7"])
def test_what_says_none_gives_none(printed: str) -> None:
    assert ipv4_gateway(printed) == ""


@given(st.text())
def test_nothing_that_docker_prints_is_an_error(printed: str) -> None:
    assert ipv4_gateway(printed) == ""
