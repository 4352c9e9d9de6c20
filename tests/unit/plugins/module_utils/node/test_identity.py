"""Names and addresses: stable, apart from each other, and never where the host is already."""

from __future__ import annotations

import ipaddress

import pytest
from ansible_collections.localcloud.stack.plugins.module_utils.node.identity import RANGE, candidates, choose


def test_the_same_checkout_gets_the_same_identity() -> None:
    assert choose("/home/me/stack", []) == choose("/home/me/stack", [])


def test_checkouts_differ() -> None:
    one, other = choose("/home/me/stack", []), choose("/home/me/stack2", [])
    assert one.name != other.name
    assert one.interface != other.interface
    assert one.node_address != other.node_address


def test_interface_names_fit_the_kernel() -> None:
    assert len(choose("/" + "deep/" * 80, []).interface) <= 15


def test_taken_networks_are_left_alone() -> None:
    first = choose("/home/me/stack", [])
    second = choose("/home/me/stack", [f"{first.host_address}/32"])
    assert second.node_address != first.node_address
    assert second.name == first.name


def test_a_default_route_takes_nothing() -> None:
    assert choose("/x", ["0.0.0.0/0"]) == choose("/x", [])


def test_both_ends_are_in_one_network_of_the_range() -> None:
    identity = choose("/x", [])
    host = ipaddress.ip_interface(f"{identity.host_address}/30")
    node = ipaddress.ip_interface(f"{identity.node_address}/30")
    assert host.network == node.network
    assert host.network.subnet_of(RANGE)
    assert identity.registry == f"{identity.node_address}:5000"


def test_a_full_range_is_an_error_that_names_it() -> None:
    with pytest.raises(LookupError, match=r"10\.213\.0\.0/16"):
        choose("/x", [str(RANGE)])


def test_every_network_is_a_candidate_once() -> None:
    networks = list(candidates("/x"))
    assert len(networks) == len(set(networks)) == 2**14
