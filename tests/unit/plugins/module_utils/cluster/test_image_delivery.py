"""Which way images take into a cluster that we did not make."""

from __future__ import annotations

import pytest
from ansible_collections.localcloud.stack.plugins.module_utils.cluster.image_delivery import (
    Delivery,
    DeliveryError,
    choose_delivery,
)


@pytest.mark.parametrize(
    ("context", "registry", "commands", "expected"),
    [
        ("kind-kind", "", {"docker", "kind"}, Delivery("kind", "kind")),
        ("kind-two-words", "", {"docker", "kind"}, Delivery("kind", "two-words")),
        ("kind-kind", "", {"docker"}, Delivery("public")),
        ("kind-kind", "", {"podman", "kind"}, Delivery("kind", "kind")),
        ("docker-desktop", "", {"podman"}, Delivery("public")),
        ("kind-kind", "registry:5000/x", {"docker", "kind"}, Delivery("registry")),
        ("docker-desktop", "", {"docker"}, Delivery("docker")),
        ("docker-desktop", "", set(), Delivery("public")),
        ("arn:aws:eks:eu-central-1:1:cluster/c", "", {"docker", "kind"}, Delivery("public")),
        ("eks", "1.dkr.ecr.eu-central-1.amazonaws.com/apps", set(), Delivery("registry")),
    ],
)
def test_it_is_found_by_itself(context: str, registry: str, commands: set[str], expected: Delivery) -> None:
    assert choose_delivery("auto", context, registry, commands) == expected


def test_a_wanted_way_is_taken() -> None:
    assert choose_delivery("public", "kind-kind", "", {"docker", "kind"}) == Delivery("public")
    assert choose_delivery("docker", "my-own", "", {"docker"}) == Delivery("docker")
    assert choose_delivery("parts", "kind-own", "", {"docker", "kind"}) == Delivery("parts", "own")


@pytest.mark.parametrize(
    ("wanted", "context", "commands", "message"),
    [
        ("registry", "eks", set(), "none is named. Set apps_image_registry"),
        ("kind", "kind-kind", {"docker"}, "but kind is not on this machine"),
        ("kind", "kind-kind", set(), "but kind and docker is not on this machine"),
        ("kind", "kind-kind", {"podman"}, "but kind is not on this machine"),
        ("docker", "docker-desktop", {"podman"}, "but docker is not on this machine"),
        ("docker", "docker-desktop", set(), "but docker is not on this machine"),
        ("parts", "kind-kind", {"docker"}, "but kind is not on this machine"),
        ("parts", "eks", {"docker", "kind"}, "'eks' is not a kind cluster's"),
        ("kind", "docker-desktop", {"docker", "kind"}, "'docker-desktop' is not a kind cluster's"),
    ],
)
def test_a_way_that_is_closed(wanted: str, context: str, commands: set[str], message: str) -> None:
    with pytest.raises(DeliveryError, match=message):
        choose_delivery(wanted, context, "", commands)
