"""Measure what declared resources cost beside `kubectl apply`, and a re-run of the whole stack beside a shell script.

Brings up a stack of its own (MiniStack). Ways are interleaved in one run; each figure is the median of its runs. Prints
Markdown tables of seconds and ratios, and a plot of the unchanged re-run over the number of resources.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import plotext
import psutil
import yaml
from ansible_collections.localcloud.stack.plugins.filter.objects import managed_resources
from ansible_collections.localcloud.stack.plugins.module_utils.common.waiting import wait_for
from tabulate import tabulate

PROJECT = Path(__file__).resolve().parents[1]
FOLDER = PROJECT / ".localcloud/bench"
STATE = FOLDER / ".localcloud"
SIZES = (10, 100, 1000)
# The provider looks at thousands of resources rarely, so that what is measured is the client.
STACK = {"localstack_service_engine": "ministack", "apps_producer_count": 1, "crossplane_poll_interval": "1h"}
RUNS = 5
ENVIRONMENT = {
    **os.environ,
    "LOCALCLOUD_DIR": str(FOLDER),
    "KUBECONFIG": "/nonexistent",
    "DOCKER_HOST": "unix:///nonexistent",
}
WAIT = "20m"
# Below this share of its processors, in per cent over so many seconds, a machine with a cluster that has nothing to do is at rest.
REST, REST_SECONDS, REST_LIMIT = 30, 5, 600


class Cost(NamedTuple):
    """What a command took: seconds, and the largest memory of one of its processes in MiB."""

    seconds: float
    memory: float


def run(command: Sequence[str | Path], environment: Mapping[str, str] = ENVIRONMENT) -> Cost:
    """Run a command to its end. Exits with its output if it fails."""
    log = FOLDER / "command.log"
    begin = time.monotonic()
    with log.open("w") as output:
        process = subprocess.Popen([*map(str, command)], cwd=PROJECT, env=environment, stdout=output, stderr=output)
        _pid, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"{' '.join(map(str, command))[:200]} failed:\n{log.read_text()[-3000:]}")
    return Cost(time.monotonic() - begin, usage.ru_maxrss / 1024)


def playbook(path: str, **settings: Any) -> Cost:
    return run(["ansible-playbook", path, "-e", json.dumps(settings)])


def declared(size: int, prefix: str) -> dict[str, list[dict[str, Any]]]:
    """As many resources: topics, queues, tables and parameters in equal parts."""
    names = [f"{prefix}-{number:04}" for number in range(size)]
    return {
        "topics": [{"name": name} for name in names[0::4]],
        "queues": [{"name": name} for name in names[1::4]],
        "tables": [
            {"name": name, "hash_key": {"name": "Id", "type": "S"}, "deletion_protection": False}
            for name in names[2::4]
        ],
        "parameters": [{"name": f"/{name}/value", "type": "String", "value": "x"} for name in names[3::4]],
    }


class Role:
    """The role `aws_resources`, alone in a playbook."""

    def __init__(self, facts: Mapping[str, Any]) -> None:
        self.facts = facts

    def apply(self, size: int, **settings: Any) -> Cost:
        lists = {f"aws_resources_{kind}": entries for kind, entries in declared(size, f"role{size}").items()}
        return playbook(
            "benchmarks/resources.yml",
            aws_resources_kubeconfig=self.facts["kubeconfig"],
            aws_resources_context=self.facts["context"],
            aws_resources_owner=f"bench-{size}",
            aws_resources_timeout=1200,
            **lists,
            **settings,
        )

    def remove(self, size: int) -> Cost:
        return self.apply(size, entry="absent")


class Kubectl:
    """`kubectl apply` of the same manifests under other names, and `kubectl wait`."""

    def __init__(self, facts: Mapping[str, Any]) -> None:
        self.command = [facts["kubectl"], "--kubeconfig", facts["kubeconfig"]]

    def file(self, size: int) -> Path:
        target = {
            "region": "eu-central-1",
            "account": "000000000000",
            "provider_config": "default",
            "owner": "bench-kubectl",
            "tags": {},
        }
        path = FOLDER / f"kubectl-{size}.yml"
        path.write_text(yaml.safe_dump_all(managed_resources(declared(size, f"kubectl{size}"), target)))
        return path

    def apply(self, size: int) -> Cost:
        return run([*self.command, "apply", "-f", self.file(size)])

    def wait(self, size: int) -> Cost:
        return run([*self.command, "wait", "--for=condition=Ready", f"--timeout={WAIT}", "-f", self.file(size)])

    def remove(self, size: int) -> Cost:
        return run([*self.command, "delete", "--timeout", WAIT, "-f", self.file(size)])


def rest() -> None:
    """Wait until the cluster has done what followed from the last step. WaitError if something keeps the machine busy."""

    def busy() -> str | None:
        share = psutil.cpu_percent(REST_SECONDS)
        return f"its processors are busy to {share:.0f} %" if share > REST else None

    wait_for(
        "the machine to be at rest, as both ways would else be measured with what goes on beside", busy, REST_LIMIT
    )


def median(work: Callable[[], Cost], other: Callable[[], Cost]) -> tuple[Cost, Cost]:
    """Both ways in turn, several times, each on a machine at rest; the medians of each."""

    def rested(way: Callable[[], Cost]) -> Cost:
        rest()
        return way()

    pairs = [(rested(work), rested(other)) for _run in range(RUNS)]
    return tuple(  # type: ignore[return-value]
        Cost(*(statistics.median(figures) for figures in zip(*costs, strict=True)))
        for costs in zip(*pairs, strict=True)
    )


def resources(sizes: Sequence[int], facts: Mapping[str, Any]) -> list[list[Any]]:
    """A row for each size."""
    role, kubectl = Role(facts), Kubectl(facts)
    rows = []
    for size in sizes:
        made = kubectl.apply(size).seconds
        plain = made + kubectl.wait(size).seconds
        first = role.apply(size)
        again, applied = median(lambda size=size: role.apply(size), lambda size=size: kubectl.apply(size))  # type: ignore[misc]
        empty = playbook("benchmarks/resources.yml", entry="validate")
        net = again.seconds - empty.seconds
        rows.append(
            [
                size,
                plain,
                first.seconds,
                first.seconds / plain,
                made,
                applied.seconds,
                again.seconds,
                net,
                again.seconds / made,
                again.seconds / applied.seconds,
                again.memory,
            ]
        )
        print([f"{one:.2f}" for one in rows[-1]], flush=True)
        role.remove(size)
        kubectl.remove(size)
    return rows


def export(facts: Mapping[str, Any]) -> None:
    """Write what the script applies: the objects that we applied, without what the cluster added, and the charts' values."""
    folder = STATE / "baseline"
    folder.mkdir(exist_ok=True)
    kubectl = [facts["kubectl"], "--kubeconfig", facts["kubeconfig"]]
    helm = [facts["helm"], "--kubeconfig", facts["kubeconfig"]]
    kinds = {
        "emulator": "-n devopstest persistentvolumes,statefulsets,services,networkpolicies,persistentvolumeclaims",
        "providers": "-n crossplane-system secrets,networkpolicies,managedresourceactivationpolicies,deploymentruntimeconfigs,"
        "providers.pkg.crossplane.io,providerconfigs.aws.upbound.io",
        "credentials": "-n devopstest secrets",
        "resources": "topics,queues,topicsubscriptions,tables.v1beta1.dynamodb.aws.upbound.io",
    }
    for name, chosen in kinds.items():
        listed = json.loads(output([*kubectl, "get", "-o", "json", "-l", "localcloud.dev/owner", *chosen.split()]))
        listed["items"] = [bare(one) for one in listed["items"]]
        (folder / f"{name}.json").write_text(json.dumps(listed))
    definitions = output([*kubectl, "get", "customresourcedefinitions", "-o", "name"])
    (folder / "kinds").write_text("".join(re.findall(r"/(.*\.aws\.upbound\.io\n)", definitions)))
    for name, release, namespace in (
        ("crossplane", "crossplane", "crossplane-system"),
        ("pipeline", "justtrack-t1", "devopstest"),
    ):
        values = output([*helm, "get", "values", release, "-n", namespace, "-o", "json"])
        (folder / f"{name}.json").write_text(values)
    (folder / "crossplane.chart").write_text(f"{facts['parts']['crossplane']['path']}/charts/crossplane")


