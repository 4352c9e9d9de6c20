# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which cluster a run uses. Pure: the rule and its messages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ansible_collections.localcloud.stack.plugins.module_utils.common.printable import PrintableError
from ansible_collections.localcloud.stack.plugins.module_utils.node.identity import OWN_CGROUPS

INSTEAD = (
    "Start a Kubernetes of your own (Docker Desktop: Settings > Kubernetes > Enable; or `kind create cluster`), and allow "
    "its context with cluster_allowed_contexts."
)


class ChoiceError(PrintableError):
    """No cluster can be chosen; the message says why and what to do."""


@dataclass(frozen=True)
class Host:
    """What matters of the machine: can it carry the embedded node?"""

    system: str
    root: bool
    cgroups: bool = True


def choose(
    mode: str,
    contexts: Sequence[str],
    wanted: str | None,
    allowed: Sequence[str],
    own: str,
    host: Host,
) -> tuple[str, str]:
    """Kind of cluster (`existing` or `embedded`) and its context.

    `mode`: auto, existing or embedded. `contexts`: those of the kubeconfig; `wanted`: the one to use (its current one by
    default), None without a kubeconfig. `own`: context of this checkout's embedded node. A context that is neither
    allowed nor our own is never used. Raises ChoiceError.
    """
    if mode == "embedded" or (mode == "auto" and wanted in (None, own)):
        _require_embeddable(host)
        return "embedded", own
    if wanted is None:
        raise ChoiceError(
            "cluster_mode is 'existing', but there is no kubeconfig with a current context. Set KUBECONFIG or "
            "cluster_kubeconfig and cluster_context, or ask for the embedded node with cluster_mode=embedded."
        )
    if wanted not in contexts:
        raise ChoiceError(f"The kubeconfig has no context '{wanted}'; it has: {', '.join(contexts) or 'none'}.")
    if wanted not in allowed:
        raise ChoiceError(
            f"The kubeconfig points to the context '{wanted}', which is not allowed, so it is not touched. To use it, "
            f'allow it: make up ARGS=\'-e {{"cluster_allowed_contexts":["{wanted}"]}}\' (or cluster_allowed_contexts in '
            "your inventory). To make the embedded node instead: make up ARGS='-e cluster_mode=embedded'."
        )
    return "existing", wanted


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
