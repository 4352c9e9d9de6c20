# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The report, put together from what was read. Pure.

What could not be read is named, and the rest is shown: a result without what its module returns on success has its C(msg) instead.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from .findings import resource_findings, resources, workload_findings
from .metrics import alerts_of, clock_finding, metrics_of, unread_of, with_rates
from .model import SCHEMA_VERSION, Alert, Blueprint, Finding, Hop, Node, Pod, Proof, Report, State, Unread, Version
from .timeline import timeline
from .topology import KINDS, topology

Json = Mapping[str, Any]
WHOLE = "total"
# The kinds of Crossplane's that stations are.
KUBERNETES_KINDS = {
    "topic": "Topic",
    "queue": "Queue",
    "dead_letter_queue": "Queue",
    "table": "Table",
    "bucket": "Bucket",
}


def compose(facts: Json, generated_at: str) -> Report:
    """The report.

    facts: C(cluster) the facts of the role cluster, C(cloud) what is remembered of the emulator, C(blueprints) what was read of each (see
    C(read_blueprint)), C(proofs) what was proved last by blueprint, C(timings) of the last C(make up), C(nodes) of k8s_info, C(metrics) of prometheus_info at
    C(metrics_url) with dashboards at C(metrics_page), C(parts) of the toolchain by name, C(collection) this collection's version.
    """
    found = [read_blueprint(one, (facts.get("proofs") or {}).get(one["name"]) or []) for one in facts["blueprints"]]
    measured = facts.get("metrics") or {}
    metrics = metrics_of(measured, str(facts.get("metrics_url") or ""), str(facts.get("metrics_page") or ""))
    alerts = alerts_of(measured)
    findings = [finding for _blueprint, findings, _unread in found for finding in findings] + clock_finding(metrics)
    unread = list(dict.fromkeys(one for _blueprint, _findings, unread in found for one in unread))
    unread += unread_of(measured)
    blueprints = [
        dataclasses.replace(one, nodes=with_rates(one.nodes, one.namespace, measured.get("answers") or {}))
        for one, _findings, _unread in found
    ]
    state = worst(
        "unknown" if unread else "ok", "attention" if alerts or findings else "ok", *(one.state for one in blueprints)
    )
    rows = [row for one in facts["blueprints"] for row in (one.get("resources") or {}).get("resources") or []]
    pods = [
        row for one in facts["blueprints"] for result in one.get("workloads") or [] for row in result.get("pods") or []
    ]
    return Report(
        schema_version=SCHEMA_VERSION,
        generated_at=generated_at,
        state=state,
        summary=summary(blueprints, findings, unread, alerts),
        cluster=cluster_title(facts["cluster"]),
        engine=engine_title(facts),
        endpoint=str(facts["cloud"].get("host_endpoint") or ""),
        blueprints=blueprints,
        findings=findings,
        unread=unread,
        versions=list(versions(facts, pods)),
        timeline=timeline(facts.get("timings") or {}, rows, pods),
        alerts=alerts,
        metrics=metrics,
    )


def read_blueprint(facts: Json, proofs: Sequence[Json]) -> tuple[Blueprint, list[Finding], list[Unread]]:
    """A blueprint with what is wrong with it, and what could not be read of it.

    facts: C(name), C(error) why it could not be read itself, C(blueprint) and C(entry) of the module C(blueprint), C(region), and results: C(aws) of
    localstack_info, C(difference) of crossplane_diff, C(resources) of crossplane_wait, C(workloads) of workload_wait for each release,
    C(deployments) of k8s_info. One that was not asked for is left out or skipped.
    """
    name = facts["name"]
    blueprint, entry = facts.get("blueprint") or {}, facts.get("entry") or {}
    results = facts.get("workloads") or []
    aws = {key: value for key, value in (facts.get("aws") or {}).items() if key in KINDS}
    difference = facts.get("difference") or {}
    findings = [*resource_findings(name, difference), *workload_findings(name, results)]
    workloads = [row for result in results for row in result.get("workloads") or []]
    nodes, edges = topology(blueprint, aws, workloads, environments(facts.get("deployments") or {}))
    nodes = marked(nodes, findings, (facts.get("resources") or {}).get("resources") or [])
    findings += [
        Finding(name, KUBERNETES_KINDS[node.kind], node.name, node.reason)
        for node in nodes
        if node.state == "attention" and node.kind != "service" and not _known(node, findings)
    ]
    unread = list(unreadable(facts))
    state: State = "attention" if findings else "unknown" if unread else "ok"
    shown = Blueprint(
        name=name,
        description=str(blueprint.get("description") or ""),
        namespace=str(entry.get("namespace") or ""),
        region=str(facts.get("region") or ""),
        state=state,
        nodes=nodes,
        edges=edges,
        resources=resources(difference, findings),
        pods=[pod(row) for result in results for row in result.get("pods") or []],
        proofs=[proof(one) for one in proofs],
        links={title: url for title, url in (entry.get("links") or {}).items() if isinstance(url, str)},
    )
    return shown, findings, unread


