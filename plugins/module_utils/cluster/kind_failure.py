# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Why a command of kind or Docker has failed: cause, next step and a short end of what was said. Pure.

Of a node that does not start kind says only that kubeadm failed; the reason is in kubeadm's output, or in what the kubelet or a pod of
the control plane has said last.
"""

from __future__ import annotations

import re
import typing as t
from collections.abc import Mapping, Sequence
from pathlib import Path

from ansible_collections.localcloud.stack.plugins.module_utils.common.printable import printable

# Of a message: what one of them may say.
SAID_LENGTH = 400
PATCHES = "kubeadmConfigPatches of cluster_kind_config"

# What a failed command says, the cause, the next step.
CAUSES = (
    ("port is already allocated", "A port that the cluster is to serve is taken.", "End what listens there, or set cluster_kind_address or cluster_kind_ports"),
    ("address already in use", "A port that the cluster is to serve is taken.", "End what listens there, or set cluster_kind_address or cluster_kind_ports"),
    ("cannot connect to the docker daemon", "Docker does not answer.", "Start Docker"),
    ("no space left", "The disk that Docker keeps its data on is full.", "Free some space (docker system df tells what takes it)"),
    ("no such image", "The image of the nodes is not there.", "Load it, or set cluster_kind_image to one that can be pulled"),
    ("failed to pull image", "The image of the nodes can't be pulled.", "Set cluster_kind_image to one that is in reach, or is loaded already"),
    ("too many open files", "The machine's limits of inotify are too low for kind.", "Raise fs.inotify.max_user_watches and max_user_instances"),
    ("permission denied while trying to connect", "Docker denies access to this user.", "Add the user to the group docker and log in again"),
    # What a node says.
    ("not run on a host using cgroup v1", "The kubelet is set not to run on cgroup v1.", f"Leave failCgroupV1 out of {PATCHES}, or take cgroup v2"),
    ("cgroup subsystem not mounted", "The machine lacks a control group that the kubelet needs.", "Enable it (often: the kernel's cgroup_enable=memory)"),
    ("/dev/kmsg", "The kubelet may not read the kernel's log, as in some containers and with a rootless engine.", "Use an engine that runs as root"),
    ("kubelet config", "The kubelet does not take its configuration.", f"Correct what is of KubeletConfiguration in {PATCHES}"),
    ("unknown flag", "A part of Kubernetes does not know an argument that it was given.", f"Correct extraArgs in {PATCHES}"),
    ("error unmarshaling", "kubeadm does not take its configuration.", f"Correct {PATCHES}"),
    ("unknown field", "kubeadm does not take its configuration.", f"Correct {PATCHES}"),
    ("invalid value", "kubeadm does not take its configuration.", f"Correct {PATCHES}"),
    ("failed to run kubelet", "The kubelet ends as soon as it starts.", f"Correct what is of KubeletConfiguration in {PATCHES}, or what it names"),
    ("could not find a log line", "The node's systemd does not start.", "Check that the image is a kind node's, and for this machine's architecture"),
    ("permission denied", "Access is denied.", "Add the user to the group docker and log in again, or see what is named"),
    ("deadline exceeded", "Kubernetes did not get ready in time.", "Give the machine, or Docker, more CPU and memory, and end what keeps it busy"),
)  # fmt: skip
# A line of klog: severity and date, time, process and place, text.
_KLOG = re.compile(r"^([IWEF])\d{4} [\d:.]+ +\d+ [\w.-]+:\d+\] (.*)$")
# What containerd writes before each line of a pod's.
_OF_POD = re.compile(r"^\S+T\S+ (?:stdout|stderr) [FP] ")
_PLACE = re.compile(r"^\t\S+:\d+$")


class NodeSaid(t.NamedTuple):
    """The end of what a node that failed has said: its kubelet, the pods of its control plane, and its container."""

    kubelet: str = ""
    pods: str = ""
    container: str = ""


def explained(command: Sequence[str], said: str, node: NodeSaid | None = None, engine: str = "docker") -> str:
    """One message for a failed command: cause, next step and the end of what it says, and of a node what its parts say."""
    told = {name: text for name, text in _told(said, node or NodeSaid()).items() if text}
    name, ends = " ".join([Path(command[0]).name, *command[1:3]]), _ends(told)
    everything = "\n".join(told.values()).lower()
    # A cause that several things have comes after those that say more.
    for sign, cause, step in CAUSES:
        if sign in everything:
            return f"`{name} …` failed: {cause} {step}, then run again. ({ends})"
    advice = f"see what `{engine} ps --all` and `{engine} info` say"
    return f"`{name} …` failed: {ends or 'it does not say why'}. Run again; if it fails again, {advice}."


def kubeadm_reasons(said: str) -> list[str]:
    """What kubeadm says in kind's output of why it failed, the root of it first: its error, and the texts that stack traces are of."""
    lines = said.partition("Command Output:")[2].splitlines()
    found = [line.removeprefix("error: ") for line in lines if line.startswith("error: ")]
    for text, function, place in zip(lines, lines[1:], lines[2:], strict=False):
        if _PLACE.match(place) and not _PLACE.match(text) and not _PLACE.match(function):
            found.append(text.removeprefix("error: "))
    return list(dict.fromkeys(one.strip() for one in found if one.strip() and not _KLOG.match(one)))


