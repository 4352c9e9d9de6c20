# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which versions of others' programs are supported, and what is wrong with any other one. Pure.

The one place to change a range; `make generate` writes it into README and meta/runtime.yml.
"""

from __future__ import annotations

import re
import typing as t

Version = tuple[int, int]
VERSION = re.compile(r"\bv(\d+)\.(\d+)\.\d+")


class Range(t.NamedTuple):
    """A program and the minor versions of it that are supported, both included."""

    name: str
    oldest: Version
    newest: Version

    def __str__(self) -> str:
        return f"{_text(self.oldest)} to {_text(self.newest)}"

    def problem(self, version: Version) -> str | None:
        """What is wrong with a version, and what is supported; None where it is supported."""
        if self.oldest <= version <= self.newest:
            return None
        return (
            f"{self.name} {_text(version)} is {'older' if version < self.oldest else 'newer'} than what is supported: "
            f"{self.name} {self}."
        )


ANSIBLE_CORE = Range("ansible-core", (2, 19), (2, 21))
PYTHON = Range("Python", (3, 11), (3, 14))
KUBERNETES = Range("Kubernetes", (1, 31), (1, 37))
# Before 3.13 the commands take no labels. Any later 4 counts, too.
HELM = Range("Helm", (3, 13), (4, 99))
HELM_4 = (4, 0)
# The first kubernetes.core whose modules all work with it.
HELM_4_MODULES = (6, 5)
HELM_SUPPORTED = "Helm 3.13 or later, or Helm 4"
# Minor versions by which kubectl may be older or newer than the cluster (https://kubernetes.io/releases/version-skew-policy/#kubectl).
KUBECTL_SKEW = 1


def parsed(text: str) -> Version | None:
    """The first version vX.Y.Z in what a program says of itself."""
    found = VERSION.search(text)
    return (int(found[1]), int(found[2])) if found else None


def helm_problem(said: str) -> str | None:
    """What is wrong with a Helm by what C(helm version --short) says; None where it is supported."""
    version = parsed(said)
    if version is None:
        return f"it does not say which Helm it is. Install {HELM_SUPPORTED}, then run again."
    if HELM.oldest <= version <= HELM.newest:
        return None
    return f"Helm {_text(version)} is not supported. Install {HELM_SUPPORTED}, then run again."


def helm_modules_problem(said: str, collection: str) -> str | None:
    """What is wrong with a version of kubernetes.core for a Helm by what that says; None where it fits.

    Before 6.5.0 its modules install a release by Helm 4 and fail after that, and can't remove one.
    """
    version = parsed(said)
    major, minor = (int(one) for one in collection.split(".")[:2])
    if version is None or version[0] < HELM_4[0] or (major, minor) >= HELM_4_MODULES:
        return None
    return (
        f"kubernetes.core {collection} does not work with Helm {_text(version)}: it needs {_text(HELM_4_MODULES)} or later. Nothing was touched. "
        "Run `ansible-galaxy collection install --upgrade kubernetes.core`, or use localcloud.stack.helm_release, then run again."
    )


def cluster_problem(said: str) -> str | None:
    """What is wrong with a cluster by its C(gitVersion); None where it is supported."""
    version = parsed(said)
    if version is None:
        return f"The cluster does not say which Kubernetes it is ('{said[:40]}'); supported is Kubernetes {KUBERNETES}."
    if not (problem := KUBERNETES.problem(version)):
        return None
    way_on = "Upgrade the cluster" if version < KUBERNETES.oldest else "Take a newer version of this collection"
    return f"The cluster can't be used: {problem} {way_on}, or choose another one, then run again."


def kubectl_problem(said: str, cluster: str) -> str | None:
    """What is wrong with a kubectl for a cluster, by the C(gitVersion) of both; None where it fits or that is not known.

    Google Cloud's dispatcher tells its own version (v1.32.4-dispatcher), and runs the kubectl that fits the cluster.
    """
    version, server = parsed(said), parsed(cluster)
    if server is None or "-dispatcher" in said:
        return None
    oldest, newest = ((server[0], server[1] + skew) for skew in (-KUBECTL_SKEW, KUBECTL_SKEW))
    fits = f"kubectl {_text(oldest)} to {_text(newest)}"
    if version is None:
        return f"kubectl does not say its version. Install {fits}, then run again."
    if version >= oldest:
        return None
    return (
        f"kubectl {_text(version)} is too old for the cluster, which is Kubernetes {_text(server)}: supported is {fits}. "
        "Install one of these, then run again."
    )


def runtime_problems(core: str, python: tuple[int, ...]) -> list[str]:
    """What is wrong with the ansible-core and the Python that run playbooks. A newer one than was tested is taken as it is."""
    known = re.match(r"(\d+)\.(\d+)", core)
    if known is None:
        return [f"ansible-core does not say its version; supported is ansible-core {ANSIBLE_CORE}."]
    found = ((ANSIBLE_CORE, (int(known[1]), int(known[2]))), (PYTHON, (python[0], python[1])))
    return [
        f"{kind.problem(version)} Install one of these, then run again."
        for kind, version in found
        if version < kind.oldest
    ]


def _text(version: Version) -> str:
    return f"{version[0]}.{version[1]}"