def marked(nodes: Sequence[Node], findings: Sequence[Finding], rows: Sequence[Json]) -> list[Node]:
    """The stations, with what was found of their resources. C(rows) tell which name in AWS a resource of Crossplane has."""
    named = {(row["kind"], row["name"]): row.get("external_name") or row["name"] for row in rows}
    reasons: dict[tuple[str, str], str] = {}
    for one in findings:
        external = named.get((one.kind, one.name), one.name).rpartition("/")[2]
        reasons.setdefault((one.kind, external), one.sentence)
    found = []
    for node in nodes:
        reason = reasons.get((KUBERNETES_KINDS.get(node.kind, ""), node.name))
        found.append(dataclasses.replace(node, state="attention", reason=reason) if reason else node)
    return found


def _known(node: Node, findings: Iterable[Finding]) -> bool:
    """Whether something is said already of its resource."""
    return any(one.sentence == node.reason for one in findings)


def environments(deployments: Json) -> dict[str, set[str]]:
    """The plain values of the variables of each Deployment's containers. Values of Secrets are not among them."""
    found: dict[str, set[str]] = {}
    for one in deployments.get("resources") or []:
        containers = one["spec"]["template"]["spec"].get("containers") or []
        variables = [variable for container in containers for variable in container.get("env") or []]
        found[one["metadata"]["name"]] = {str(variable["value"]) for variable in variables if variable.get("value")}
    return found


def unreadable(facts: Json) -> Iterator[Unread]:
    """What could not be read of a blueprint, with the reason that its module gave."""
    name = facts["name"]
    if facts.get("error"):
        yield Unread("the blueprint", str(facts["error"]), name)
    aws = facts.get("aws")
    if aws is not None and "account" not in aws:
        yield Unread("AWS", reason_of(aws), name)
    yield from (Unread(f"AWS: {one['service']}", str(one["message"]), name) for one in (aws or {}).get("errors") or [])
    kubernetes = {
        "resources": ("references", "difference"),
        "workloads": ("pods", "workloads"),
        "deployments": ("resources", "deployments"),
    }
    for what, (key, results) in kubernetes.items():
        found = facts.get(results)
        for one in [found] if isinstance(found, Mapping) else found or []:
            if not one.get("skipped") and (key not in one or one.get("unseen")):
                yield Unread({"deployments": "which service uses what"}.get(what, what), reason_of(one), name)


def reason_of(result: Json) -> str:
    return str(result.get("unseen") or result.get("msg") or "no reason was given")


def pod(row: Json) -> Pod:
    return Pod(
        row["name"], "ok" if row["ready"] else "attention", row["phase"], row["restarts"], list(row.get("images") or [])
    )


def proof(one: Json) -> Proof:
    """A proof as the stack's state has it."""
    known = {name: float(ms) for name, ms in (one.get("latency_ms") or {}).items() if ms is not None}
    hops = [Hop(name.replace("_", " "), ms) for name, ms in known.items() if name != WHOLE]
    return Proof(
        str(one.get("name") or ""), str(one.get("at") or ""), str(one.get("sentence") or ""), hops, known.get(WHOLE)
    )


def worst(*states: State) -> State:
    order: tuple[State, ...] = ("attention", "unknown", "ok")
    return min(states, key=order.index)


def summary(
    blueprints: Sequence[Blueprint], findings: Sequence[Finding], unread: Sequence[Unread], alerts: Sequence[Alert]
) -> str:
    """The state of all in one sentence."""
    declared = sum(len(one.resources) for one in blueprints)
    services = sum(node.kind == "service" for one in blueprints for node in one.nodes)
    parts = []
    if findings:
        parts.append(f"{counted(len(findings), 'finding')} to look at.")
    if alerts:
        parts.append(f"{counted(len(alerts), 'alert')} {'fires' if len(alerts) == 1 else 'fire'}.")
    if unread:
        parts.append(f"{counted(len(unread), 'source')} could not be read.")
    return (
        " ".join(parts)
        or f"{counted(services, 'service')} and {counted(declared, 'resource')} are as declared and ready."
    )


def counted(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"


def cluster_title(cluster: Json) -> str:
    if cluster.get("kind") == "embedded":
        return "the embedded node"
    return f"context {cluster.get('context')}"


def engine_title(facts: Json) -> str:
    """What answers for AWS, by its own answer where there is one."""
    health = next((health for one in facts["blueprints"] if (health := (one.get("aws") or {}).get("health"))), None)
    cloud = facts["cloud"]
    if health:
        return f"{health['engine']} {health.get('version') or ''}".strip()
    if cloud.get("emulator"):
        return f"{cloud['emulator']} {cloud.get('version') or ''}".strip()
    return f"AWS account {cloud.get('account')}"


def versions(facts: Json, pods: Sequence[Json]) -> Iterator[Version]:
    """This collection, what answers for AWS, Kubernetes as its nodes say it, the parts as they are pinned, and the images that run."""
    yield Version("localcloud.stack", str(facts.get("collection") or "not known"))
    yield Version("AWS", engine_title(facts))
    for node in (facts.get("nodes") or {}).get("resources") or []:
        info = node.get("status", {}).get("nodeInfo") or {}
        yield Version(f"Kubernetes on {node['metadata']['name']}", str(info.get("kubeletVersion") or "not known"))
    parts = facts.get("parts") or {}
    for name in sorted({*parts} & {*(facts["cluster"].get("parts") or {})}):
        if "version" in parts[name]:
            yield Version(name, str(parts[name]["version"]))
    for image in sorted({str(image) for row in pods for image in row.get("images") or []}):
        name, _sign, version = image.rpartition("/")[2].partition("@" if "@" in image else ":")
        yield Version(f"image {name}", version or "not known")