def output(command: Sequence[str]) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def bare(obj: dict[str, Any]) -> dict[str, Any]:
    """An object without status and what the server sets."""
    kept = ("name", "namespace", "labels")
    metadata = {name: value for name, value in obj["metadata"].items() if name in kept}
    return {**{name: value for name, value in obj.items() if name != "status"}, "metadata": metadata}


def stack(facts: Mapping[str, Any]) -> list[list[Any]]:
    """The unchanged re-run of everything, beside a script that does the same by kubectl, helm and aws."""
    export(facts)
    script = ["bash", PROJECT / "benchmarks/baseline.sh", STATE]
    tools = {**ENVIRONMENT, "PATH": f"{Path(facts['helm']).parent}:{ENVIRONMENT['PATH']}"}
    ours, theirs = median(
        lambda: playbook("site.yml", **STACK),
        lambda: run(script, tools),
    )
    return [["re-run of everything", theirs.seconds, ours.seconds, ours.seconds / theirs.seconds]]


def plot(rows: Sequence[Sequence[Any]]) -> None:
    figure, sizes = plotext.figure, [row[0] for row in rows]
    for column, label in ((5, "kubectl apply"), (6, "aws_resources")):
        figure.draw(figure.signal(sizes, [row[column] for row in rows], marker=label[0]).label(label).lines())
    figure.title("Unchanged re-run: seconds over resources")
    figure.plot_size(90, 22)
    figure.show(colorless=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    sizes = parser.parse_args().sizes
    FOLDER.mkdir(parents=True, exist_ok=True)
    playbook("site.yml", **STACK)
    facts = json.loads((STATE / "cluster.json").read_text())
    try:
        whole = stack(facts)
        rows = resources(sizes, facts)
    finally:
        playbook("playbooks/teardown.yml", localstack_service_engine="ministack")
    # An interpreter that was built without optimisation takes a fifth longer.
    print(f"With Python {platform.python_version()} of {sys.base_prefix}:\n")
    print(tabulate(whole, ["", "baseline.sh, s", "site.yml, s", "ratio"], tablefmt="github", floatfmt=".2f"))
    headers = [
        "resources",
        "kubectl apply + wait, s",
        "first run, s",
        "ratio",
        "kubectl apply, s",
        "kubectl apply again, s",
        "again, s",
        "again without Ansible's start, s",
        "ratio to apply",
        "ratio to apply again",
        "memory, MiB",
    ]
    print(tabulate(rows, headers, tablefmt="github", floatfmt=".2f"))
    plot(rows)


if __name__ == "__main__":
    main()
