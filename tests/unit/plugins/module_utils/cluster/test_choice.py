"""Which cluster is used, and that no other is touched."""

from __future__ import annotations

import pytest
from ansible_collections.localcloud.stack.plugins.module_utils.cluster.choice import (
    ChoiceError,
    Host,
    choose,
    explain_unreachable,
)

OWN = "localcloud-0a1b2c3d"
LINUX = Host("Linux", root=True)


@pytest.mark.parametrize(
    ("mode", "contexts", "wanted", "allowed", "expected"),
    [
        ("auto", [], None, [], ("embedded", OWN)),
        ("auto", [OWN], OWN, [], ("embedded", OWN)),
        ("auto", ["kind-kind"], "kind-kind", ["kind-kind"], ("existing", "kind-kind")),
        ("existing", ["a", "b"], "b", ["b"], ("existing", "b")),
        ("embedded", ["production"], "production", [], ("embedded", OWN)),
    ],
)
def test_choice(mode: str, contexts: list[str], wanted: str | None, allowed: list[str], expected: tuple) -> None:
    assert choose(mode, contexts, wanted, allowed, OWN, LINUX) == expected


def test_a_context_that_nobody_allowed_is_refused_with_the_way_out() -> None:
    with pytest.raises(ChoiceError) as caught:
        choose("auto", ["production"], "production", ["kind-kind"], OWN, LINUX)
    for part in ("'production'", "not touched", '"cluster_allowed_contexts":["production"]', "cluster_mode=embedded"):
        assert part in str(caught.value)


@pytest.mark.parametrize(
    ("mode", "contexts", "wanted", "message"),
    [
        ("existing", [], None, "no kubeconfig"),
        ("existing", ["a"], "b", "no context 'b'; it has: a"),
    ],
)
def test_what_is_missing_is_named(mode: str, contexts: list[str], wanted: str | None, message: str) -> None:
    with pytest.raises(ChoiceError, match=message):
        choose(mode, contexts, wanted, ["b"], OWN, LINUX)


@pytest.mark.parametrize(
    "host", [Host("Darwin", root=True), Host("Linux", root=False), Host("Linux", root=True, cgroups=False)]
)
def test_a_machine_that_cannot_carry_the_node_is_told_what_can(host: Host) -> None:
    with pytest.raises(ChoiceError, match="Docker Desktop.*kind create cluster"):
        choose("auto", [], None, [], OWN, host)


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
