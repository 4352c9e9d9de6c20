"""Which cluster is used, and that no other is touched."""

from __future__ import annotations

import pytest
from ansible_collections.localcloud.stack.plugins.module_utils.cluster.choice import (
    ChoiceError,
    Host,
    Kubeconfig,
    choose,
    explain_unreachable,
)
from ansible_collections.localcloud.stack.plugins.module_utils.cluster.docker import DockerState

OWN = "localcloud-0a1b2c3d"
OWN_KIND = f"kind-{OWN}"
LINUX = Host("Linux", root=True)
USER = Host("Linux", root=False)
MAC = Host("Darwin", root=False)
NONE = DockerState(False, "Docker is not on this machine. Install it.")
LOCKED = DockerState(True, "Docker runs, but this user may not use it.")
DOCKER = DockerState(True, None)


def chosen(
    mode: str = "auto",
    wanted: str | None = None,
    allowed: tuple[str, ...] = (),
    *,
    host: Host = LINUX,
    docker: DockerState = NONE,
    named: bool = False,
    last: str = "",
) -> tuple[str, str]:
    contexts = ["a", "b", "production", OWN, OWN_KIND] if wanted else []
    return choose(mode, Kubeconfig(contexts, wanted, named), allowed, OWN, host, lambda: docker, last)


@pytest.mark.parametrize("host", [LINUX, USER, MAC])
@pytest.mark.parametrize("docker", [NONE, LOCKED, DOCKER])
@pytest.mark.parametrize("mode", ["auto", "kubeconfig", "existing"])
def test_an_allowed_context_comes_first(mode: str, docker: DockerState, host: Host) -> None:
    assert chosen(mode, "b", ("a", "b"), host=host, docker=docker, last="kind") == ("existing", "b")


@pytest.mark.parametrize("host", [LINUX, USER, MAC])
@pytest.mark.parametrize("wanted", [None, OWN, OWN_KIND, "production"])
def test_else_docker_gets_a_kind_cluster(wanted: str | None, host: Host) -> None:
    """Also beside a kubeconfig that somebody works with: its cluster is not touched."""
    assert chosen(wanted=wanted, host=host, docker=DOCKER) == ("kind", OWN_KIND)


@pytest.mark.parametrize("docker", [NONE, LOCKED])
@pytest.mark.parametrize("wanted", [None, OWN])
def test_else_linux_with_root_gets_the_embedded_node(wanted: str | None, docker: DockerState) -> None:
    assert chosen(wanted=wanted, docker=docker) == ("embedded", OWN)


@pytest.mark.parametrize(("last", "context"), [("embedded", OWN), ("kind", OWN_KIND)])
def test_the_cluster_that_this_checkout_has_stays(last: str, context: str) -> None:
    """Docker that was installed meanwhile makes no second one."""
    assert chosen(docker=DOCKER, last=last) == (last, context)


def test_a_kind_cluster_whose_docker_does_not_answer_is_not_replaced() -> None:
    with pytest.raises(ChoiceError, match="may not use it"):
        chosen(docker=LOCKED, last="kind")


def test_a_mode_forces() -> None:
    assert chosen("embedded", "production", docker=DOCKER) == ("embedded", OWN)
    assert chosen("kind", "a", ("a",), docker=DOCKER, last="embedded") == ("kind", OWN_KIND)
    with pytest.raises(ChoiceError, match="Docker is not on this machine"):
        chosen("kind", docker=NONE)


@pytest.mark.parametrize("host", [USER, MAC])
def test_docker_that_may_not_be_used_is_told_where_nothing_else_goes(host: Host) -> None:
    with pytest.raises(ChoiceError, match="may not use it"):
        chosen(docker=LOCKED, host=host)


@pytest.mark.parametrize(("named", "docker"), [(False, NONE), (True, NONE), (True, DOCKER)])
def test_a_context_that_nobody_allowed_is_refused_with_the_way_out(named: bool, docker: DockerState) -> None:
    """Where it was asked for, or what is made instead would take long."""
    with pytest.raises(ChoiceError) as caught:
        chosen(wanted="production", allowed=("a",), named=named, docker=docker)
    for part in ("'production'", "not touched", '"cluster_allowed_contexts":["production"]', "cluster_mode=embedded"):
        assert part in str(caught.value)


@pytest.mark.parametrize(
    ("mode", "wanted", "message"),
    [
        ("kubeconfig", None, "no kubeconfig"),
        ("existing", "c", "no context 'c'; it has: a, b"),
    ],
)
def test_what_is_missing_is_named(mode: str, wanted: str | None, message: str) -> None:
    with pytest.raises(ChoiceError, match=message):
        chosen(mode, wanted, ("b",))


@pytest.mark.parametrize("host", [Host("Darwin", root=True), USER, Host("Linux", root=True, cgroups=False)])
def test_a_machine_that_cannot_carry_the_node_is_told_what_can(host: Host) -> None:
    with pytest.raises(ChoiceError, match="Start Docker.*Docker Desktop.*kind create cluster"):
        chosen(host=host)


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        ("(401) Reason: Unauthorized", "expired"),
        ("Max retries exceeded: Connection refused", "does not answer"),
        ("certificate verify failed: self-signed", "certificate does not fit"),
        ("something else", "something else"),
    ],
)
def test_an_unusable_cluster_is_explained(error: str, cause: str) -> None:
    message = explain_unreachable("kind-kind", error)
    assert "kind-kind" in message
    assert cause in message