def failures(log: str) -> list[str]:
    """The lines of a log that tell of failures, without date and place; all of them where none does."""
    lines = [_OF_POD.sub("", line).strip() for line in log.splitlines() if not line.startswith("-- ")]
    graded = [(_KLOG.match(line), line) for line in lines if line]
    serious = [match[2] for match, _line in graded if match and match[1] in "EF"]
    plain = [line for match, line in graded if match is None and re.match(r"(?i)(error|fatal|panic)\b", line)]
    found = list(dict.fromkeys(plain or serious or filter(None, lines)))
    # That something else does not run is told by itself.
    return [line for line in found if "connection refused" not in line] or found


def _told(said: str, node: NodeSaid) -> dict[str, str]:
    """What each of them says that tells of the cause, from the outcome on."""
    kubeadm = kubeadm_reasons(said)
    if kubeadm and not _waited(kubeadm):
        return {"kubeadm": "; ".join(kubeadm[:2])}
    told = {"kubeadm": "; ".join(kubeadm[:2])} if kubeadm else _told_by_kind(said)
    if node.kubelet:
        told |= {
            "kubelet": "; ".join(failures(node.kubelet)[-2:]),
            "control plane": "; ".join(failures(node.pods)[-2:]),
        }
    return told if node.kubelet else {**told, "node": "; ".join(failures(node.container)[-3:])}


def _told_by_kind(said: str) -> dict[str, str]:
    """Its errors, or the end of what a command says, and the end of what a command said that it has run."""
    own, _mark, output = said.partition("Command Output:")
    # kind's stack trace tells nothing that the line before does not.
    output = output.partition("Stack Trace:")[0]
    lines = [line.strip() for line in own.partition("Stack Trace:")[0].splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR")] or lines
    return {"": " ".join(errors[-3:]), "output": "; ".join(failures(output)[-2:])}


def _waited(kubeadm: Sequence[str]) -> bool:
    """Whether kubeadm has only waited for the kubelet, or for what that runs."""
    signs = ("waiting for", "wait-control-plane", "deadline", "timed out")
    return any(sign in " ".join(kubeadm).lower() for sign in signs)


def _ends(told: Mapping[str, str]) -> str:
    """As one line; it comes from programs, so what would act on a terminal is shown by its escape."""
    return "; ".join(
        printable(f"{who}: {text}"[:SAID_LENGTH] if who else text[: 2 * SAID_LENGTH])
        for who, text in told.items()
        if text
    )
