# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A post-renderer of Helm: it gives workloads the number of replicas that others have set. Pure but for C(main).

Helm starts it as a program of its own, from a copy, so it imports nothing of the collection.
"""

from __future__ import annotations

import contextlib
import json
import re
import sys
import typing as t

with contextlib.suppress(ImportError):  # missing_packages() names what is not there
    import yaml

Json = dict[str, t.Any]
# What the chart has declared while another number is kept.
DECLARED = "localcloud.dev/replicas"
_BORDER = re.compile(r"(?m)^---[^\n]*(?:\n|\Z)")


class Scaled(t.NamedTuple):
    """A workload whose number of replicas another manager has set, C(by) that field manager. C(namespace): also where it is the release's."""

    api_version: str
    kind: str
    namespace: str
    name: str
    replicas: int
    declared: int
    by: str = ""

    def __str__(self) -> str:
        return f"the {self.kind} {self.name} keeps its {self.replicas} replicas, which {self.by} has set; {self.declared} are declared"


def kept(manifest: str, scaled: t.Sequence[Scaled], namespace: str) -> str:
    """The manifest with these numbers of replicas where it declares the same one as before; all else as it is."""
    return "---\n".join(_document(text, scaled, namespace) for text in _BORDER.split(manifest))


def _document(text: str, scaled: t.Sequence[Scaled], namespace: str) -> str:
    made = yaml.safe_load(text) if "replicas" in text else None
    if not isinstance(made, dict):
        return text
    metadata, spec = made.get("metadata") or {}, made.get("spec") or {}
    identity = (made.get("apiVersion"), made.get("kind"), metadata.get("namespace") or namespace, metadata.get("name"))
    for one in scaled:
        if one[:4] == identity and spec.get("replicas") == one.declared:
            annotations = {**(metadata.get("annotations") or {}), DECLARED: str(one.declared)}
            changed = {"metadata": {**metadata, "annotations": annotations}, "spec": {**spec, "replicas": one.replicas}}
            # As JSON, in which no text can be taken for another type.
            return json.dumps({**made, **changed}, default=str) + "\n"
    return text


def main() -> None:
    """Read the manifest from the input; the argument is what C(argument) makes."""
    namespace, scaled = json.loads(sys.argv[1])
    sys.stdout.write(kept(sys.stdin.read(), [Scaled(*one) for one in scaled], namespace))


def argument(scaled: t.Sequence[Scaled], namespace: str) -> str:
    """The program's argument."""
    return json.dumps([namespace, scaled])


if __name__ == "__main__":
    main()
