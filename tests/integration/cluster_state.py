"""Write down every object of a cluster, or compare with what was written down.

cluster_state.py KUBECTL KUBECONFIG FILE              write
cluster_state.py --compare KUBECTL KUBECONFIG FILE    exit with 1 and name what came and what went
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

# Made and dropped by the cluster itself all the time.
OWN_BUSINESS = {"events", "events.events.k8s.io", "leases.coordination.k8s.io", "endpoints"}


def objects(kubectl: str, kubeconfig: str) -> set[str]:
    """Kind, namespace and name of every object."""

    def run(*arguments: str) -> list[str]:
        command = [kubectl, "--kubeconfig", kubeconfig, *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()

    kinds = [kind for kind in run("api-resources", "--verbs=list", "-o", "name") if kind not in OWN_BUSINESS]
    columns = "custom-columns=KIND:.kind,NAMESPACE:.metadata.namespace,NAME:.metadata.name"
    return set(run("get", ",".join(kinds), "-A", "--ignore-not-found", "--no-headers", "-o", columns))


def main() -> int:
    parser = argparse.ArgumentParser(description="Write down or compare a cluster's objects.")
    parser.add_argument("--compare", action="store_true")
    parser.add_argument("kubectl")
    parser.add_argument("kubeconfig")
    parser.add_argument("file", type=Path)
    arguments = parser.parse_args()
    now = objects(arguments.kubectl, arguments.kubeconfig)
    if not arguments.compare:
        arguments.file.write_text(json.dumps(sorted(now), indent=2))
        return 0
    then = set(json.loads(arguments.file.read_text()))
    for title, names in (("came", now - then), ("went", then - now)):
        for name in sorted(names):
            print(f"{title}: {' '.join(name.split())}")
    return 1 if now != then else 0


if __name__ == "__main__":
    sys.exit(main())
