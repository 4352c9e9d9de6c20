# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which cluster a run uses. Pure: the rule and its messages."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from ansible_collections.localcloud.stack.plugins.module_utils.common.printable import ModuleError
from ansible_collections.localcloud.stack.plugins.module_utils.node.identity import OWN_CGROUPS

from .docker import DockerState

INSTEAD = (
    "Start Docker, or a Kubernetes of your own (Docker Desktop: Settings > Kubernetes > Enable; or `kind create cluster`), and allow "
    "its context with cluster_allowed_contexts."
)
# kubeconfig: its cluster, which existing is the older name of. kind, embedded: one of this checkout's own.
MODES = ("auto", "kind", "embedded", "kubeconfig", "existing")
KIND_PREFIX = "kind-"


class ChoiceError(ModuleError):
    """No cluster can be chosen; the message says why and what to do."""


@dataclass(frozen=True)
class Host:
    """What matters of the machine: can it carry the embedded node?"""

    system: str
    root: bool
    cgroups: bool = True


@dataclass(frozen=True)
class Kubeconfig:
    """What a kubeconfig has. C(wanted): the context to use, by default its current one; None without a kubeconfig. C(named): whether
    it was asked for by name, rather than that it happens to be there."""

    contexts: Collection[str] = ()
    wanted: str | None = None
    named: bool = False


def choose(
    mode: str,
    kubeconfig: Kubeconfig,
    allowed: Sequence[str],
    own: str,
    host: Host,
    docker: Callable[[], DockerState],
    last: str = "",
    node: str = "",
) -> tuple[str, str]:
    """Kind of cluster (`existing`, `kind` or `embedded`) and its context.

    `mode`: one of MODES. `own`: name of this checkout's stack, which its embedded node's context is, unless that is `node`; that of its kind
    cluster has kind's prefix. `docker` is asked only where it matters. `last`: the kind of this checkout's own cluster, if there is one.
    A context that is neither allowed nor our own is never used. Raises ChoiceError.
    """
    ours = {"embedded": node or own, "kind": f"{KIND_PREFIX}{own}"}
    if mode in ("kubeconfig", "existing"):
        return "existing", _allowed(kubeconfig, allowed)
    if mode == "auto":
        if kubeconfig.wanted not in (None, *ours.values()) and (kubeconfig.named or kubeconfig.wanted in allowed):
            return "existing", _allowed(kubeconfig, allowed)
        mode = last or _own_kind(kubeconfig, allowed, ours, host, docker())
    if mode == "kind":
        if problem := docker().problem:
            raise ChoiceError(problem)
    else:
        _require_embeddable(host)
    return mode, ours[mode]


def _own_kind(
    kubeconfig: Kubeconfig, allowed: Sequence[str], ours: dict[str, str], host: Host, docker: DockerState
) -> str:
    """Which cluster of our own this machine can have: kind, or embedded."""
    if docker.problem is None:
        return "kind"
    # What is built and needs root for hours is made only where no other cluster seems to be meant.
    if kubeconfig.wanted not in (None, *ours.values()):
        _allowed(kubeconfig, allowed)
    embeddable = host.system == "Linux" and host.root
    if docker.there and not embeddable:
        raise ChoiceError(docker.problem)
    return "embedded"


def _allowed(kubeconfig: Kubeconfig, allowed: Sequence[str]) -> str:
    """The wanted context, if it is there and allowed."""
    wanted = kubeconfig.wanted
    if wanted is None:
        raise ChoiceError(
            "cluster_mode is 'kubeconfig', but there is no kubeconfig with a current context. Set KUBECONFIG or "
            "cluster_kubeconfig and cluster_context, or ask for a cluster of this checkout's own with cluster_mode=kind or cluster_mode=embedded."
        )
    if wanted not in kubeconfig.contexts:
        raise ChoiceError(
            f"The kubeconfig has no context '{wanted}'; it has: {', '.join(kubeconfig.contexts) or 'none'}."
        )
    if wanted not in allowed:
        raise ChoiceError(
            f"The kubeconfig points to the context '{wanted}', which is not allowed, so it is not touched. To use it, "
            f'allow it: make up ARGS=\'-e {{"cluster_allowed_contexts":["{wanted}"]}}\' (or cluster_allowed_contexts in '
            "your inventory). To make a cluster of this checkout's own instead: make up ARGS='-e cluster_mode=kind' (with Docker), or "
            "ARGS='-e cluster_mode=embedded' (Linux, root)."
        )
    return wanted


def _require_embeddable(host: Host) -> None:
    if host.system != "Linux":
        raise ChoiceError(f"The embedded node needs Linux; this is {host.system}. {INSTEAD}")
    if not host.root:
        raise ChoiceError(
            f"The embedded node needs root, for namespaces and mounts of its own. Become root, or: {INSTEAD}"
        )
    if not host.cgroups:
        raise ChoiceError(
            "The embedded node needs cgroups of its own, and none can be made below /sys/fs/cgroup; likely this is a container where that is "
            f"read-only or missing. {OWN_CGROUPS}, run this on the machine itself, or: {INSTEAD}"
        )


def explain_unreachable(context: str, error: str) -> str:
    """One message for a cluster that is allowed but does not answer."""
    causes = (
        (
            ("certificate has expired", "Unauthorized", "401"),
            "Its credentials have expired or are not accepted.",
            "Renew them",
        ),
        (
            ("x509", "CERTIFICATE_VERIFY_FAILED", "certificate verify"),
            "Its certificate does not fit.",
            "Renew the kubeconfig",
        ),
        (("Forbidden", "403"), "The user of this context has no right to look at the cluster.", "Use another user"),
        (
            ("refused", "timed out", "unreachable", "No route", "Name or service", "resolve"),
            "It does not answer.",
            "Start it",
        ),
    )
    for signs, cause, step in causes:
        if any(sign.lower() in error.lower() for sign in signs):
            return f"The cluster of context '{context}' can't be used: {cause} {step}, then run again. ({error})"
    return f"The cluster of context '{context}' can't be used: {error}"
